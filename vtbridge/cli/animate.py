"""``vtbridge animate``: a video of a face becomes a video of the character."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.app.animate.zoom import Zoom
from vtbridge.cli.main import INTERRUPTED
from vtbridge.cli.run import ConfigOption
from vtbridge.video.formats import FormatName, Quality

if TYPE_CHECKING:
    from vtbridge.app.animate.job import Outcome
    from vtbridge.app.animate.request import Request


def animate(
    video: Annotated[Path, typer.Argument(help="A video of a face.")],
    character: Annotated[
        str | None,
        typer.Option(
            "--character",
            "-p",
            help="A picture's path, or a built-in name.",
            show_default="your config.toml's",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="FILE.mp4, FILE.webm, FILE.mov, or a FOLDER for PNG files."
        ),
    ] = None,
    output_format: Annotated[
        FormatName | None,
        typer.Option("--format", help="What to write.", show_default="by the output's name"),
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="SIDE|WxH", help="Pixels of the part with the character.")
    ] = "512",
    zoom: Annotated[Zoom, typer.Option(help="How near the character is shown.")] = Zoom.FULL,
    background: Annotated[
        str | None,
        typer.Option(
            metavar="COLOUR|PICTURE",
            help="What is behind the character.",
            show_default="transparent; light grey in .mp4",
        ),
    ] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Show the video beside the character.")
    ] = False,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Begin here, such as 83.5 or 1:23.5.")
    ] = "0",
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="End before this.", show_default="the end"),
    ] = None,
    quality: Annotated[
        Quality, typer.Option(help="How much of the picture the encoder keeps.")
    ] = Quality.GOOD,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate/--no-calibrate",
            help="Take the face that the video comes back to for neutral.",
        ),
    ] = True,
    poses_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the poses as JSON, for `vtbridge pose --poses`."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what an unfinished run left.")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=256,
            help="Threads on a CPU; 0 uses every core.",
            show_default="your config.toml's",
        ),
    ] = None,
    config: ConfigOption = None,
    json: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,
) -> None:
    """Turn a video of a face into a video of the character.

    Every picture becomes one of the character, at the same time, with the same sound.
    Transparency is kept in .webm (VP9), .mov (ProRes 4444) and PNG files.

    Ctrl-C, a crash or a power cut lose a few seconds of video: the same command goes on
    where it stopped. Until the output is whole, its parts lie in OUTPUT.unfinished.

    [bold]Examples[/bold]

      vtbridge animate me.mp4 -o anime.mp4                    your character, on grey

      vtbridge animate me.mp4 -p me.png -o anime.webm         transparent, for OBS and browsers

      vtbridge animate me.mp4 -o key.mp4 --background '#00ff00' --size 1920x1080

      vtbridge animate me.mp4 -o face.mp4 --zoom face         fills the picture with the face

      vtbridge animate me.mp4 -o frames --from 1:05 --to 1:15     000000.png, 000001.png, ...

      vtbridge animate me.mp4 --poses-out poses.json          only the poses
    """
    import json as json_format
    from dataclasses import asdict

    from vtbridge.app.animate.canvas import parse_size
    from vtbridge.app.animate.faces import Span
    from vtbridge.app.animate.job import animate as run_job
    from vtbridge.app.animate.request import Request, check_weights, parse_time
    from vtbridge.app.characters import open_picture, with_character
    from vtbridge.app.face_tracker import open_face_tracker
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.progress import shown_progress
    from vtbridge.clock import MonotonicClock
    from vtbridge.config.load import load_config
    from vtbridge.render.settings import Quality
    from vtbridge.render.tha3 import open_poser
    from vtbridge.render.weights import WeightStore
    from vtbridge.telemetry import Telemetry

    set_up_logging()
    settings = load_config(config)
    # Nobody waits for a frame of a video, so whatever the stream makes do with, it is exact.
    changes: dict[str, object] = {"quality": Quality.EXACT}
    if threads is not None:
        changes["threads"] = threads
    render = settings.render.model_copy(update=changes)
    settings = settings.model_copy(update={"render": render})
    request = Request(
        video=video,
        output=output,
        poses_out=poses_out,
        format=output_format,
        size=parse_size(size),
        zoom=zoom,
        background=background,
        side_by_side=side_by_side,
        span=Span(parse_time(start), None if end is None else parse_time(end)),
        quality=quality,
        calibrate=calibrate,
        force=force,
        restart=restart,
    )
    if character is not None:
        avatar = settings.avatar.model_copy(update={"picture": character})
        settings = settings.model_copy(update={"avatar": avatar})
    settings = with_character(settings)
    picture = open_picture(settings.avatar.picture)
    check_weights(request, settings, WeightStore())
    started_s = time.monotonic()
    try:
        with shown_progress(MonotonicClock()) as progress:
            outcome = run_job(
                request,
                picture,
                settings,
                open_tracker=open_face_tracker,
                open_poser=lambda: open_poser(settings.render, Telemetry()),
                progress=progress,
            )
    except KeyboardInterrupt:
        typer.echo("stopped: the same command goes on from here", err=True)
        raise typer.Exit(INTERRUPTED) from None
    took_s = time.monotonic() - started_s
    if json:
        typer.echo(json_format.dumps({**asdict(outcome), "took_s": round(took_s, 2)}))
        return
    typer.echo(summary(request, outcome, took_s), err=True)
    if output is not None and picture.credit:
        typer.echo(picture.credit, err=True)


def summary(request: Request, outcome: Outcome, took_s: float) -> str:
    """Return what was done, in a line or two."""
    written = [str(path) for path in (request.output, request.poses_out) if path is not None]
    parts = [
        f"{outcome.pictures} pictures, {outcome.seconds:.2f} s at {outcome.fps:.5g} a second",
        *([outcome.sound] if outcome.sound else []),
        f"done in {took_s:.0f} s",
    ]
    if outcome.drawn:
        parts.append(f"{outcome.drawn} drawn by {outcome.runtime}")
    lines = [f"{' and '.join(written)}: {', '.join(parts)}"]
    if outcome.faces < outcome.pictures:
        lines.append(
            f"a face was seen in {outcome.faces} of {outcome.pictures} pictures; in the others the "
            "character idles"
        )
    return "\n".join(lines)
