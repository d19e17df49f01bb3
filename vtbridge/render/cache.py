"""A cache of arrays that is bounded in memory, the least recently used first to go."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from vtbridge.telemetry import Telemetry


class Sized(Protocol):
    """What knows how much memory it takes; an array does."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""


SizedT = TypeVar("SizedT", bound=Sized)


class CacheMemory:
    """Memory that the regions of a cache share: what was not asked for longest goes first.

    Args:
        limit_bytes: of all values together; 0 keeps none.
        telemetry: where hits and misses are counted.
    """

    def __init__(self, limit_bytes: int, telemetry: Telemetry) -> None:
        self._limit_bytes = limit_bytes
        self._telemetry = telemetry
        self._entries: OrderedDict[tuple[str, bytes], Sized] = OrderedDict()
        self._used_bytes = 0

    @property
    def used_bytes(self) -> int:
        """Size of all values held."""
        return self._used_bytes

    def count(self, region: str, *, hit: bool) -> None:
        """Count a question: ``render.cache.<region>.hit`` or ``.miss``."""
        self._telemetry.count(f"render.cache.{region}.{'hit' if hit else 'miss'}")

    def get(self, region: str, key: bytes) -> Sized | None:
        """Return what is held, as the most recently used; None if there is nothing."""
        value = self._entries.get((region, key))
        if value is not None:
            self._entries.move_to_end((region, key))
        return value

    def put(self, region: str, key: bytes, value: Sized) -> None:
        """Hold ``value`` in place of what was there."""
        replaced = self._entries.pop((region, key), None)
        if replaced is not None:
            self._used_bytes -= replaced.nbytes
        self._entries[region, key] = value
        self._used_bytes += value.nbytes
        while self._used_bytes > self._limit_bytes:
            _, dropped = self._entries.popitem(last=False)
            self._used_bytes -= dropped.nbytes

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._used_bytes = 0


class Region(Generic[SizedT]):
    """The values of one kind in a shared memory, by key.

    Args:
        memory: that holds them.
        name: of the region, as counters name it.
    """

    def __init__(self, memory: CacheMemory, name: str) -> None:
        self._memory = memory
        self._name = name

    def get(self, key: bytes) -> SizedT | None:
        """Return the value of ``key`` and count a hit; None, and a miss, if it is not held."""
        value = self._memory.get(self._name, key)
        self._memory.count(self._name, hit=value is not None)
        return value  # type: ignore[return-value]  # only ``put`` below writes this region

    def put(self, key: bytes, value: SizedT) -> None:
        """Hold ``value``, which must not change any more."""
        self._memory.put(self._name, key, value)
