"""What the benchmark and its workers tell each other: one line of JSON a message."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vtbridge.render.settings import RenderSettings


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Job(_Message):
    """The first line a worker reads.

    Attributes:
        inputs: .npz with ``rgba`` uint8 [512, 512, 4] and ``poses`` float32 [N, 45].
        settings: how to render; the reference takes only the threads.
        reference: folder of the unpacked wheel; None runs vtbridge's own poser.
    """

    inputs: Path
    settings: RenderSettings
    reference: Path | None = None


class Ready(_Message):
    """A worker's first answer: what it computes with, or why it cannot."""

    description: str = ""
    versions: dict[str, str] = {}
    problem: str = ""


class Turn(_Message):
    """A worker's answer to the index of a pose.

    Attributes:
        frame_ms: from the pose to the 8-bit frame, milliseconds.
        stages_ms: of it the stages that ran, by name.
    """

    frame_ms: float
    stages_ms: dict[str, float] = {}
