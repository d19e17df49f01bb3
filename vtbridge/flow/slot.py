"""A slot for values of which only the newest is worth anything."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stamped(Generic[T]):
    """A value and its place in the order of writes; the first write has ``seq`` 1."""

    seq: int
    value: T


class LatestSlot(Generic[T]):
    """Hold only the newest value; a write never blocks and never queues."""

    def __init__(self) -> None:
        self._newest: Stamped[T] | None = None
        self._changed = threading.Condition()

    def put(self, value: T) -> int:
        """Replace the value, wake all waiters and return the new ``seq``."""
        with self._changed:
            seq = 1 if self._newest is None else self._newest.seq + 1
            self._newest = Stamped(seq, value)
            self._changed.notify_all()
            return seq

    def peek(self) -> Stamped[T] | None:
        """Return the newest value without waiting, None before the first write."""
        return self._newest

    def wait_newer(self, seen: int, *, timeout_s: float) -> Stamped[T] | None:
        """Return a value with ``seq > seen``, or None if none came in time."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None and self._newest.seq > seen, timeout_s
            )
            newest = self._newest
        return newest if newest is not None and newest.seq > seen else None
