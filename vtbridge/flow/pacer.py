"""A steady beat: sleep to the deadline, skip what was missed, never catch up."""

from __future__ import annotations

from vtbridge.clock import NS_PER_S, Clock


class Pacer:
    """Beat ``fps`` times a second on a grid, which moves only when a whole beat was missed.

    Attributes:
        missed: beats skipped because the work before them took too long.
    """

    def __init__(self, fps: float, clock: Clock) -> None:
        if not 0 < fps <= 1000:
            raise ValueError(f"fps must lie in 0..1000, not {fps}")
        self._period_ns = round(NS_PER_S / fps)
        self._clock = clock
        self._next_ns: int | None = None
        self.missed = 0

    def wait(self) -> int:
        """Sleep until the next beat and return its time in nanoseconds."""
        now_ns = self._clock.now_ns()
        if self._next_ns is None:
            self._next_ns = now_ns
        missed = max(now_ns - self._next_ns, 0) // self._period_ns
        if missed:
            # Work is slower than the beat: waiting for the old grid would only lose more.
            self.missed += missed
            self._next_ns = now_ns
        beat_ns = self._next_ns
        self._clock.sleep_until(beat_ns)
        self._next_ns = beat_ns + self._period_ns
        return beat_ns
