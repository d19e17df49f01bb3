"""Does a renderer still get on? Being alive is not enough."""

from __future__ import annotations

from vtbridge.clock import NS_PER_S


class Progress:
    """Watch a count that has to grow.

    Args:
        now_ns: monotonic time of the start.
        start_within_s: patience until the renderer is ready.
        hung_after_s: patience with a count that stands still afterwards.
    """

    def __init__(self, now_ns: int, *, start_within_s: float, hung_after_s: float) -> None:
        self._start_within_s = start_within_s
        self._hung_after_s = hung_after_s
        self._since_ns = now_ns
        self._count = -1
        self._ready = False

    @property
    def ready(self) -> bool:
        """True once frames were about to flow."""
        return self._ready

    def told_ready(self, now_ns: int) -> None:
        """Take note that frames are about to flow."""
        self._ready = True
        self._since_ns = now_ns

    def told(self, count: int, now_ns: int) -> bool:
        """Take note of the count, and return whether it grew."""
        grew = count > self._count
        if grew:
            self._count = count
            self._since_ns = now_ns
        return grew

    def trouble(self, now_ns: int) -> str:
        """Return what is wrong, empty if nothing is."""
        still_s = (now_ns - self._since_ns) / NS_PER_S
        if not self._ready:
            late = still_s >= self._start_within_s
            return f"was not ready after {still_s:.0f} s" if late else ""
        return f"showed nothing new for {still_s:.0f} s" if still_s >= self._hung_after_s else ""
