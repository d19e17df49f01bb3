"""The slot of the newest face, into which plugins put their values too."""

from __future__ import annotations

import threading

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.control.vts.overlay import SOURCE, ParameterOverlay
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.slot import LatestSlot

SILENT_NS = NS_PER_S * 3 // 20
"""A tracker that has been silent this long carries no injected values: ``fill`` does."""
LOST_NS = NS_PER_S
"""Without a tracked face for this long there is none."""


class InjectedFaces(LatestSlot[FaceFrame]):
    """Lay injected values over every face that trackers put, and stand in where none does.

    Args:
        overlay: the injected values.
        clock: the monotonic clock, the one of the faces.
        history: as ``LatestSlot``.
    """

    def __init__(self, overlay: ParameterOverlay, clock: Clock, *, history: int = 1) -> None:
        super().__init__(history=history)
        self.overlay = overlay
        self._clock = clock
        self._order = threading.Lock()
        self._heard_ns: int | None = None
        self._tracked_ns: int | None = None
        self._tracker = SOURCE

    def put(self, face: FaceFrame) -> int:
        """Take a tracker's face, as ``LatestSlot`` does."""
        with self._order:
            self._heard_ns, self._tracker = face.t_ns, face.source
            if face.tracked:
                self._tracked_ns = face.t_ns
            elif self._tracked_ns is not None and self._tracked_ns <= face.t_ns:
                self._tracked_ns = None
            return super().put(self.overlay.blended(face, face.t_ns))

    def fill(self) -> bool:
        """Put a face of the injected values alone if no tracker carries them.

        Returns:
            Whether anything is injected, or still going.
        """
        with self._order:
            now_ns = self._clock.now_ns()
            silent_ns = None if self._heard_ns is None else now_ns - self._heard_ns
            if silent_ns is not None and silent_ns < SILENT_NS:
                return self.overlay.active(now_ns)
            # The neutral face of a tracker that only stutters stays the one that counts.
            stutters = silent_ns is not None and silent_ns < LOST_NS
            face = self.overlay.alone(now_ns, source=self._tracker if stutters else SOURCE)
            if face is not None:
                super().put(face)
            return self.overlay.active(now_ns)

    def current(self) -> FaceFrame | None:
        """Return the face that is shown, with what is injected; None while there is none."""
        newest = self.peek()
        if newest is None or not newest.value.tracked:
            return None
        return newest.value if self._clock.now_ns() - newest.value.t_ns < LOST_NS else None

    def face_found(self) -> bool:
        """Return whether a tracker sees a face, or a plugin says that there is one."""
        now_ns = self._clock.now_ns()
        tracked_ns = self._tracked_ns
        if tracked_ns is not None and now_ns - tracked_ns < LOST_NS:
            return True
        return self.overlay.face_found(now_ns)
