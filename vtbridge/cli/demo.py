"""``vtbridge demo``: the whole way on the built-in performance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli.run import (
    ConfigOption,
    FpsOption,
    NameOption,
    PictureOption,
    QualityOption,
    WeightsOption,
)

if TYPE_CHECKING:
    from vtbridge.app.status import RunSummary


def demo(
    config: ConfigOption = None,
    picture: PictureOption = None,
    name: NameOption = None,
    fps: FpsOption = None,
    quality: QualityOption = None,
    weights: WeightsOption = None,
    headless: Annotated[bool, typer.Option(help="Open no browser.")] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop by itself after this long.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="End with one line of JSON: frames, fps, latencies.")
    ] = False,
) -> None:
    """Show the avatar performing by itself: no tracker, no OBS needed.

    Fetches the network weights on the first run, then opens a live preview in the browser.
    The frames also go to shared memory, so OBS can show them.

    [bold]Examples[/bold]

      vtbridge demo

      vtbridge demo --picture lambda           the networks' author's own character

      vtbridge demo --weights vtbridge-v1      our own small networks, nothing to download

      vtbridge demo --headless --seconds 10 --json
    """
    import asyncio

    from vtbridge.app.characters import with_character
    from vtbridge.app.session import demo_daemon
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.run import with_options
    from vtbridge.cli.studio import open_browser
    from vtbridge.config.load import load_config

    set_up_logging()
    settings = with_character(
        with_options(
            load_config(config),
            picture=picture,
            name=name,
            fps=fps,
            quality=quality,
            weights=weights,
        )
    )
    fetch_missing_weights(settings.render.weights)
    daemon = demo_daemon(settings)

    def greet(url: str) -> None:
        typer.echo(f"preview: {url}", err=True)
        if not headless:
            open_browser(url)

    summary = asyncio.run(daemon.run(seconds=seconds, on_ready=greet))
    if json:
        typer.echo(json_line(summary))
    else:
        typer.echo(
            f"{summary.frames} frames in {summary.seconds:.1f} s: {summary.fps:.1f} a second"
            f" ({summary.runtime}, {summary.quality}; {summary.fresh_fps:.1f} computed a second,"
            f" {summary.dropped} of {summary.beats} deadlines missed)",
            err=True,
        )


def fetch_missing_weights(name: str) -> None:
    """Fetch the weights called ``name`` and the demo's character unless they are there.

    Raises:
        WeightsError: they cannot be had.
    """
    import contextlib
    import sys

    from vtbridge.cli.weights import pull
    from vtbridge.render.weights.store import WeightStore

    if not WeightStore().is_ready(name):
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for --json alone
            pull(name)


def json_line(summary: RunSummary) -> str:
    """Return what a run came to as one line of JSON."""
    from dataclasses import asdict
    from json import dumps

    return dumps({**asdict(summary), "fps": round(summary.fps, 2)}, separators=(", ", ": "))
