"""Percentiles of what was measured in the last minute or so, in constant memory."""

from __future__ import annotations

import math

import numpy as np

_BINS = 64
_MEMORY_S = 60.0


class RunningPercentile:
    """A histogram weighted by time that fades; 64 bins between two bounds.

    Args:
        low: lower bound; what is smaller counts as this.
        high: upper bound.
        expected: what to take as measured before anything was, with ``expected_s``.
        expected_s: how many seconds that counts for.
    """

    def __init__(
        self, low: float, high: float, *, expected: float | None = None, expected_s: float = 1.0
    ) -> None:
        self._low = low
        self._step = (high - low) / _BINS
        self._expected = expected
        self._expected_s = expected_s
        self._seconds = np.zeros(_BINS)
        self.reset()

    def reset(self) -> None:
        """Forget everything measured."""
        self._seconds[:] = 0.0
        if self._expected is not None:
            self._seconds[self._bin(self._expected)] = self._expected_s

    def add(self, value: float, elapsed_s: float) -> None:
        """Count ``value`` for ``elapsed_s`` seconds; what is older fades, half life 42 s."""
        self._seconds *= math.exp(-elapsed_s / _MEMORY_S)
        self._seconds[self._bin(value)] += elapsed_s

    def at(self, share: float, *, otherwise: float) -> float:
        """Return the value that ``share`` (0..1) of the time stayed below.

        Args:
            share: which percentile, over 100.
            otherwise: returned while nothing was measured.
        """
        total = float(self._seconds.sum())
        if total <= 0.0:
            return otherwise
        upto = np.cumsum(self._seconds)
        found = min(int(np.searchsorted(upto, share * total)), _BINS - 1)
        within = float(self._seconds[found])
        part = (share * total - (float(upto[found]) - within)) / within if within > 0 else 0.5
        return self._low + (found + min(max(part, 0.0), 1.0)) * self._step

    def _bin(self, value: float) -> int:
        return min(max(int((value - self._low) / self._step), 0), _BINS - 1)
