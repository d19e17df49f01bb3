"""Commands on their way to the other computer: one at a time, again until it has taken them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from vtbridge.clock import NS_PER_S
from vtbridge.remote.wire import Command

_AGAIN_NS = NS_PER_S // 20
_EXPIRES_NS = 2 * NS_PER_S
"""A key that was pressed longer ago must not act any more."""
_MAX_WAITING = 64


@dataclass(frozen=True, slots=True)
class _Waiting:
    number: int
    command: Command
    asked_ns: int


class Outbox:
    """Keep commands in order; any thread adds, one thread sends.

    Attributes:
        dropped: how many were given up: too old, or too many.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._numbers = 0
        self._sent_ns: int | None = None
        self._lock = threading.Lock()
        self.dropped = 0

    def add(self, command: Command, now_ns: int) -> None:
        """Want ``command`` done at the other end, or nothing if that takes too long."""
        with self._lock:
            if len(self._waiting) == _MAX_WAITING:
                self._drop_first()
            self._numbers += 1
            self._waiting.append(_Waiting(self._numbers, command, now_ns))

    def due(self, now_ns: int) -> tuple[int, Command] | None:
        """Return the id and command to send now, None if none is due."""
        with self._lock:
            while self._waiting and now_ns - self._waiting[0].asked_ns > _EXPIRES_NS:
                self._drop_first()
            if not self._waiting:
                return None
            if self._sent_ns is not None and now_ns - self._sent_ns < _AGAIN_NS:
                return None
            self._sent_ns = now_ns
            first = self._waiting[0]
            return first.number, first.command

    def taken(self, number: int) -> None:
        """Note that the other end has taken the command with this id, and all before it."""
        with self._lock:
            while self._waiting and self._waiting[0].number <= number:
                self._waiting.popleft()
                self._sent_ns = None

    def _drop_first(self) -> None:
        self._waiting.popleft()
        self._sent_ns = None
        self.dropped += 1


class ReplayWindow:
    """Let each sequence through once, those that come late too, if not by more than 64."""

    _SIZE = 64

    def __init__(self) -> None:
        self.newest = 0
        self._seen = 0

    def admit(self, sequence: int) -> bool:
        """Return whether ``sequence`` is new, and note it."""
        if sequence > self.newest:
            self._seen = (self._seen << min(sequence - self.newest, self._SIZE)) | 1
            self._seen &= (1 << self._SIZE) - 1
            self.newest = sequence
            return True
        behind = self.newest - sequence
        if behind >= self._SIZE or self._seen >> behind & 1:
            return False
        self._seen |= 1 << behind
        return True
