"""``vtbridge record``: what the trackers send, or what the avatar shows, into a file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli.run import ConfigOption, NameOption
from vtbridge.video.live_formats import VideoCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType

    from vtbridge.config.schema import Config
    from vtbridge.tracking.source_status import SourceStatus

_REFRESH_S = 0.25
_PATIENCE_S = 5.0


def record(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="What trackers send: such as bug.vtbrec; bug.vtbrec.gz is packed.",
            show_default=False,
        ),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT.webm|OUT.mov|DIR",
            help="What the running avatar shows, with alpha; a folder gets PNG files.",
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=240,
            help="Of --video: this many pictures a second, evenly.",
            show_default="each frame at its own time",
        ),
    ] = None,
    codec: Annotated[
        VideoCodec | None,
        typer.Option(
            help="Of --video: prores makes a .mov ProRes 4444, for a fast machine.",
            show_default="by the suffix: vp9, animation, png",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop by itself after this long.")
    ] = None,
    config: ConfigOption = None,
    name: NameOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Record what your trackers send, or with --video what your avatar shows, until Ctrl-C.

    [bold]FILE[/bold] is for a bug report, or a performance to keep: datagrams (of webcam and
    microphone the faces, no picture and no sound), your neutral face and those settings that
    poses depend on. It names its sources: the addresses of senders, the microphone, a video's
    file name. Nobody else on this computer may read it. Play it with
    [bold]vtbridge replay[/bold]. While the avatar runs, it has the ports: record there, with
    [bold]vtbridge run --record FILE[/bold].

    [bold]--video[/bold] records beside the running avatar, transparent, without sound. It only
    looks on: a slow or full disk costs frames of the recording, never of the stream.

    [bold]Examples[/bold]

      vtbridge record bug.vtbrec

      vtbridge record take1.vtbrec.gz --seconds 60

      vtbridge record --video clip.webm            for browsers

      vtbridge record --video clip.mov             lossless, for editing programs

      vtbridge record --video frames --fps 30      PNG files
    """
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.run import with_options
    from vtbridge.config.load import load_config
    from vtbridge.errors import ConfigError

    if video is None and (fps is not None or codec is not None):
        raise ConfigError("--fps and --codec are for --video OUT.webm, OUT.mov or DIR: add it")
    if file is not None and video is not None:
        raise ConfigError(
            f"{file} and --video are two recordings, for the avatar that is seen has the "
            f"trackers: start it with vtbridge run --record {file}, and beside it record --video "
            f"{video}"
        )
    set_up_logging(verbose=verbose)
    settings = with_options(load_config(config), picture=None, name=name, fps=None)
    if video is not None:
        from vtbridge.cli.record_video import record_video

        avatar = settings.publish.name
        record_video(video, avatar, codec=codec, fps=fps, seconds=seconds)
    elif file is not None:
        _record_trackers(file, settings, seconds)
    else:
        raise ConfigError(
            "nothing to record: name FILE.vtbrec for what the trackers send, or --video OUT.webm "
            "for what the avatar shows"
        )


def _record_trackers(file: Path, settings: Config, seconds: float | None) -> None:
    import sys

    from rich.console import Console
    from rich.live import Live

    from vtbridge.app.recorder import RecordingSession
    from vtbridge.clock import MonotonicClock
    from vtbridge.errors import VtbridgeError

    session = RecordingSession(file, settings, MonotonicClock())
    writer = session.writer
    with until_signalled(session.stop), session:
        typer.echo(f"recording to {file}, Ctrl-C to stop", err=True)
        with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
            is_told = False
            while session.wait(_REFRESH_S, seconds):
                silent = not (writer.records or writer.lost)
                if silent and not is_told and session.seconds >= _PATIENCE_S:
                    is_told = True
                    live.console.print("nothing yet: see `vtbridge trackers --addresses`")
                if sys.stderr.isatty():
                    title = f"{file}: {size_for_people(writer.size)}, {session.seconds:.0f} s"
                    live.update(table_of_sources(session.status(), title), refresh=True)
        lasted_s = session.seconds
    if not (writer.records or writer.lost):
        raise VtbridgeError(
            f"nothing came in {lasted_s:.1f} s, so that there is no {file}; see what is wrong "
            "with: vtbridge doctor"
        )
    if writer.trouble:
        raise VtbridgeError(f"{file} ends early: {writer.trouble}; make room and record again")


@contextlib.contextmanager
def until_signalled(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on SIGINT and SIGTERM within the body; a second one ends the process."""
    import signal

    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop_once(number: int, frame: object) -> None:
        del frame
        signal.signal(number, former[signal.Signals(number)])
        stop()

    for number in former:
        signal.signal(number, stop_once)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def table_of_sources(sources: Sequence[SourceStatus], title: str) -> RenderableType:
    """Return what each source is doing, for a terminal."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for header in ("source", "where", "state", "fps", "packets"):
        table.add_column(header)
    for source in sources:
        table.add_row(
            source.source,
            source.place,
            source.trouble or source.state.value,
            f"{source.fps:.0f}" if source.fps else "",
            str(source.packets) if source.packets else "",
        )
    return table


def size_for_people(size: int) -> str:
    """Return ``size`` bytes in KiB or MiB."""
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
