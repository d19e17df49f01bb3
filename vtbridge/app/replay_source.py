"""A recording as a tracker: its faces, at its own pace, into a daemon."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

from vtbridge.app.replay import Moment, moments
from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.recordings.open import Recording
from vtbridge.tracking.settings import TrackingSettings
from vtbridge.tracking.source_status import RateMeter, SourceState, SourceStatus

log = logging.getLogger(__name__)

_SLEEP_NS = NS_PER_S // 10
_USUAL_INTERVAL_NS = NS_PER_S // 60


class ReplaySource(ThreadService):
    """Put a recording's faces into ``faces`` when they are due.

    Attributes:
        over: True once the last face has been put and none will follow.

    Args:
        recording: what to play.
        settings: how its datagrams are read and fused.
        faces: gets the faces, dated by ``clock``.
        telemetry: gets ``tracking.*`` counters.
        clock: paces them.
        speed: 2 = twice as fast.
        loop: begin again at the end.
        calibrate: called where the user asked for a new neutral face then.
    """

    def __init__(
        self,
        recording: Recording,
        settings: TrackingSettings,
        faces: LatestSlot[FaceFrame],
        telemetry: Telemetry,
        clock: Clock,
        *,
        speed: float = 1.0,
        loop: bool = False,
        calibrate: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__("replay")
        self.over = False
        self._recording = recording
        self._settings = settings
        self._faces = faces
        self._telemetry = telemetry
        self._clock = clock
        self._speed = speed
        self._loop = loop
        self._calibrate = calibrate
        self._rate = RateMeter()
        self._records = 0
        self._face: FaceFrame | None = None

    def serve(self) -> None:
        """Play until the end, or again and again until stopped."""
        start_ns = self._clock.now_ns()
        while (end_ns := self._play(start_ns)) is not None and self._loop:
            start_ns = end_ns + _USUAL_INTERVAL_NS
        self.over = True

    def status(self) -> SourceStatus:
        """Return how the replay goes; safe to call from any thread."""
        face = self._face
        state = SourceState.WAITING
        if face is not None:
            state = SourceState.LIVE if face.tracked else SourceState.NO_FACE
        return SourceStatus(
            source=self._recording.path.name if face is None else face.source,
            title="Recording",
            place=self._recording.path.name,
            state=SourceState.SILENT if self.over else state,
            fps=self._rate.fps,
            jitter_ms=self._rate.jitter_ms,
            packets=self._records,
            last_ns=self._rate.last_ns,
            face=face,
        )

    def _play(self, start_ns: int) -> int | None:
        """Play once from ``start_ns`` and return when it ended, None if it cannot go on."""
        first_ns: int | None = None
        due_ns = start_ns
        for moment in self._moments():
            first_ns = moment.t_ns if first_ns is None else first_ns
            due_ns = start_ns + round((moment.t_ns - first_ns) / self._speed)
            if not self._wait_until(due_ns):
                return None
            if moment.face is None:
                self._records += 1
                if moment.calibrate:
                    self._calibrate()
                continue
            t_ns = start_ns + round((moment.face.t_ns - first_ns) / self._speed)
            self._face = replace(moment.face, t_ns=t_ns)
            self._rate.saw(t_ns)
            self._faces.put(self._face)
        return None if first_ns is None else due_ns

    def _moments(self) -> Iterator[Moment]:
        try:
            yield from moments(self._recording, self._settings, self._telemetry)
        except VtbridgeError as error:
            log.warning("the replay ends here: %s", error)

    def _wait_until(self, t_ns: int) -> bool:
        """Sleep until ``t_ns`` and return whether to go on."""
        while not self.stopping.is_set():
            now_ns = self._clock.now_ns()
            if now_ns >= t_ns:
                return True
            self._clock.sleep_until(min(t_ns, now_ns + _SLEEP_NS))
        return False
