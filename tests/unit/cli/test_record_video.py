"""``vtbridge record --video`` says how far it is, what was lost, and whether anybody is there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from vtbridge.app.video_recorder import VideoRecorder
from vtbridge.cli.record_video import progress_line


def line(**state: object) -> str:
    recorder = {
        "frames": 700,
        "pictures": 738,
        "seconds": 12.3,
        "bytes_written": 8 << 20,
        "missed": 1,
        "dropped": 2,
        "away": False,
    }
    return progress_line(
        cast("VideoRecorder", SimpleNamespace(**(recorder | state))), Path("out.webm"), 59.6
    )


def test_line_tells_length_pictures_size_and_losses() -> None:
    assert line() == "out.webm: 12 s, 738 frames (60 a second), 8.0 MiB, 3 lost"


def test_line_says_what_is_waited_for() -> None:
    assert line(frames=0) == "out.webm: waiting for the avatar's first frame"
    assert line(away=True).endswith("the avatar is away: its last frame is held until it is back")
