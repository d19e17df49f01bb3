"""The cache: bounded in memory, the least recently used goes first, questions are counted."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import F32Array
from vtbridge.render.cache import CacheMemory, Region
from vtbridge.telemetry import Telemetry

ENTRY = np.zeros(256, np.float32)  # 1 KiB


def region(memory: CacheMemory, name: str = "face") -> Region[F32Array]:
    return Region(memory, name)


def test_memory_never_exceeds_its_limit() -> None:
    memory = CacheMemory(10 * ENTRY.nbytes, Telemetry())
    faces, brows = region(memory), region(memory, "brows")
    for number in range(50):
        (faces if number % 3 else brows).put(bytes([number % 40]), ENTRY[: 1 + number])
        assert memory.used_bytes <= 10 * ENTRY.nbytes


def test_the_least_recently_used_goes_first() -> None:
    memory = CacheMemory(3 * ENTRY.nbytes, Telemetry())
    faces = region(memory)
    for key in (b"a", b"b", b"c"):
        faces.put(key, ENTRY)
    assert faces.get(b"a") is ENTRY
    faces.put(b"d", ENTRY)
    assert [faces.get(key) is not None for key in (b"a", b"b", b"c", b"d")] == [
        True,
        False,
        True,
        True,
    ]


def test_regions_share_the_memory_but_not_the_keys() -> None:
    memory = CacheMemory(2 * ENTRY.nbytes, Telemetry())
    faces, brows = region(memory), region(memory, "brows")
    faces.put(b"a", ENTRY)
    assert brows.get(b"a") is None
    brows.put(b"a", ENTRY.copy())
    brows.put(b"b", ENTRY.copy())
    assert faces.get(b"a") is None


def test_a_key_put_twice_takes_memory_once() -> None:
    memory = CacheMemory(2 * ENTRY.nbytes, Telemetry())
    faces = region(memory)
    for _ in range(5):
        faces.put(b"a", ENTRY)
    assert memory.used_bytes == ENTRY.nbytes
    memory.clear()
    assert memory.used_bytes == 0
    assert faces.get(b"a") is None


@pytest.mark.parametrize("limit", [0, ENTRY.nbytes - 1])
def test_what_does_not_fit_is_not_held(limit: int) -> None:
    memory = CacheMemory(limit, Telemetry())
    faces = region(memory)
    faces.put(b"a", ENTRY)
    assert faces.get(b"a") is None
    assert memory.used_bytes == 0


def test_hits_and_misses_are_counted_by_region() -> None:
    telemetry = Telemetry()
    memory = CacheMemory(1 << 20, telemetry)
    faces, brows = region(memory), region(memory, "brows")
    faces.get(b"a")
    faces.put(b"a", ENTRY)
    faces.get(b"a")
    faces.get(b"a")
    brows.get(b"a")
    assert telemetry.counters() == {
        "render.cache.face.hit": 2,
        "render.cache.face.miss": 1,
        "render.cache.brows.miss": 1,
    }
