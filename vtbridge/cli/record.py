"""``vtbridge record``: what the trackers send, into a file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vtbridge.cli.run import ConfigOption, NameOption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType

    from vtbridge.tracking.source_status import SourceStatus

_REFRESH_S = 0.25
_PATIENCE_S = 5.0


def record(
    file: Annotated[
        Path,
        typer.Argument(
            help="The file to make, such as bug.vtbrec; bug.vtbrec.gz is packed.",
            show_default=False,
        ),
    ],
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop by itself after this long.")
    ] = None,
    config: ConfigOption = None,
    name: NameOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Record what your trackers send, until Ctrl-C: a bug report, or a performance to keep.

    The file holds datagrams (of webcam and microphone the faces, no picture and no sound),
    your neutral face and those settings that poses depend on. It names its sources: the
    addresses of senders, the microphone, a video's file name. Nobody else on this computer
    may read it. Play it with [bold]vtbridge replay[/bold]. While the avatar runs, it has the
    ports: record there, with [bold]vtbridge run --record FILE[/bold].

    [bold]Examples[/bold]

      vtbridge record bug.vtbrec

      vtbridge record take1.vtbrec.gz --seconds 60
    """
    import sys

    from rich.console import Console
    from rich.live import Live

    from vtbridge.app.recorder import RecordingSession
    from vtbridge.cli.logs import set_up_logging
    from vtbridge.cli.run import with_options
    from vtbridge.clock import MonotonicClock
    from vtbridge.config.load import load_config
    from vtbridge.errors import VtbridgeError

    set_up_logging(verbose=verbose)
    settings = with_options(load_config(config), picture=None, name=name, fps=None)
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
