from __future__ import annotations

import threading

from vtbridge.flow.slot import LatestSlot


def test_reader_sees_only_the_newest_value() -> None:
    slot: LatestSlot[str] = LatestSlot()
    for value in ("old", "older", "newest"):
        slot.put(value)
    newest = slot.wait_newer(0, timeout_s=0)
    assert newest is not None
    assert (newest.seq, newest.value) == (3, "newest")


def test_late_reader_gets_the_recent_values_in_order() -> None:
    slot: LatestSlot[int] = LatestSlot(history=3)
    for value in range(1, 6):
        slot.put(value)
    assert [(stamped.seq, stamped.value) for stamped in slot.newer(0)] == [(3, 3), (4, 4), (5, 5)]
    assert [stamped.value for stamped in slot.newer(4)] == [5]
    assert slot.newer(5) == []


def test_nothing_newer_in_time_is_none() -> None:
    slot: LatestSlot[str] = LatestSlot()
    assert slot.peek() is None
    seen = slot.put("seen")
    assert slot.wait_newer(seen, timeout_s=0.001) is None


def test_waiting_reader_wakes_on_a_write() -> None:
    slot: LatestSlot[str] = LatestSlot()
    woken: list[str] = []

    def read() -> None:
        newest = slot.wait_newer(0, timeout_s=10)
        if newest is not None:
            woken.append(newest.value)

    reader = threading.Thread(target=read)
    reader.start()
    slot.put("hello")
    reader.join(10)
    assert woken == ["hello"]
