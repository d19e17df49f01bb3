"""Ask a running avatar how it is, as its own user."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from vtbridge.control.address import ControlAddress
from vtbridge.errors import VtbridgeError

_TIMEOUT_S = 5.0


def ask(
    name: str,
    address: ControlAddress,
    view: str,
    *,
    post: bool = False,
    timeout_s: float = _TIMEOUT_S,
) -> dict[str, Any]:
    """Return what ``GET /api/VIEW`` answers, or ``POST`` for a command.

    Args:
        name: of the avatar, for messages.
        address: where it takes commands.
        view: "status" or "trackers", or a command's name.
        post: it is a command.
        timeout_s: how long it may take.

    Raises:
        VtbridgeError: it does not answer.
    """
    request = Request(
        f"http://127.0.0.1:{address.port}/api/{view}",
        data=b"{}" if post else None,
        headers={
            "Authorization": f"Bearer {address.token}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - loopback
            told: dict[str, Any] = json.load(answer)
            return told
    except (HTTPError, URLError, OSError, ValueError) as error:
        raise VtbridgeError(f"the avatar {name!r} does not answer ({error})") from error
