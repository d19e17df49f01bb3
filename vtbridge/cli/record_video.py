"""``vtbridge record --video``: what the avatar shows, into a file."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from vtbridge.app.video_recorder import VideoRecorder
    from vtbridge.clock import Clock
    from vtbridge.video.live_formats import VideoCodec

_REFRESH_S = 0.25
_LINE_EVERY_S = 30.0
_POLITENESS = 5
"""Added to the process's niceness: a busy machine shall cost frames here, not the stream."""


def record_video(
    target: Path,
    avatar: str,
    *,
    codec: VideoCodec | None,
    fps: float | None,
    seconds: float | None,
) -> None:
    """Record what ``avatar`` shows into ``target`` until Ctrl-C or for ``seconds``.

    Raises:
        VtbridgeError: it cannot begin, or it ended early; then what is there can be played.
    """
    from vtbridge.app.onlooker import Onlooker
    from vtbridge.app.video_recorder import open_video_recorder
    from vtbridge.cli.record import size_for_people, until_signalled
    from vtbridge.clock import MonotonicClock
    from vtbridge.errors import VtbridgeError
    from vtbridge.video.live_formats import live_format_of

    output = live_format_of(target, codec)
    clock = MonotonicClock()
    recorder = open_video_recorder(avatar, target, output, clock, fps=fps)
    with contextlib.suppress(OSError, AttributeError):  # Windows has none
        os.nice(_POLITENESS)
    stopped = threading.Event()
    with until_signalled(stopped.set):
        typer.echo(f"recording {avatar!r} to {target}, Ctrl-C to stop", err=True)
        onlooker = Onlooker(avatar)
        onlooker.start()
        recorder.start()
        try:
            _follow(recorder, target, clock, stopped, seconds)
        finally:
            onlooker.stop(timeout_s=0.0)
            ended = recorder.stop()
    if recorder.frames == 0 and not recorder.trouble:
        raise VtbridgeError(
            f"the avatar {avatar!r} showed no frame, so that there is no {target}; see what it "
            "is doing with: vtbridge watch"
        )
    if recorder.size is not None:
        width, height = recorder.size
        typer.echo(
            f"{target}: {recorder.pictures} frames in {recorder.seconds:.1f} s, {width}x{height}, "
            f"{output.title}, {size_for_people(recorder.bytes_written)}",
            err=True,
        )
    if recorder.rescaled:
        typer.echo(f"{recorder.rescaled} frames of another size were scaled to this one", err=True)
    if recorder.dropped:
        typer.echo(
            f"{recorder.dropped} frames were left out: encoder or disk were too slow; --fps 30 "
            "halves the work, and .mov (Animation) is the least",
            err=True,
        )
    if recorder.missed:
        typer.echo(
            f"{recorder.missed} frames were missed: the machine was too busy to look", err=True
        )
    if recorder.trouble:
        left = " (what is there can be played)" if recorder.bytes_written else ""
        raise VtbridgeError(
            f"{target} ends early{left}: {recorder.trouble}; make room or see `vtbridge watch`, "
            "then record again"
        )
    if recorder.failure is not None or not ended:
        raise VtbridgeError(
            f"{target} was not ended as it should: {recorder.failure or 'the disk hangs'}; what is "
            "there can be played up to its last seconds"
        )


def progress_line(recorder: VideoRecorder, target: Path, fps: float) -> str:
    """Return how far a recording is: length, frames, size, losses."""
    from vtbridge.cli.record import size_for_people

    if not recorder.frames:
        return f"{target}: waiting for the avatar's first frame"
    parts = [
        f"{target}: {recorder.seconds:.0f} s",
        f"{recorder.pictures} frames ({fps:.0f} a second)",
        size_for_people(recorder.bytes_written),
        f"{recorder.dropped + recorder.missed} lost",
    ]
    if recorder.away:
        parts.append("the avatar is away: its last frame is held until it is back")
    return ", ".join(parts)


def _follow(
    recorder: VideoRecorder,
    target: Path,
    clock: Clock,
    stopped: threading.Event,
    seconds: float | None,
) -> None:
    """Tell how far it is until it is to end; ``seconds`` count from the first frame."""
    import sys

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from vtbridge.clock import NS_PER_S

    live = Live(console=Console(stderr=True), transient=True, auto_refresh=False)
    show: Callable[[str], object] = lambda line: live.update(Text(line), refresh=True)  # noqa: E731
    every_ns = 0
    if not sys.stderr.isatty():
        show, every_ns = (lambda line: typer.echo(line, err=True)), round(_LINE_EVERY_S * NS_PER_S)
    with live if sys.stderr.isatty() else contextlib.nullcontext():
        origin_ns = shown_ns = clock.now_ns()
        has_begun, pictures, fps = False, 0, 0.0
        left_s = _REFRESH_S
        while recorder.alive and not stopped.wait(min(left_s, _REFRESH_S)):
            now_ns = clock.now_ns()
            if recorder.frames and not has_begun:
                has_begun, origin_ns = True, now_ns - round(recorder.seconds * NS_PER_S)
            if seconds is not None:
                left_s = seconds - (now_ns - origin_ns) / NS_PER_S
                if left_s <= 0:
                    return
            if now_ns - shown_ns >= max(every_ns, NS_PER_S):
                fps = (recorder.pictures - pictures) * NS_PER_S / (now_ns - shown_ns)
                pictures, shown_ns = recorder.pictures, now_ns
                show(progress_line(recorder, target, fps))
