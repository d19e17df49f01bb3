"""When to show what: a steady clock of pose time behind fields that come irregularly.

Networks that need ``T`` for a pose give fields of the moments ``T`` apart, each ``T`` old when
it comes. Shown at once, motion would jump every ``T``. Shown about one ``T`` later, there are
always fields of a later moment to move towards, and motion is smooth. The delay is measured, not
assumed: it is what nearly all fields of late would have needed, as audio calls do it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection

MAX_ADDED_NS = 100_000_000
"""Longest wait for smoothness beyond the slowest fields; where it is too short, motion halts."""

FARTHEST_NS = 200_000_000
"""How far behind the newest fields a picture may ever be: beyond it, newest wins over smooth."""

_MEMORY = 20  # fields
_FEWEST = 8  # fields before it can be said that the networks keep up
_COVERED = 0.9  # of the fields come in time
_KEEPS_UP, _KEEPS_UP_NO_MORE = 0.9, 0.7
_CATCH_UP_S = 0.1
_SLOWEST = 0.75  # speed of pose time while a longer delay builds up
_SETTLING = 0.05


class Playout:
    """Pose time: which moment to show at each beat; never backwards.

    All times are monotonic nanoseconds. The moment of fields is the beat at which their pose
    was taken.
    """

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._needed_ns: deque[int] = deque(maxlen=_MEMORY)
        self._latency_ns: deque[int] = deque(maxlen=_MEMORY)
        self._apart_ns: deque[int] = deque(maxlen=_MEMORY)
        self._keeps_up = False
        self._shown_ns: int | None = None
        self._beat_ns = 0
        self._added_ns = 0.0

    @property
    def keeps_up(self) -> bool:
        """True while every beat has fields of its own, so that none need wait."""
        return self._keeps_up

    @property
    def added_delay_ns(self) -> float:
        """How far behind the newest fields the picture is on average, for smoothness' sake."""
        return self._added_ns

    @property
    def delay_ns(self) -> int:
        """How long after its moment a pose is to be shown."""
        if not self._needed_ns:
            return 0
        longest_ns = _covering(self._latency_ns) + MAX_ADDED_NS
        return max(0, min(_covering(self._needed_ns), longest_ns))

    def set_period(self, period_ns: int) -> None:
        """Beat every ``period_ns`` from now on."""
        self._period_ns = period_ns
        self._apart_ns.clear()

    def arrived(self, moment_ns: int, before_ns: int | None, now_ns: int) -> None:
        """Note fields that came at the beat of ``now_ns``.

        Args:
            moment_ns: theirs.
            before_ns: that of the fields before them, None if they are the first.
            now_ns: the present beat.
        """
        self._latency_ns.append(now_ns - moment_ns)
        if before_ns is None:
            return
        # At the beat before this one there still had to be something to show.
        self._needed_ns.append(now_ns - self._period_ns - before_ns)
        self._apart_ns.append(moment_ns - before_ns)
        if len(self._apart_ns) < _FEWEST:
            return
        close = sum(apart_ns < 1.5 * self._period_ns for apart_ns in self._apart_ns)
        wanted = _KEEPS_UP_NO_MORE if self._keeps_up else _KEEPS_UP
        self._keeps_up = close >= wanted * len(self._apart_ns)

    def moment_ns(self, newest_ns: int, now_ns: int) -> int:
        """Return the moment to show at the beat of ``now_ns``, at most ``newest_ns``.

        Args:
            newest_ns: moment of the newest fields there are.
            now_ns: the present beat.
        """
        elapsed_ns = now_ns - self._beat_ns
        self._beat_ns = now_ns
        if self._shown_ns is None or self._keeps_up:
            self._shown_ns = max(newest_ns, self._shown_ns or newest_ns)
            self._added_ns = 0.0
            return self._shown_ns
        usual_ns = self._shown_ns + elapsed_ns
        behind_ns = now_ns - self.delay_ns - usual_ns
        if behind_ns > 0:
            moved_ns = elapsed_ns - behind_ns * math.expm1(-elapsed_ns / 1e9 / _CATCH_UP_S)
        else:
            moved_ns = elapsed_ns + max(behind_ns, (_SLOWEST - 1) * elapsed_ns)
        moment_ns = max(self._shown_ns + round(moved_ns), newest_ns - FARTHEST_NS)
        self._shown_ns = max(self._shown_ns, min(moment_ns, newest_ns))
        behind_newest_ns = max(newest_ns - self._shown_ns, 0)
        self._added_ns += _SETTLING * (behind_newest_ns - self._added_ns)
        return self._shown_ns


def _covering(values_ns: Collection[int]) -> int:
    """Return what ``_COVERED`` of some values do not exceed."""
    return sorted(values_ns)[math.ceil(_COVERED * len(values_ns)) - 1]
