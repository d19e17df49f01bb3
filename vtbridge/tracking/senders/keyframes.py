"""Curves that loop: eased keyframes and smooth seeded noise, both without a jump."""

from __future__ import annotations

import bisect
import itertools
import random
from collections.abc import Sequence


def ease(share: float) -> float:
    """Return a smooth step from 0 to 1 for ``share`` in 0..1, flat at both ends."""
    return share * share * (3.0 - 2.0 * share)


class LoopedCurve:
    """Keyframes (t_s, value), eased in between and joined from the last to the first.

    Args:
        period_s: length of the loop.
        keys: at least one, in order of time, within ``0 <= t_s < period_s``.

    Raises:
        ValueError: the keys are not in order or lie outside the loop.
    """

    def __init__(self, period_s: float, keys: Sequence[tuple[float, float]]) -> None:
        times = [t_s for t_s, _ in keys]
        in_order = all(a < b for a, b in itertools.pairwise(times))
        if not keys or not in_order or times[0] < 0 or times[-1] >= period_s:
            raise ValueError(f"keyframes must rise within 0..{period_s} s: {times}")
        self._period_s = period_s
        self._times = times
        self._values = [value for _, value in keys]

    def at(self, t_s: float) -> float:
        """Return the value at ``t_s``, any number of loops on."""
        t_s %= self._period_s
        after = bisect.bisect_right(self._times, t_s)
        before = after - 1  # -1 is the last key, of the loop before
        start_s, start = self._times[before], self._values[before]
        end_s, end = self._times[after % len(self._times)], self._values[after % len(self._times)]
        span_s = (end_s - start_s) % self._period_s
        if span_s == 0.0:
            return start
        return start + (end - start) * ease((t_s - start_s) % self._period_s / span_s)


class LoopedNoise:
    """Aimless smooth motion within about -1..1 that returns to its start.

    Args:
        period_s: length of the loop.
        knot_s: time between the random knots, rounded so that the loop closes.
        seed: same seed, same motion.
    """

    def __init__(self, period_s: float, knot_s: float, seed: int) -> None:
        self._period_s = period_s
        count = max(4, round(period_s / knot_s))
        source = random.Random(seed)  # noqa: S311 - motion, not secrets
        self._knots = [source.uniform(-1.0, 1.0) for _ in range(count)]

    def at(self, t_s: float) -> float:
        """Return the value at ``t_s``: a Catmull-Rom spline through the knots."""
        count = len(self._knots)
        place = t_s % self._period_s / self._period_s * count
        knot = int(place)
        u = place - knot
        a, b, c, d = (self._knots[(knot + step) % count] for step in (-1, 0, 1, 2))
        return b + 0.5 * u * (
            c - a + u * (2.0 * a - 5.0 * b + 4.0 * c - d + u * (3.0 * (b - c) + d - a))
        )
