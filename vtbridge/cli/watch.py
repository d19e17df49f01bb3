"""``vtbridge watch``: see what a running avatar publishes, as any reader would."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vtbridge.app.preparation_watch import PreparationWatch
    from vtbridge.clock import Clock
    from vtbridge.datatypes import FrameFlag, U8Array
    from vtbridge.publish.vtbf import FrameReader, HealthFlag, ReceivedFrame

_REPORT_EVERY_S = 0.25
_RATE_WINDOW_S = 1.0


def watch(
    name: Annotated[
        str, typer.Argument(help="Name of the avatar ([publish] name in config.toml).")
    ] = "vtbridge",
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", "-s", min=0.0, help="Stop after this long; else at Ctrl-C."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a report on stdout.")
    ] = False,
    png: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Save one frame as PNG (straight alpha) and leave."),
    ] = None,
) -> None:
    """Show rate, age and health of the frames that an avatar publishes.

    "torn" counts copies that the reader's check threw away; none of them is ever shown.

    [bold]Examples[/bold]

    vtbridge watch                       the avatar "vtbridge", until Ctrl-C

    vtbridge watch cat --seconds 10 --json

    vtbridge watch --png avatar.png      what OBS sees now
    """
    from vtbridge.clock import MonotonicClock
    from vtbridge.publish.vtbf import FrameReader

    clock = MonotonicClock()
    with FrameReader.attach(name) as reader:
        if png is None:
            _follow(name, reader, clock, seconds, as_json=as_json)
        else:
            _save_one(reader, png, 5.0 if seconds is None else seconds, as_json=as_json)


class _Watched:
    """What was seen so far, and the figures made of it."""

    def __init__(self, reader: FrameReader, clock: Clock, preparation: PreparationWatch) -> None:
        self.frames = 0
        self.seen = 0
        self._preparation = preparation
        self._reader = reader
        self._clock = clock
        self._last: ReceivedFrame | None = None
        self._age_ns = 0
        self._arrivals_ns: deque[int] = deque()

    def take(self, timeout_s: float) -> None:
        """Wait for one frame."""
        frame = self._reader.read_newer(self.seen, timeout_s=timeout_s)
        now_ns = self._clock.now_ns()
        if frame is not None:
            self.frames += 1
            self.seen = frame.frame_no
            self._last = frame
            self._age_ns = now_ns - frame.t_capture_ns
            self._arrivals_ns.append(now_ns)
        while self._arrivals_ns and self._arrivals_ns[0] < now_ns - _RATE_WINDOW_S * 1e9:
            self._arrivals_ns.popleft()

    def report(self) -> dict[str, Any]:
        """Return the figures; ages are milliseconds from the face data to this reader."""
        status = self._reader.status()
        last = self._last
        span_ns = self._arrivals_ns[-1] - self._arrivals_ns[0] if self._arrivals_ns else 0
        return {
            "liveness": self._reader.liveness().value,
            "fps": round((len(self._arrivals_ns) - 1) * 1e9 / span_ns, 2) if span_ns else 0.0,
            "age_ms": None if last is None else round(self._age_ns / 1e6, 2),
            "width": 0 if last is None else last.rgba.shape[1],
            "height": 0 if last is None else last.rgba.shape[0],
            "frames": self.frames,
            "frame_no": self.seen,
            "flags": [] if last is None else _flag_names(last.flags),
            "torn": self._reader.torn,
            "reopened": self._reader.reopened,
            "epoch": 0 if status is None else status.epoch,
            "writer_pid": 0 if status is None else status.writer_pid,
            "nominal_fps": 0.0 if status is None else status.nominal_fps,
            "health": [] if status is None else _flag_names(status.health),
            "preparation": self._preparation.newest,
        }


def _follow(
    name: str, reader: FrameReader, clock: Clock, seconds: float | None, *, as_json: bool
) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from vtbridge.app.onlooker import Onlooker
    from vtbridge.app.preparation_watch import PreparationWatch

    onlooker = Onlooker(name)
    preparation = PreparationWatch(name)
    watched = _Watched(reader, clock, preparation)
    live = Live(console=Console(stderr=True), auto_refresh=False)
    start_ns = clock.now_ns()
    end_ns = None if seconds is None else start_ns + round(seconds * 1e9)
    next_report_ns = start_ns + round(_REPORT_EVERY_S * 1e9)

    def show() -> None:
        report = watched.report()
        if as_json:
            typer.echo(json.dumps(report))
        else:
            live.update(Text(_line(report)), refresh=True)

    onlooker.start()
    preparation.start()
    try:
        if not as_json:
            live.start()
        while end_ns is None or clock.now_ns() < end_ns:
            until_ns = next_report_ns if end_ns is None else min(next_report_ns, end_ns)
            watched.take(max(0.0, (until_ns - clock.now_ns()) / 1e9))
            now_ns = clock.now_ns()
            if now_ns >= next_report_ns:
                show()
                next_report_ns = now_ns + round(_REPORT_EVERY_S * 1e9)
        show()
    except KeyboardInterrupt:
        show()
    finally:
        onlooker.stop(timeout_s=0.0)
        preparation.stop(timeout_s=0.0)
        if not as_json:
            live.stop()


def _save_one(reader: FrameReader, png: Path, timeout_s: float, *, as_json: bool) -> None:
    from PIL import Image

    from vtbridge.errors import FrameTransportError, VtbridgeError
    from vtbridge.publish.vtbf import AlphaMode

    frame = reader.read_newer(0, timeout_s=timeout_s)
    if frame is None:
        raise FrameTransportError(
            f"{reader.path} held no frame within {timeout_s:g} s (writer {reader.liveness().value})"
            "; see what the daemon says"
        )
    rgba = frame.rgba
    if frame.alpha_mode is AlphaMode.PREMULTIPLIED:
        rgba = _straight_from_premultiplied(rgba)
    elif frame.alpha_mode is AlphaMode.OPAQUE:
        rgba = rgba.copy()
        rgba[..., 3] = 255
    try:
        Image.fromarray(rgba).save(png, format="PNG")
    except OSError as error:
        raise VtbridgeError(
            f"{png} cannot be written: {error.strerror or error}; choose another file"
        ) from error
    height, width = rgba.shape[:2]
    if as_json:
        typer.echo(
            json.dumps(
                {"png": str(png), "frame_no": frame.frame_no, "width": width, "height": height}
            )
        )
    else:
        typer.echo(f"frame {frame.frame_no} ({width}x{height}) saved as {png}", err=True)


def _straight_from_premultiplied(rgba: U8Array) -> U8Array:
    """Return uint8 [H, W, 4] divided by its alpha, rounded; 0 where alpha is 0."""
    import numpy as np

    alpha = rgba[..., 3:].astype(np.uint16)
    colours = (rgba[..., :3].astype(np.uint16) * 255 + alpha // 2) // np.maximum(alpha, 1)
    straight = np.minimum(colours, 255) * (alpha > 0)
    return np.concatenate([straight.astype(np.uint8), rgba[..., 3:]], axis=2)


def _flag_names(flags: FrameFlag | HealthFlag) -> list[str]:
    return [str(flag.name).lower() for flag in flags if flag.name]


def _health_text(flags: list[str]) -> str:
    """Return what is wrong; the flag ``ready`` is the only good one, and it may be missing."""
    troubles = [flag for flag in flags if flag != "ready"]
    if "ready" not in flags:
        troubles.insert(0, "not ready")
    return ", ".join(troubles) or "fine"


def _line(report: dict[str, Any]) -> str:

    age = "-" if report["age_ms"] is None else f"{report['age_ms']:.1f} ms"
    parts = [
        report["liveness"],
        f"{report['fps']:5.1f} fps of {report['nominal_fps']:g}",
        f"age {age}",
        f"{report['width']}x{report['height']}",
        f"frames {report['frames']}",
        f"torn {report['torn']}",
        f"health {_health_text(report['health'])}",
    ]
    if report["flags"]:
        parts.append(", ".join(report["flags"]))
    preparation = (report["preparation"] or {}).get("text", "")
    if preparation:
        parts.append(preparation)
    return "  ".join(parts)
