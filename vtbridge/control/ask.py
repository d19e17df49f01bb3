"""Ask and command a running avatar, as its own user."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from vtbridge.control.address import ControlAddress, read_address
from vtbridge.errors import VtbridgeError

_TIMEOUT_S = 5.0
_PREFIX = "/api/v1"


def address_of(name: str) -> ControlAddress:
    """Return where the avatar ``name`` takes commands.

    Raises:
        VtbridgeError: none of that name runs here.
    """
    address = read_address(name)
    if address is None:
        raise VtbridgeError(f"no avatar {name!r} runs here; start it with: vtbridge run")
    return address


def ask(
    name: str, address: ControlAddress, view: str, *, timeout_s: float = _TIMEOUT_S
) -> dict[str, Any]:
    """Return what ``GET /api/v1/VIEW`` answers.

    Args:
        name: of the avatar, for messages.
        address: where it takes commands.
        view: "status", "trackers", "expressions", ...
        timeout_s: how long it may take.

    Raises:
        VtbridgeError: it does not answer, or refuses.
    """
    return _exchange(name, address, view, None, timeout_s)


def order(
    name: str,
    address: ControlAddress,
    what: str,
    words: Mapping[str, object] | None = None,
    *,
    timeout_s: float = _TIMEOUT_S,
) -> None:
    """Have what ``POST /api/v1/WHAT`` does done.

    Args:
        name: of the avatar, for messages.
        address: where it takes commands.
        what: "calibrate", "expressions/smile", ...
        words: sent with it.
        timeout_s: how long it may take.

    Raises:
        VtbridgeError: it does not answer, or refuses.
    """
    _exchange(name, address, what, json.dumps(dict(words or {})).encode(), timeout_s)


def _exchange(
    name: str, address: ControlAddress, path: str, body: bytes | None, timeout_s: float
) -> dict[str, Any]:
    request = Request(
        f"http://127.0.0.1:{address.port}{_PREFIX}/{path}",
        data=body,
        headers={
            "Authorization": f"Bearer {address.token}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - loopback
            told: dict[str, Any] = json.load(answer)
            return told
    except HTTPError as error:
        raise VtbridgeError(f"the avatar {name!r} refuses: {_why(error)}") from error
    except (URLError, OSError, ValueError) as error:
        raise VtbridgeError(
            f"the avatar {name!r} does not answer ({error}); is it still running?"
        ) from error


def _why(error: HTTPError) -> str:
    """Return what the avatar says is wrong, and the remedy."""
    try:
        problem = json.load(error)
        return f"{problem['detail']}; {problem['remedy']}"
    except (OSError, ValueError, KeyError, TypeError):
        return str(error)
