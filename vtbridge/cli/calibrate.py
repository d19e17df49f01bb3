"""``vtbridge calibrate``: tell the running daemon that the face is neutral now."""

from __future__ import annotations

from typing import Annotated

import typer

from vtbridge.cli.run import ConfigOption


def calibrate(
    config: ConfigOption = None,
    port: Annotated[
        int | None, typer.Option(help="The daemon's OSC port.", show_default="from config.toml")
    ] = None,
) -> None:
    """Take your face as it is for the next second as the neutral one.

    Look straight ahead, relaxed, mouth closed. The same happens on the page's button,
    on c and Enter in the daemon's terminal, and on OSC /vtbridge/calibrate.

    [bold]Example[/bold]

      vtbridge calibrate
    """
    from pythonosc.udp_client import SimpleUDPClient

    from vtbridge.config.load import load_config

    settings = load_config(config).control
    SimpleUDPClient("127.0.0.1", port or settings.osc_port).send_message("/vtbridge/calibrate", 1)
    typer.echo("asked the daemon to calibrate: hold still for a second")
