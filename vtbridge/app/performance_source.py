"""The built-in face performance as a tracker: sixty faces a second."""

from __future__ import annotations

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.pacer import Pacer
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.tracking.senders.performance import face_at

_FACES_PER_S = 60.0


class PerformanceSource(ThreadService):
    """Put the performance's face of the moment into ``faces``, at a phone's rate."""

    def __init__(self, faces: LatestSlot[FaceFrame], clock: Clock) -> None:
        super().__init__("performance")
        self._faces = faces
        self._clock = clock

    def serve(self) -> None:
        """Perform until stopped."""
        pacer = Pacer(_FACES_PER_S, self._clock)
        start_ns = self._clock.now_ns()
        while not self.stopping.is_set():
            t_ns = pacer.wait()
            self._faces.put(face_at((t_ns - start_ns) / NS_PER_S, t_ns))
