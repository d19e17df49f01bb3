"""Time as an argument: the monotonic clock, and one that tests turn by hand."""

from __future__ import annotations

import threading
import time
from typing import Protocol

NS_PER_S = 1_000_000_000


class Clock(Protocol):
    """A monotonic clock and the only way to sleep by it."""

    def now_ns(self) -> int:
        """Return nanoseconds since an arbitrary, fixed moment; never runs backwards."""

    def sleep_until(self, t_ns: int) -> None:
        """Return at ``t_ns`` or at once if it has passed."""


class MonotonicClock:
    """The system's monotonic clock; immune to changes of the wall clock."""

    def now_ns(self) -> int:
        """Return ``time.monotonic_ns()``."""
        return time.monotonic_ns()

    def sleep_until(self, t_ns: int) -> None:
        """Sleep until ``t_ns``."""
        remaining_ns = t_ns - time.monotonic_ns()
        if remaining_ns > 0:
            time.sleep(remaining_ns / NS_PER_S)


class ManualClock:
    """A clock that moves only when told, so that tests need no sleep."""

    def __init__(self, start_ns: int = NS_PER_S) -> None:
        self._now_ns = start_ns
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """Return the time set last."""
        with self._lock:
            return self._now_ns

    def sleep_until(self, t_ns: int) -> None:
        """Jump to ``t_ns`` if it lies ahead."""
        with self._lock:
            self._now_ns = max(self._now_ns, t_ns)

    def advance(self, seconds: float) -> int:
        """Move on by ``seconds`` >= 0 and return the new time in nanoseconds."""
        if seconds < 0:
            raise ValueError(f"a monotonic clock cannot go back by {-seconds} s")
        with self._lock:
            self._now_ns += round(seconds * NS_PER_S)
            return self._now_ns
