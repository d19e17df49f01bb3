"""Every frame that an avatar publishes, for somebody who may be slow at times."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.errors import FrameTransportError
from vtbridge.flow.service import ThreadService
from vtbridge.publish.frame_reader import FrameReader, ReceivedFrame
from vtbridge.publish.segment import Liveness

MAX_WAITING_BYTES = 128 << 20
"""What may wait for the consumer: two seconds of 512x512 at 60 a second."""

_LOOK_EVERY_S = 0.1
_PLAUSIBLE_NS = NS_PER_S


@dataclass(frozen=True, slots=True, eq=False)
class FedFrame:
    """A frame and its time.

    Attributes:
        frame: a copy of one's own.
        t_ns: when it was published, by the reader's monotonic clock; never runs back, also
            not from one writer to the next.
    """

    frame: ReceivedFrame
    t_ns: int


class FrameFeed(ThreadService):
    """Copy frames out of a segment as they come; what does not fit into memory is left out.

    It only reads, so that whatever becomes of its consumer never reaches the writer.

    Attributes:
        missed: frames that were published but gone before they could be copied.
        dropped: frames that were left out because the consumer was behind.
        liveness: of the writer, as last seen.
        alive_ns: the last sign of life: until then the newest frame was shown.
        trouble: why no more frames will come, empty while they may.

    Args:
        reader: the segment; closed with the feed.
        clock: the monotonic clock that writers use too.
        max_bytes: of frames that wait.
    """

    def __init__(
        self, reader: FrameReader, clock: Clock, *, max_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        super().__init__("frames")
        self.missed = 0
        self.dropped = 0
        self.liveness = Liveness.LIVE
        self.alive_ns = 0
        self.trouble = ""
        self._reader = reader
        self._clock = clock
        self._max_bytes = max_bytes
        self._waiting: deque[FedFrame] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._newest_ns = 0
        self._source: tuple[int, int] | None = None

    def get(self, *, timeout_s: float) -> FedFrame | None:
        """Return the oldest frame that waits, or None if none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting), timeout_s)
            if not self._waiting:
                return None
            fed = self._waiting.popleft()
            self._waiting_bytes -= fed.frame.rgba.nbytes
            return fed

    def serve(self) -> None:
        """Copy frames until stopped, or until the segment cannot be trusted any more."""
        seen = 0
        with self._reader:
            while not self.stopping.is_set():
                try:
                    frame = self._reader.read_newer(seen, timeout_s=_LOOK_EVERY_S)
                    if frame is None:
                        self._look()
                except FrameTransportError as error:
                    self.trouble = str(error)
                    return
                if frame is not None:
                    self._count_missed(frame, seen)
                    seen = frame.frame_no
                    self._put(FedFrame(frame, self._time_of(frame)))

    def _look(self) -> None:
        """See whether anybody still writes."""
        self.liveness = self._reader.liveness()
        status = self._reader.status()
        if status is not None and self.liveness is Liveness.LIVE:
            self.alive_ns = max(self.alive_ns, min(status.heartbeat_ns, self._clock.now_ns()))

    def _count_missed(self, frame: ReceivedFrame, seen: int) -> None:
        """Count a gap in the numbers, unless another writer or segment began to count anew."""
        source = (self._reader.reopened, frame.epoch)
        if source == self._source:
            self.missed += frame.frame_no - seen - 1
        self._source = source

    def _time_of(self, frame: ReceivedFrame) -> int:
        now_ns = self._clock.now_ns()
        t_ns = frame.t_publish_ns
        if not now_ns - _PLAUSIBLE_NS <= t_ns <= now_ns:
            t_ns = now_ns  # it stood there when we came, or its writer has no idea of the time
        self._newest_ns = max(t_ns, self._newest_ns)
        self.alive_ns = max(self.alive_ns, self._newest_ns)
        self.liveness = Liveness.LIVE
        return self._newest_ns

    def _put(self, fed: FedFrame) -> None:
        with self._changed:
            size = fed.frame.rgba.nbytes
            # One frame is taken however large it is.
            if self._waiting and self._waiting_bytes + size > self._max_bytes:
                self.dropped += 1
                return
            self._waiting.append(fed)
            self._waiting_bytes += size
            self._changed.notify()
