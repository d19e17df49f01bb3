"""``vtbridge run`` as one of two computers: the key, and what to type on the other one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from vtbridge.app.remote import RemoteRenderer
    from vtbridge.config.schema import Config
    from vtbridge.remote.key import RemoteKey


def run_tracker(settings: Config, *, seconds: float | None, new_key: bool) -> None:
    """Track for the other computer until Ctrl-C, or for ``seconds``.

    Raises:
        VtbridgeError: there is no key, or something could not be opened.
    """
    import asyncio

    from vtbridge.app.remote_tracker import RemoteTracker
    from vtbridge.cli.run import on_key

    tracker = RemoteTracker(settings, tracker_key(ask=new_key))

    def greet(url: str) -> None:
        del url  # its page would show no picture
        typer.echo(f"tracking for {settings.remote.renderer}", err=True)
        if sys.stdin.isatty():
            typer.echo("press c and Enter to calibrate, Ctrl-C to stop", err=True)
            on_key("c", tracker.calibrate)

    asyncio.run(tracker.run(seconds=seconds, on_ready=greet))


def tracker_key(*, ask: bool) -> RemoteKey:
    """Return the key that is kept here; where there is none, or with ``ask``, let it be typed.

    Raises:
        ConfigError: nobody is there to type it, or it is none.
    """
    from vtbridge.errors import ConfigError
    from vtbridge.remote.key import ENVIRONMENT_VARIABLE, find_key, keep_key, parse_key

    key = None if ask else find_key()
    if key is not None:
        return key
    if not sys.stdin.isatty():
        raise ConfigError(
            "there is no key yet: run this once in a terminal and type what the renderer shows, "
            f"or put it into {ENVIRONMENT_VARIABLE}"
        )
    key = parse_key(typer.prompt("The key that the other computer shows", err=True))
    keep_key(key)
    return key


def renderer_key(*, new: bool) -> RemoteKey:
    """Return the key that is kept here, a new one where there is none or ``new`` is wanted.

    Raises:
        VtbridgeError: the file holds none, or cannot be written.
    """
    from vtbridge.remote.key import find_key, keep_key, new_key

    key = None if new else find_key()
    if key is None:
        key = new_key()
        keep_key(key)
    return key


def invitation(key: RemoteKey, remote: RemoteRenderer, *, show_key: bool) -> str:
    """Return what to type on the other computer.

    Args:
        key: what both share.
        remote: this computer's end, open.
        show_key: whether a person reads this; a log must not hold the key.
    """
    from vtbridge.app.remote import own_address
    from vtbridge.remote.key import key_file
    from vtbridge.remote.settings import DEFAULT_PORT

    behind = "" if remote.port == DEFAULT_PORT else f":{remote.port}"
    secret = key.text if show_key else f"in {key_file()}"
    return (
        f"on the other computer: vtbridge run --role tracker --renderer {own_address()}{behind}\n"
        f"its key: {secret}"
    )
