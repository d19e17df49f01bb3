"""What the benchmark and its workers tell each other: one line of JSON a message."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vtbridge.render.settings import RenderSettings


class Kind(StrEnum):
    """What a contender is."""

    POSER = "poser"
    """A poser of ours."""

    REFERENCE = "reference"
    """The author's code out of the wheel."""

    PLAIN = "plain"
    """The networks as they are, exported once and run by ONNX Runtime."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Job(_Message):
    """The first line a worker reads.

    Attributes:
        inputs: .npz with ``rgba`` uint8 [512, 512, 4] and ``poses`` float32 [N, 45].
        settings: how to render; all but our own posers take only the threads.
        kind: what to run.
        folder: of the unpacked wheel, or of the exported networks; for our own posers None.
        shown: file that gets each frame as premultiplied RGBA bytes; None writes none.
    """

    inputs: Path
    settings: RenderSettings
    kind: Kind = Kind.POSER
    folder: Path | None = None
    shown: Path | None = None


class Ready(_Message):
    """A worker's first answer: what it computes with, or why it cannot."""

    description: str = ""
    versions: dict[str, str] = {}
    problem: str = ""


class Turn(_Message):
    """A worker's answer to the index of a pose.

    Attributes:
        frame_ms: from the pose to the 8-bit frame, milliseconds.
        cpu_ms: time of the processor for it, all threads together.
        stages_ms: of it the stages that ran, by name.
        counters: of what was counted since the start, those of the caches.
        torch: whether torch is loaded.
        problem: why there is no frame, empty if there is one.
    """

    frame_ms: float = 0.0
    cpu_ms: float = 0.0
    stages_ms: dict[str, float] = {}
    counters: dict[str, int] = {}
    torch: bool = False
    problem: str = ""


class LiveJob(_Message):
    """The only line that a live worker reads.

    Attributes:
        inputs: .npz with ``rgba`` uint8 [512, 512, 4] and ``poses`` float32 [N, 45].
        settings: how to render; its quality is the best wanted.
        poses_fps: how many of the poses are a second.
        fps: of the display.
        seconds: how long to measure, after the start has settled.
        samples: how many frames are compared with exact ones.
    """

    inputs: Path
    settings: RenderSettings
    poses_fps: float
    fps: float
    seconds: float
    samples: int


class LiveNews(_Message):
    """A live worker's answers: how far it is, then once what came of it.

    Attributes:
        doing: what it does now.
        done: how much of it.
        total: of how much.
        problem: why nothing was measured, empty if there is no reason.
        result: the last answer; see ``live.LiveResult``.
    """

    doing: str = ""
    done: int = 0
    total: int = 0
    problem: str = ""
    result: dict[str, float | int | str | None] | None = None
