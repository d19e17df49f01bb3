"""``vtbridge calibrate``: tell the running daemon that the face is neutral now."""

from __future__ import annotations

from typing import Annotated

import typer

from vtbridge.cli.run import ConfigOption

_TIMEOUT_S = 5.0


def calibrate(
    name: Annotated[
        str | None, typer.Argument(help="The avatar.", show_default="from config.toml")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Take your face as it is for the next second as the neutral one.

    Look straight ahead, relaxed, mouth closed. The same happens on the page's button,
    on c and Enter in the daemon's terminal, and on OSC /vtbridge/calibrate.

    [bold]Examples[/bold]

      vtbridge calibrate

      vtbridge calibrate stream                the avatar that runs as "stream"
    """
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    from vtbridge.config.load import load_config
    from vtbridge.control.address import read_address
    from vtbridge.errors import VtbridgeError

    name = name or load_config(config).publish.name
    address = read_address(name)
    if address is None:
        raise VtbridgeError(f"no avatar {name!r} runs here; start it with: vtbridge run")
    request = Request(
        f"http://127.0.0.1:{address.port}/api/calibrate",
        data=b"{}",
        headers={
            "Authorization": f"Bearer {address.token}",
            "Content-Type": "application/json",
        },
        method="POST",
    )
    try:
        with urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - see above
            pass
    except (URLError, OSError) as error:
        raise VtbridgeError(
            f"the avatar {name!r} does not answer ({error}); is it still running?"
        ) from error
    typer.echo("hold still for a second")
