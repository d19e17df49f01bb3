"""Poses of another computer at any moment, and what a computer sends of its own."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Pose
from vtbridge.pose_params import POSE_SIZE
from vtbridge.pose_schema import THA3
from vtbridge.remote.playout import Playout
from vtbridge.remote.wire import PoseMessage
from vtbridge.retarget.dropout import Presence, ease
from vtbridge.retarget.settings import DropoutSettings
from vtbridge.tracking.arkit import ARKIT_NAMES

F64Array = NDArray[np.float64]

_NEW_AFTER_NS = 2 * NS_PER_S
_PRESENCE = POSE_SIZE
_COVERAGE = slice(POSE_SIZE + 1, 2 * POSE_SIZE + 1)


class RemotePoses:
    """Poses of the other computer at any moment, as a retargeter gives them of faces.

    One thread adds, another asks.

    Args:
        dropout: what becomes of the pose while nothing comes.
        max_delay_s: the longest that poses are held back.
        on_silence: called, by whoever asks for poses, each time that the other computer is lost.
    """

    def __init__(
        self,
        dropout: DropoutSettings,
        max_delay_s: float,
        *,
        on_silence: Callable[[], None] = lambda: None,
    ) -> None:
        self._recover_s = dropout.recover_s
        self._max_delay_s = max_delay_s
        self._lock = threading.Lock()
        self._on_silence = on_silence
        self._silent = True
        self._alive = Presence(dropout)
        self._playout = Playout(max_delay_s)
        self._arrival_ns: int | None = None
        self._newest: PoseMessage | None = None
        self._newest_sent_ns = 0
        self._late = 0
        self._eases_from_shown = False
        self._shown: F64Array | None = None
        self._shown_presence = 0.0
        self._offset: F64Array | None = None
        self._offset_ns = 0

    @property
    def delay_ms(self) -> float:
        """How long poses are held back now."""
        with self._lock:
            return self._playout.delay_ms

    @property
    def late(self) -> int:
        """Poses that came too late to be shown."""
        with self._lock:
            return self._late + self._playout.late

    def add(self, message: PoseMessage, sent_ns: int, arrival_ns: int, *, begun: bool) -> bool:
        """Take a pose, and return whether it is the newest.

        Args:
            message: what came.
            sent_ns: when it left, by the tracker's clock.
            arrival_ns: when it came.
            begun: whether another session begins with it, of another clock perhaps.
        """
        coverage = np.ones(POSE_SIZE) if message.coverage is None else message.coverage
        vector = np.concatenate([message.values, [message.presence], coverage]).astype(np.float64)
        with self._lock:
            silent = self._arrival_ns is None or arrival_ns - self._arrival_ns > _NEW_AFTER_NS
            if begun or silent:
                self._late += self._playout.late
                self._playout = Playout(self._max_delay_s)
                self._newest = None
                self._eases_from_shown = True
            self._playout.add(sent_ns, vector, arrival_ns)
            if self._arrival_ns is None or arrival_ns > self._arrival_ns:
                self._alive.saw_face(arrival_ns)
                self._arrival_ns = arrival_ns
            if self._newest is not None and sent_ns <= self._newest_sent_ns:
                return False
            self._newest, self._newest_sent_ns = message, sent_ns
            return True

    def feed(self, face: FaceFrame) -> None:
        """Ignore ``face``: it is the one behind a pose that is here already."""

    def pose_at(self, now_ns: int) -> Pose:
        """Return the pose to show; held, then faded by its presence while nothing comes."""
        with self._lock:
            found = self._playout.at(now_ns)
            newest = self._newest
            if found is None or newest is None:
                return Pose(np.zeros(POSE_SIZE, np.float32), now_ns, 0.0)
            vector, moment_ns, jumped = found
            values = vector[:POSE_SIZE]
            presence = self._alive.at(now_ns) * min(max(float(vector[_PRESENCE]), 0.0), 1.0)
            if jumped or self._eases_from_shown:
                self._eases_from_shown = False
                # Nothing shown, nothing to ease from: presence brings the pose in.
                self._offset = None
                if self._shown is not None and self._shown_presence > 0.0:
                    self._offset, self._offset_ns = self._shown - values, now_ns
            values = self._eased(values, now_ns)
            self._shown, self._shown_presence = values, presence
            age_ns = 0 if newest.age_us is None else newest.age_us * 1000
            t_ns = now_ns if presence <= 0.0 else min(moment_ns - age_ns, now_ns)
            coverage = vector[_COVERAGE]
            return Pose(
                THA3.clamp(values.astype(np.float32)),
                t_ns,
                presence,
                None if coverage.min() >= 1.0 else coverage.astype(np.float32),
            )

    def tracker_lost(self, now_ns: int) -> bool:
        """Return whether nothing comes, or the other computer sees no face."""
        with self._lock:
            newest = self._newest
            silent = newest is None or self._alive.lost(now_ns)
            fell_silent, self._silent = silent and not self._silent, silent
            lost = silent or newest is None or not newest.tracked
        if fell_silent:
            self._on_silence()
        return lost

    def _eased(self, values: F64Array, now_ns: int) -> F64Array:
        if self._offset is None:
            return values
        left = 1.0 - ease((now_ns - self._offset_ns) / NS_PER_S / self._recover_s)
        if left <= 0.0:
            self._offset = None
            return values
        return values + self._offset * left


def pose_message(
    pose: Pose, face: FaceFrame | None, now_ns: int, taken: int, *, tracked: bool
) -> PoseMessage:
    """Return what a tracker sends of ``pose`` at ``now_ns``.

    Args:
        pose: in the 45 parameters, without idle motion.
        face: the newest one, whose shapes conditions may ask for.
        now_ns: the moment.
        taken: id of the renderer's newest command that was taken.
        tracked: whether a face is seen.
    """
    shapes: tuple[float | None, ...] = ()
    if tracked and face is not None and face.blendshapes:
        shapes = tuple(_finite(face.blendshapes.get(name)) for name in ARKIT_NAMES)
    return PoseMessage(
        pose.values,
        pose.presence,
        tracked,
        max(now_ns - pose.t_ns, 0) // 1000 if pose.presence > 0.0 else None,
        pose.coverage,
        shapes,
        taken,
    )


def _finite(shape: float | None) -> float | None:
    return shape if shape is not None and math.isfinite(shape) else None
