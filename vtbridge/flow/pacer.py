"""A steady beat: sleep to the deadline, skip what was missed, never catch up."""

from __future__ import annotations

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.flow.phase_lock import PhaseLock

_SETTLING = 0.05  # weight of one beat in the estimate of how long the work takes


class Pacer:
    """Beat ``fps`` times a second on a grid of absolute times.

    The work after a beat is due when the next beat is. The grid moves only when a whole
    beat was missed, or slowly, to where a consumer's ticks are (``lock``).

    Attributes:
        beats: deadlines so far.
        missed: those of them at which the work before was not done, or had not begun.
        late_ns: how much later than its beat ``wait`` returned last.
    """

    def __init__(self, fps: float, clock: Clock) -> None:
        self._period_ns = _period_ns(fps)
        self._clock = clock
        self._next_ns: int | None = None
        self._phase = PhaseLock()
        self._work_ns = 0.0
        self._spread_ns = 0.0
        self.beats = 0
        self.missed = 0
        self.late_ns = 0

    @property
    def period_ns(self) -> int:
        """Nanoseconds from beat to beat."""
        return self._period_ns

    @property
    def locked(self) -> bool:
        """True while the grid follows a consumer's ticks."""
        return self._phase.holds(self._period_ns, self._clock.now_ns())

    def set_fps(self, fps: float) -> None:
        """Beat at another rate from the next beat on.

        Raises:
            ValueError: the rate lies beyond 0..1000.
        """
        period_ns = _period_ns(fps)
        if self._next_ns is not None:
            self._next_ns += period_ns - self._period_ns
        self._period_ns = period_ns

    def lock(self, tick_ns: int, interval_ns: int) -> None:
        """Move the grid, slowly, so that work is done just before a consumer's ticks.

        To be told again at least every few seconds; without, the grid runs free.

        Args:
            tick_ns: when the consumer took, or will take, a frame.
            interval_ns: from one of its ticks to the next.

        Raises:
            ValueError: the interval lies beyond 1 ms..1 s, or the tick is over a second from now.
        """
        self._phase.hear(tick_ns, interval_ns, self._clock.now_ns())

    def wait(self) -> int:
        """Sleep until the next beat and return its time in nanoseconds."""
        now_ns = self._clock.now_ns()
        if self._next_ns is None:
            beat_ns = now_ns
        else:
            self._note_work(now_ns - (self._next_ns - self._period_ns))
            beat_ns = self._reached(self._next_ns, now_ns)
            beat_ns += self._phase.shift_ns(
                beat_ns, self._period_ns, round(self._work_ns + 2 * self._spread_ns), now_ns
            )
            self._clock.sleep_until(beat_ns)
        self._next_ns = beat_ns + self._period_ns
        self.late_ns = max(self._clock.now_ns() - beat_ns, 0)
        return beat_ns

    def _reached(self, next_ns: int, now_ns: int) -> int:
        """Count the deadlines up to now and return the beat that comes next."""
        self.beats += 1
        behind_ns = now_ns - next_ns
        if behind_ns <= 0:
            return next_ns
        skipped = behind_ns // self._period_ns
        self.beats += skipped
        self.missed += skipped + 1
        if not skipped:
            return next_ns
        if self._phase.holds(self._period_ns, now_ns):
            return next_ns + skipped * self._period_ns
        # Work is slower than the beat: waiting for the old grid would only lose more.
        return now_ns

    def _note_work(self, work_ns: int) -> None:
        work_ns = min(work_ns, self._period_ns)
        self._spread_ns += _SETTLING * (abs(work_ns - self._work_ns) - self._spread_ns)
        self._work_ns += _SETTLING * (work_ns - self._work_ns)


def _period_ns(fps: float) -> int:
    if not 0 < fps <= 1000:
        raise ValueError(f"fps must lie in 0..1000, not {fps}")
    return round(NS_PER_S / fps)
