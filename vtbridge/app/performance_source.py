"""The built-in face performance as a tracker: sixty faces a second."""

from __future__ import annotations

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.pacer import Pacer
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.tracking.senders.performance import SOURCE, face_at
from vtbridge.tracking.source_status import RateMeter, SourceState, SourceStatus

_FACES_PER_S = 60.0


class PerformanceSource(ThreadService):
    """Put the performance's face of the moment into ``faces``, at a phone's rate."""

    def __init__(self, faces: LatestSlot[FaceFrame], clock: Clock) -> None:
        super().__init__("performance")
        self._faces = faces
        self._clock = clock
        self._rate = RateMeter()
        self._count = 0
        self._face: FaceFrame | None = None

    def serve(self) -> None:
        """Perform until stopped."""
        pacer = Pacer(_FACES_PER_S, self._clock)
        start_ns = self._clock.now_ns()
        while not self.stopping.is_set():
            t_ns = pacer.wait()
            self._face = face_at((t_ns - start_ns) / NS_PER_S, t_ns)
            self._rate.saw(t_ns)
            self._count += 1
            self._faces.put(self._face)

    def status(self) -> SourceStatus:
        """Return how the performance goes; safe to call from any thread."""
        return SourceStatus(
            source=SOURCE,
            title="Built-in performance",
            place="vtbridge demo",
            state=SourceState.WAITING if self._face is None else SourceState.LIVE,
            fps=self._rate.fps,
            jitter_ms=self._rate.jitter_ms,
            packets=self._count,
            last_ns=self._rate.last_ns,
            face=self._face,
        )
