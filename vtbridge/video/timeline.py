"""When each picture is shown: at its own time, or on a grid of equal steps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from vtbridge.clock import NS_PER_S

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A picture at its place.

    Attributes:
        picture: what is shown.
        tick: from when on, in the timeline's base, from 0.
        repeated: whether it is the picture that was placed before it.
    """

    picture: T
    tick: int
    repeated: bool = False


class Timeline(Protocol[T]):
    """Places pictures that come in order of time; the first one begins it."""

    @property
    def time_base(self) -> Fraction:
        """Seconds of one tick."""

    def add(self, picture: T, t_ns: int) -> list[Placed[T]]:
        """Take a picture seen from ``t_ns`` on and return what is certain now, in order."""

    def hold(self, until_ns: int) -> list[Placed[T]]:
        """Hear that none came from before ``until_ns`` and return what is certain now."""

    def end(self, end_ns: int) -> list[Placed[T]]:
        """Return what is left, up to the end of the recording."""

    def end_tick(self, end_ns: int) -> int:
        """Return where the last picture ends, after all those placed."""


class OwnTimes(Generic[T]):
    """Every picture at its own time.

    Args:
        time_base: seconds of one tick; two pictures within one are moved apart.
    """

    def __init__(self, time_base: Fraction) -> None:
        self._base = time_base
        self._start_ns: int | None = None
        self._tick = -1

    @property
    def time_base(self) -> Fraction:
        """Seconds of one tick."""
        return self._base

    def add(self, picture: T, t_ns: int) -> list[Placed[T]]:
        """Take a picture seen from ``t_ns`` on and return it at its place."""
        if self._start_ns is None:
            self._start_ns = t_ns
        self._tick = max(self._tick + 1, _ticks(t_ns - self._start_ns, self._base))
        return [Placed(picture, self._tick)]

    def hold(self, until_ns: int) -> list[Placed[T]]:
        """Return nothing: the last picture simply stays."""
        del until_ns
        return []

    def end(self, end_ns: int) -> list[Placed[T]]:
        """Return nothing: everything is placed."""
        del end_ns
        return []

    def end_tick(self, end_ns: int) -> int:
        """Return where the last picture ends, at least one tick after it began."""
        return max(self._tick + 1, _ticks(end_ns - (self._start_ns or 0), self._base))


class EvenTimes(Generic[T]):
    """One picture a step: the nearest one, or once more the one before.

    Args:
        fps: steps a second.
    """

    def __init__(self, fps: Fraction) -> None:
        self._base = 1 / fps
        self._start_ns = 0
        self._newest: T | None = None
        self._is_placed = False
        self._next = 0
        """The first step without a picture; ``_newest`` takes it if nothing nearer comes."""

    @property
    def time_base(self) -> Fraction:
        """Seconds of one tick."""
        return self._base

    def add(self, picture: T, t_ns: int) -> list[Placed[T]]:
        """Take a picture seen from ``t_ns`` on and return what its predecessor is shown at."""
        if self._newest is None:
            self._start_ns = t_ns
        placed = self._filled(_ticks(t_ns - self._start_ns, self._base))
        self._newest, self._is_placed = picture, False
        return placed

    def hold(self, until_ns: int) -> list[Placed[T]]:
        """Return the newest picture at every step before ``until_ns``."""
        return self._filled(_ticks(until_ns - self._start_ns, self._base))

    def end(self, end_ns: int) -> list[Placed[T]]:
        """Return the newest picture at every step before the end, at least once."""
        least = self._next if self._is_placed else self._next + 1
        return self._filled(max(least, _ticks(end_ns - self._start_ns, self._base)))

    def end_tick(self, end_ns: int) -> int:
        """Return the step after the last one."""
        del end_ns
        return self._next

    def _filled(self, until: int) -> list[Placed[T]]:
        if self._newest is None:
            return []
        placed = []
        for tick in range(self._next, until):
            placed.append(Placed(self._newest, tick, repeated=self._is_placed))
            self._is_placed = True
            self._next = tick + 1
        return placed


def _ticks(duration_ns: int, base: Fraction) -> int:
    return round(Fraction(duration_ns, NS_PER_S) / base)
