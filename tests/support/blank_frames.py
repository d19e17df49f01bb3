"""Live frames without networks."""

from __future__ import annotations

import numpy as np

from vtbridge.datatypes import F32Array, Frame
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.settings import Quality


class BlankFrames:
    """Live frames that need no networks."""

    fps = 30.0

    def __init__(self) -> None:
        self.quality = Quality.EXACT
        self.below_wanted = False
        self.trouble = ""
        self.wanted: list[Quality] = []
        self.closed = False

    def render(self, values: F32Array, t_ns: int) -> Frame:
        return Frame(np.zeros((8, 8, 4), np.uint8), t_ns)

    def note_beats(self, beats: int, missed: int) -> None:
        """Bear any load."""

    def set_quality(self, quality: Quality) -> None:
        self.wanted.append(quality)

    def status(self) -> LiveStatus:
        return LiveStatus(
            runtime="blank",
            quality=self.quality,
            fps=self.fps,
            fresh_fps=self.fps,
            networks_ms=0.0,
            added_delay_ms=0.0,
            below_wanted=self.below_wanted,
            failing=False,
            fallback=False,
            trouble=self.trouble,
        )

    def close(self) -> None:
        self.closed = True
