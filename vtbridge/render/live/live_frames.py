"""What makes frames for the display, beat by beat."""

from __future__ import annotations

from typing import Protocol

from vtbridge.datatypes import F32Array, Frame
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.settings import Quality


class LiveFrames(Protocol):
    """What the render loop shows; ``LivePoser``, ``BakedLive`` and ``CrossingLive`` are such."""

    @property
    def fps(self) -> float:
        """Beats a second that the machine can bear."""

    def render(self, values: F32Array, t_ns: int) -> Frame | None:
        """Return the frame of this beat at once, valid until the next call; None before any."""

    def set_quality(self, quality: Quality) -> None:
        """Want another best quality; safe from any thread."""

    def note_beats(self, beats: int, missed: int) -> None:
        """Note ``beats`` deadlines since the last call, of which ``missed`` were missed."""

    def status(self) -> LiveStatus:
        """Return how frames are made just now; safe from any thread."""

    def close(self) -> None:
        """Give back what is held; may be called twice."""
