"""A pose set by hand, shown in place of the face's until it is released."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array, Pose
from vtbridge.pose_schema import THA3, PoseSchema

FADE_S = 0.25
"""Seconds in which a held pose takes over, and the face again when it is released."""


class ManualPose:
    """Hold a pose against whatever the face does.

    ``hold``, ``release`` and ``held`` are safe from any thread; ``apply`` belongs to the
    render thread.

    Args:
        schema: of the poses.
    """

    def __init__(self, schema: PoseSchema = THA3) -> None:
        self._schema = schema
        self._lock = threading.Lock()
        self._values = schema.as_drawn.copy()
        self._holder: str | None = None
        self._share = 0.0
        self._seen_ns: int | None = None

    @property
    def held(self) -> bool:
        """True from ``hold`` to ``release``."""
        return self._holder is not None

    def hold(self, values: F32Array, holder: str) -> None:
        """Show float32 [schema.size] ``values``, clamped to their ranges, for ``holder``."""
        values = self._schema.clamp(values)
        with self._lock:
            self._values, self._holder = values, holder

    def release(self, holder: str | None = None) -> None:
        """Let the face move the character again, if ``holder`` (None = anybody) holds the pose."""
        with self._lock:
            if holder in (None, self._holder):
                self._holder = None

    def apply(self, pose: Pose, now_ns: int) -> Pose:
        """Return ``pose`` with the held one over it; once faded in it is shown to the bit."""
        elapsed_s = 0.0 if self._seen_ns is None else (now_ns - self._seen_ns) / NS_PER_S
        self._seen_ns = now_ns
        with self._lock:
            values, held = self._values, self._holder is not None
        step = elapsed_s / FADE_S
        self._share = min(1.0, self._share + step) if held else max(0.0, self._share - step)
        if self._share == 0.0:
            return pose
        if self._share == 1.0:
            return replace(pose, values=values.copy())
        eased = self._share * self._share * (3.0 - 2.0 * self._share)
        mixed = pose.values + np.float32(eased) * (values - pose.values)
        return replace(pose, values=mixed)
