"""A slot for values of which only the newest are worth anything."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stamped(Generic[T]):
    """A value and its place in the order of writes; the first write has ``seq`` 1."""

    seq: int
    value: T


class LatestSlot(Generic[T]):
    """Hold only the newest values; a write never blocks and never waits for a reader.

    Args:
        history: how many values a reader that comes late can still have; 1 for values of
            which only the newest is worth anything.
    """

    def __init__(self, *, history: int = 1) -> None:
        self._recent: deque[Stamped[T]] = deque(maxlen=history)
        self._changed = threading.Condition()

    def put(self, value: T) -> int:
        """Replace the value, wake all waiters and return the new ``seq``."""
        with self._changed:
            seq = self._recent[-1].seq + 1 if self._recent else 1
            self._recent.append(Stamped(seq, value))
            self._changed.notify_all()
            return seq

    def peek(self) -> Stamped[T] | None:
        """Return the newest value without waiting, None before the first write."""
        with self._changed:
            return self._recent[-1] if self._recent else None

    def newer(self, seen: int) -> list[Stamped[T]]:
        """Return what is held with ``seq > seen``, oldest first, without waiting."""
        with self._changed:
            return [stamped for stamped in self._recent if stamped.seq > seen]

    def wait_newer(self, seen: int, *, timeout_s: float) -> Stamped[T] | None:
        """Return a value with ``seq > seen``, or None if none came in time."""
        with self._changed:
            self._changed.wait_for(
                lambda: bool(self._recent) and self._recent[-1].seq > seen, timeout_s
            )
            newest = self._recent[-1] if self._recent else None
        return newest if newest is not None and newest.seq > seen else None
