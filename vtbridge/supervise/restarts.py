"""When a renderer that failed is started again, and when that is given up."""

from __future__ import annotations

from collections import deque
from typing import Final

from vtbridge.clock import NS_PER_S

_FIRST_WAIT_S: Final = 0.25


class Restarts:
    """Start again at once, then after ever longer waits; give up what fails again and again.

    Args:
        most: restarts within ``within_s``.
        within_s: seconds.
    """

    def __init__(self, most: int, within_s: float) -> None:
        self._most = most
        self._within_ns = round(within_s * NS_PER_S)
        self._at: deque[int] = deque()
        self._count = 0

    @property
    def count(self) -> int:
        """Restarts so far."""
        return self._count

    def wait_s(self, now_ns: int) -> float | None:
        """Return how long to wait before the restart that is due now; None: give up."""
        while self._at and now_ns - self._at[0] >= self._within_ns:
            self._at.popleft()
        lately = len(self._at)
        if lately >= self._most:
            return None
        self._at.append(now_ns)
        self._count += 1
        return _FIRST_WAIT_S * 2 ** (lately - 1) if lately else 0.0
