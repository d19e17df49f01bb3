"""The newest few fields and the moment between two of them that a beat shows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from vtbridge.render.fields import FrameFields
from vtbridge.render.live.fields_pool import FieldsPool
from vtbridge.render.live.playout import Playout

LONGEST = 3
"""Fields held at most: the two that a beat lies between, and the ones to come."""


@dataclass(slots=True, eq=False)
class TimedFields:
    """Fields and the stretch of time whose pose they show.

    Attributes:
        fields: what the networks said.
        moment_ns: the beat at which the pose was taken.
        capture_ns: arrival of the face data behind that pose.
        until_ns: the last beat known to have had the same pose.
        until_capture_ns: arrival of the face data of that beat.
        pool: that the fields' buffer belongs to.
    """

    fields: FrameFields
    moment_ns: int
    capture_ns: int
    until_ns: int
    until_capture_ns: int
    pool: FieldsPool

    @classmethod
    def at(
        cls, fields: FrameFields, moment_ns: int, capture_ns: int, pool: FieldsPool
    ) -> TimedFields:
        """Return ``fields`` of one moment."""
        return cls(fields, moment_ns, capture_ns, moment_ns, capture_ns, pool)

    def release(self) -> None:
        """Give the buffer back; nobody may look at the fields afterwards."""
        self.pool.give_back(self.fields)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What to draw: fields, or a point between two.

    Attributes:
        older: fields at or before the moment shown.
        newer: fields after it; ``older`` itself if there is nothing to mix.
        share: of ``newer``, 0..1.
        capture_ns: arrival of the face data that the moment shows.
    """

    older: TimedFields
    newer: TimedFields
    share: float
    capture_ns: int

    def draws_same_as(self, other: View | None) -> bool:
        """Return True if both give the same picture."""
        return (
            other is not None
            and self.older is other.older
            and self.newer is other.newer
            and self.share == other.share
        )


class Timeline:
    """Hold the newest fields, choose what each beat shows, release what no beat will show."""

    def __init__(self, period_ns: int) -> None:
        self.playout = Playout(period_ns)
        self._held: deque[TimedFields] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def add(self, timed: TimedFields, now_ns: int) -> None:
        """Take fields that are newer than all before; noticed at the beat of ``now_ns``."""
        before_ns = self._held[-1].until_ns if self._held else None
        self.playout.arrived(timed.moment_ns, before_ns, now_ns)
        self._held.append(timed)
        while len(self._held) > LONGEST:
            self._held.popleft().release()

    def extend(self, timed: TimedFields, moment_ns: int, capture_ns: int) -> None:
        """Note that the pose of ``timed``, if it is the newest, is the same at ``moment_ns``."""
        if self._held and self._held[-1] is timed and moment_ns > timed.until_ns:
            timed.until_ns, timed.until_capture_ns = moment_ns, capture_ns

    def at(self, now_ns: int) -> View | None:
        """Return what the beat of ``now_ns`` shows, None if there is nothing."""
        if not self._held:
            return None
        shown_ns = self.playout.moment_ns(self._held[-1].until_ns, now_ns)
        while len(self._held) > 1 and self._held[1].moment_ns <= shown_ns:
            self._held.popleft().release()
        older = self._held[0]
        if shown_ns <= older.until_ns or len(self._held) == 1:
            share = _share(shown_ns, older.moment_ns, older.until_ns)
            capture_ns = _between(older.capture_ns, older.until_capture_ns, share)
            return View(older, older, 0.0, capture_ns)
        newer = self._held[1]
        share = _share(shown_ns, older.until_ns, newer.moment_ns)
        capture_ns = _between(older.until_capture_ns, newer.capture_ns, share)
        return View(older, newer, share, capture_ns)

    def drop(self, view: View) -> None:
        """Let go of the fields of ``view``, which turned out not to be fit to be shown.

        Older ones that were shown before stay.
        """
        unfit = view.newer
        if unfit in self._held:
            self._held.remove(unfit)
            unfit.release()

    def clear(self) -> None:
        """Forget all fields."""
        while self._held:
            self._held.popleft().release()


def _share(value_ns: int, from_ns: int, to_ns: int) -> float:
    if to_ns <= from_ns:
        return 1.0
    return min(max((value_ns - from_ns) / (to_ns - from_ns), 0.0), 1.0)


def _between(older_ns: int, newer_ns: int, share: float) -> int:
    return round(older_ns + (newer_ns - older_ns) * share)
