"""Where a consumer's ticks lie in time, and how far to move a grid to be just before them.

A consumer such as OBS takes the newest frame once a tick. A frame that is ready a few
milliseconds before a tick is shown fresh; one ready just after it waits a whole tick more.
"""

from __future__ import annotations

from vtbridge.clock import NS_PER_S

_EARLY_NS = 4_000_000
"""How long before a tick a frame shall be ready; covers the jitter of both programs."""

_FORGET_NS = 5 * NS_PER_S
"""Silence after which the ticks are no longer believed to lie where they were."""

_SLEW = 0.01
"""Largest move of a beat, as a share of the period: half a period takes under a second."""

_TOLERANCE = 0.01
"""How far the ratio of both periods may be from a whole number; 59.94 against 60 is .001."""


class PhaseLock:
    """Follow a consumer's ticks; all times are of one monotonic clock, in nanoseconds."""

    def __init__(self) -> None:
        # Tick, interval, and when they were heard; one tuple, for they come from another thread.
        self._heard: tuple[int, int, int] | None = None

    def hear(self, tick_ns: int, interval_ns: int, now_ns: int) -> None:
        """Note one tick of the consumer and the interval of its ticks.

        Raises:
            ValueError: the interval lies beyond 1 ms..1 s, or the tick is over a second from now.
        """
        if not 1_000_000 <= interval_ns <= NS_PER_S:
            raise ValueError(f"a consumer's interval lies in 1 ms..1 s, not {interval_ns} ns")
        if abs(now_ns - tick_ns) > NS_PER_S:
            raise ValueError(
                f"a tick {(tick_ns - now_ns) / NS_PER_S:+.3f} s from now is of another clock"
            )
        self._heard = tick_ns, interval_ns, now_ns

    def holds(self, period_ns: int, now_ns: int) -> bool:
        """Return True if a grid of ``period_ns`` can follow the ticks heard lately."""
        heard = self._heard
        if heard is None or now_ns - heard[2] > _FORGET_NS:
            return False
        ratio = max(period_ns, heard[1]) / min(period_ns, heard[1])
        return abs(ratio - round(ratio)) <= _TOLERANCE * round(ratio)

    def shift_ns(self, beat_ns: int, period_ns: int, work_ns: int, now_ns: int) -> int:
        """Return how far to move the beat at ``beat_ns``, 0 while there is nothing to follow.

        Args:
            beat_ns: when the work of the beat begins.
            period_ns: of the beats.
            work_ns: how long after its beat a frame is usually ready.
            now_ns: the present.
        """
        heard = self._heard
        if heard is None or not self.holds(period_ns, now_ns):
            return 0
        tick_ns, interval_ns, _ = heard
        # Every tick of a slower consumer, and of a faster one the nearest, will do.
        modulus_ns = min(period_ns, interval_ns)
        ready_ns = beat_ns + work_ns + _EARLY_NS
        error_ns = (tick_ns - ready_ns) % modulus_ns
        if error_ns > modulus_ns // 2:
            error_ns -= modulus_ns
        limit_ns = round(period_ns * _SLEW)
        return max(-limit_ns, min(limit_ns, error_ns))
