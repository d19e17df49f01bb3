"""Where a running daemon takes commands, and the secret it wants: files only its user can read."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from vtbridge.errors import VtbridgeError
from vtbridge.redaction import conceal

_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class ControlAddress:
    """How to command one daemon on this machine.

    Attributes:
        port: TCP port on 127.0.0.1.
        token: what ``Authorization: Bearer`` must carry.
    """

    port: int
    token: str

    def __post_init__(self) -> None:
        """Keep the token out of logs."""
        conceal(self.token)


def new_token() -> str:
    """Return 128 random bits in hexadecimal."""
    token = secrets.token_hex(_TOKEN_BYTES)
    conceal(token)
    return token


def address_path(name: str) -> Path:
    """Return the file that holds the address of the avatar ``name`` while it runs."""
    return Path(platformdirs.user_state_dir("vtbridge", appauthor=False), f"{name}.control.json")


def token_path(name: str) -> Path:
    """Return the file that holds only the token, as Prometheus' ``credentials_file`` wants it."""
    return address_path(name).with_name(f"{name}.token")


def page_url(address: ControlAddress) -> str:
    """Return the page's address with its token, which stays in the browser (a fragment)."""
    return f"http://127.0.0.1:{address.port}/#token={address.token}"


def write_address(name: str, address: ControlAddress) -> None:
    """Leave ``address`` for this user's other programs.

    Raises:
        VtbridgeError: a file cannot be written.
    """
    _write_private(token_path(name), address.token)
    _write_private(address_path(name), json.dumps(asdict(address)))


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as error:
        raise VtbridgeError(
            f"{path} cannot be written ({error.strerror}); make its folder writable"
        ) from error


def read_address(name: str) -> ControlAddress | None:
    """Return where the avatar ``name`` takes commands, None if no daemon left an address."""
    try:
        found = json.loads(address_path(name).read_text(encoding="ascii"))
        return ControlAddress(port=int(found["port"]), token=str(found["token"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def remove_address(name: str, address: ControlAddress) -> None:
    """Take ``address`` back, unless another daemon has replaced it."""
    if read_address(name) == address:
        address_path(name).unlink(missing_ok=True)
        token_path(name).unlink(missing_ok=True)
