"""What to do about networks that fail: wait, load them anew, or take the next runtime."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from vtbridge.clock import NS_PER_S

_FAILURES = 3
_FAILURES_WITHIN_NS = 10 * NS_PER_S
_REOPENED_WITHIN_NS = 60 * NS_PER_S
_FIRST_RETRY_NS = NS_PER_S
_LONGEST_RETRY_NS = 30 * NS_PER_S


class Remedy(Enum):
    """What to do after a failure."""

    WAIT = auto()
    """Go on: the next pose may be computed."""

    REOPEN = auto()
    """Load the same networks anew; a device may have been lost."""

    REPLACE = auto()
    """Never use this runtime again and open the next one."""


class Recovery:
    """Count failures and choose the remedy; times are monotonic nanoseconds."""

    def __init__(self) -> None:
        self._failed_ns: deque[int] = deque(maxlen=_FAILURES)
        self._reopened_ns: int | None = None
        self._retry_ns = _FIRST_RETRY_NS

    def after_failure(self, now_ns: int) -> Remedy:
        """Return the remedy for a pose that could not be computed or shown."""
        self._failed_ns.append(now_ns)
        if len(self._failed_ns) < _FAILURES or now_ns - self._failed_ns[0] > _FAILURES_WITHIN_NS:
            return Remedy.WAIT
        return self.after_end(now_ns)

    def after_end(self, now_ns: int) -> Remedy:
        """Return the remedy for networks that cannot go on at all, but did not hang."""
        self._failed_ns.clear()
        lately = self._reopened_ns is not None and now_ns - self._reopened_ns < _REOPENED_WITHIN_NS
        if lately:
            self._reopened_ns = None
            return Remedy.REPLACE
        self._reopened_ns = now_ns
        return Remedy.REOPEN

    def after_replacement(self) -> None:
        """Count anew for another runtime."""
        self._failed_ns.clear()
        self._reopened_ns = None

    def retry_after_ns(self) -> int:
        """Return how long to wait before opening is tried again: 1 s, then twice that each time."""
        wait_ns = self._retry_ns
        self._retry_ns = min(2 * self._retry_ns, _LONGEST_RETRY_NS)
        return wait_ns

    def succeeded(self) -> None:
        """Note that a frame was shown: the next trouble is a new one."""
        self._retry_ns = _FIRST_RETRY_NS
