"""Poses out of an uneven network at an even pace: a buffer no longer than it has to be.

Each pose carries when it was sent. The moment that is shown follows the sender's clock some
way behind: as far as late and lost poses of the last seconds needed, no farther. It is held
where poses end and resumed from there a little faster, so that nothing jumps: between two
moments the shown pose never moves faster than ``1 + CATCH_UP`` times as the sent ones do.
"""

from __future__ import annotations

import bisect
from collections import deque

import numpy as np
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S

F64Array = NDArray[np.float64]

CATCH_UP = 0.25
"""By how much the shown moment may run faster or slower than the clock."""
_SETTLE_S = 0.2
_OFFSETS = 600
"""Poses, some ten seconds: what a change of the network's path takes to be forgotten."""
_NEEDS = 120
_SHARE = 0.95
_KEPT_NS = NS_PER_S
_FAR_BEHIND_NS = 3 * NS_PER_S // 10
_MOST_KEPT = 256


class Playout:
    """Hold the newest poses and give the one to show; used by one thread at a time.

    Attributes:
        late: poses that came after their moment was over; what they showed was skipped.
        repeated: poses that came twice.

    Args:
        max_delay_s: the longest way behind the sender's clock.
    """

    def __init__(self, max_delay_s: float) -> None:
        self._max_delay_ns = max_delay_s * NS_PER_S
        self._sent_ns: list[int] = []
        self._vectors: list[F64Array] = []
        self._offsets: deque[int] = deque(maxlen=_OFFSETS)
        self._needs: deque[int] = deque(maxlen=_NEEDS)
        self._shown_ns: float | None = None
        self._asked_ns = 0
        self._next = 0
        self._base_ns = 0
        self._delay_ns = 0.0
        self.late = 0
        self.repeated = 0

    @property
    def delay_ms(self) -> float:
        """How far behind the fastest way the shown moment is wanted."""
        return self._delay_ns / 1e6

    @property
    def kept(self) -> int:
        """How many poses are held."""
        return len(self._sent_ns)

    def add(self, sent_ns: int, vector: F64Array, arrival_ns: int) -> None:
        """Take what was sent at ``sent_ns`` of the sender's clock and came at ``arrival_ns``.

        Args:
            sent_ns: need not be newer than the last.
            vector: numbers that may be mixed with their neighbours'; of one length always.
            arrival_ns: by the clock of ``at``.
        """
        place = bisect.bisect_left(self._sent_ns, sent_ns)
        if place < len(self._sent_ns) and self._sent_ns[place] == sent_ns:
            self.repeated += 1
            return
        self._offsets.append(arrival_ns - sent_ns)
        self._base_ns = min(self._offsets)
        if self._sent_ns:
            # To show the way here from the one before, it had to be here at that one's moment.
            before_ns = self._sent_ns[max(place - 1, 0)]
            if 0 < sent_ns - before_ns < _FAR_BEHIND_NS:
                self._needs.append(arrival_ns - self._base_ns - before_ns)
                self._delay_ns = min(_share_of(self._needs, _SHARE), self._max_delay_ns)
        if self._shown_ns is not None and place <= self._next and place < len(self._sent_ns):
            # Its moment is over, or the way past it has begun: to turn now would be a jump.
            self.late += 1
            return
        self._sent_ns.insert(place, sent_ns)
        self._vectors.insert(place, vector)
        self._forget()

    def at(self, now_ns: int) -> tuple[F64Array, int, bool] | None:
        """Return what to show at ``now_ns``, None before the first pose.

        Returns:
            The vector; its moment by the clock of ``now_ns``, as if the fastest way took no
            time; and whether the shown moment jumped, after a long silence.
        """
        if not self._sent_ns:
            return None
        wanted_ns = now_ns - self._base_ns - self._delay_ns
        jumped = self._shown_ns is not None and wanted_ns - self._shown_ns > _FAR_BEHIND_NS
        # Of a sender that fell silent there is nothing to jump to.
        jumped = jumped and self._shown_ns != self._sent_ns[-1]
        if self._shown_ns is None or jumped:
            shown_ns = wanted_ns
        else:
            passed_ns = max(now_ns - self._asked_ns, 0)
            pull = (wanted_ns - self._shown_ns) / (_SETTLE_S * NS_PER_S)
            shown_ns = self._shown_ns + passed_ns * (1 + min(max(pull, -CATCH_UP), CATCH_UP))
            shown_ns = max(shown_ns, self._shown_ns)
        self._asked_ns = now_ns
        self._shown_ns = shown_ns = min(max(shown_ns, self._sent_ns[0]), self._sent_ns[-1])
        place = self._next = bisect.bisect_right(self._sent_ns, shown_ns)
        before_ns, before = self._sent_ns[place - 1], self._vectors[place - 1]
        moment_ns = round(shown_ns) + self._base_ns
        if place == len(self._sent_ns):
            return before, moment_ns, jumped
        share = (shown_ns - before_ns) / (self._sent_ns[place] - before_ns)
        return before + (self._vectors[place] - before) * share, moment_ns, jumped

    def _forget(self) -> None:
        """Drop what is over, and what nobody asked for."""
        shown_ns = self._shown_ns
        gone = max(len(self._sent_ns) - _MOST_KEPT, 0)
        if shown_ns is not None:
            while gone + 1 < len(self._sent_ns) and self._sent_ns[gone + 1] <= min(
                shown_ns, self._sent_ns[-1] - _KEPT_NS
            ):
                gone += 1
        del self._sent_ns[:gone], self._vectors[:gone]
        self._next -= gone


def _share_of(values: deque[int], share: float) -> float:
    ordered = sorted(values)
    return float(ordered[min(int(share * len(ordered)), len(ordered) - 1)])
