"""Every frame once, in order of time; what is lost is counted, and the writer never waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import numpy as np
import pytest

from tests.support.daemon import wait_until
from tests.support.vtbf import SMALL, unused_name
from vtbridge.clock import NS_PER_S, ManualClock, MonotonicClock
from vtbridge.datatypes import FrameFlag
from vtbridge.errors import FrameTransportError
from vtbridge.publish.frame_feed import FrameFeed
from vtbridge.publish.vtbf import (
    AlphaMode,
    FrameReader,
    FrameWriter,
    HealthFlag,
    Liveness,
    ReceivedFrame,
    SegmentState,
    SegmentStatus,
)

PATIENCE_S = 20.0
NOW_NS = 100 * NS_PER_S
PIXELS = np.zeros((4, 4, 4), np.uint8)


def frame(number: int, *, t_ns: int = NOW_NS, epoch: int = 1) -> ReceivedFrame:
    return ReceivedFrame(PIXELS, number, epoch, t_ns, t_ns, FrameFlag.NONE, AlphaMode.PREMULTIPLIED)


class ScriptedReader:
    """A segment in which things happen in a given order; then it stands still."""

    def __init__(self, happens: Iterable[ReceivedFrame | Callable[[], None] | None]) -> None:
        self.reopened = 0
        self.asked: list[int] = []
        self.closed = False
        self.ended = False
        self._happens = iter(happens)

    def read_newer(self, seen: int, *, timeout_s: float) -> ReceivedFrame | None:
        del timeout_s
        self.asked.append(seen)
        for what in self._happens:
            if callable(what):
                what()
                continue
            return what
        self.ended = True
        return None

    def liveness(self) -> Liveness:
        return Liveness.LIVE

    def status(self) -> SegmentStatus:
        return SegmentStatus(
            1, 1, SegmentState.LIVE, b"", 60.0, 1, 0, NOW_NS + NS_PER_S // 4, HealthFlag.NONE
        )

    def __enter__(self) -> ScriptedReader:
        return self

    def __exit__(self, *reason: object) -> None:
        self.closed = True


def fed_by(reader: ScriptedReader, *, max_bytes: int = 1 << 20) -> tuple[FrameFeed, ManualClock]:
    """Return a feed that has seen all that happens."""
    clock = ManualClock(NOW_NS)
    feed = FrameFeed(cast("FrameReader", reader), clock, max_bytes=max_bytes)
    feed.start()
    wait_until(lambda: reader.ended or not feed.alive, PATIENCE_S, "everything has happened")
    assert feed.stop()
    return feed, clock


def numbers(feed: FrameFeed) -> list[int]:
    found = []
    while (fed := feed.get(timeout_s=0.0)) is not None:
        found.append(fed.frame.frame_no)
    return found


def test_frames_come_in_order_and_gaps_are_counted() -> None:
    reader = ScriptedReader([frame(5), frame(6), None, frame(9)])
    feed, _ = fed_by(reader)
    assert numbers(feed) == [5, 6, 9]
    assert (feed.missed, feed.dropped) == (2, 0)
    assert reader.asked[:4] == [0, 5, 6, 6]
    assert reader.closed


def test_numbers_of_another_writer_or_segment_are_no_gap() -> None:
    reader = ScriptedReader([])

    def reopen() -> None:
        reader.reopened += 1

    reader._happens = iter([frame(5), frame(90, epoch=2), reopen, frame(1, epoch=2)])
    feed, _ = fed_by(reader)
    assert numbers(feed) == [5, 90, 1]
    assert feed.missed == 0


def test_consumer_that_is_behind_loses_frames_and_no_more_memory() -> None:
    feed, _ = fed_by(ScriptedReader(map(frame, range(1, 11))), max_bytes=4 * PIXELS.nbytes)
    assert numbers(feed) == [1, 2, 3, 4]
    assert (feed.missed, feed.dropped) == (0, 6)


def test_consumer_that_catches_up_gets_frames_again() -> None:
    taken = []
    reader = ScriptedReader([])
    feed = FrameFeed(cast("FrameReader", reader), ManualClock(NOW_NS), max_bytes=2 * PIXELS.nbytes)

    def catch_up() -> None:
        taken.extend(numbers(feed))

    reader._happens = iter([frame(1), frame(2), frame(3), catch_up, frame(4), frame(5)])
    feed.start()
    wait_until(lambda: reader.ended, PATIENCE_S, "everything has happened")
    assert feed.stop()
    assert taken + numbers(feed) == [1, 2, 4, 5]
    assert feed.dropped == 1


def test_frame_larger_than_all_that_may_wait_is_taken_alone() -> None:
    feed, _ = fed_by(ScriptedReader([frame(1), frame(2)]), max_bytes=1)
    assert numbers(feed) == [1]
    assert feed.dropped == 1


@pytest.mark.parametrize(
    ("published_ns", "expected_ns"),
    [
        (NOW_NS - 1_000_000, NOW_NS - 1_000_000),
        (NOW_NS - 2 * NS_PER_S, NOW_NS),
        (NOW_NS + 1, NOW_NS),
        (0, NOW_NS),
        (2**64 - 1, NOW_NS),
    ],
)
def test_time_is_the_publication_unless_it_cannot_be(published_ns: int, expected_ns: int) -> None:
    feed, _ = fed_by(ScriptedReader([frame(1, t_ns=published_ns)]))
    fed = feed.get(timeout_s=0.0)
    assert fed is not None
    assert fed.t_ns == expected_ns


def test_time_never_runs_back() -> None:
    feed, _ = fed_by(ScriptedReader([frame(1), frame(2, t_ns=NOW_NS - NS_PER_S // 2)]))
    times = [fed.t_ns for fed in iter(lambda: feed.get(timeout_s=0.0), None)]
    assert times == [NOW_NS, NOW_NS]


def test_heartbeat_tells_how_long_the_last_frame_was_shown() -> None:
    reader = ScriptedReader([frame(1)])
    clock = ManualClock(NOW_NS)
    reader._happens = iter([frame(1), lambda: clock.sleep_until(NOW_NS + NS_PER_S), None])
    feed = FrameFeed(cast("FrameReader", reader), clock)
    feed.start()
    wait_until(lambda: reader.ended, PATIENCE_S, "everything has happened")
    assert feed.stop()
    assert feed.alive_ns == NOW_NS + NS_PER_S // 4


def test_segment_that_cannot_be_trusted_ends_the_feed_with_its_reason() -> None:
    def fail() -> None:
        raise FrameTransportError("breaks the protocol")

    reader = ScriptedReader([frame(1), fail])
    feed, _ = fed_by(reader)
    assert feed.trouble == "breaks the protocol"
    assert numbers(feed) == [1]
    assert feed.failure is None
    assert reader.closed


def test_real_segment_that_comes_again_is_followed() -> None:
    with unused_name() as name:
        writer = FrameWriter.open(name, max_width=16, max_height=16)
        feed = FrameFeed(FrameReader.attach(name), MonotonicClock())
        feed.start()
        for _ in range(2):
            writer.write(SMALL)
            fed = feed.get(timeout_s=PATIENCE_S)
            assert fed is not None
            writer.close()
            wait_until(lambda: feed.liveness is not Liveness.LIVE, PATIENCE_S, "it went")
            writer = FrameWriter.open(name, max_width=16, max_height=16)
        writer.close()
        assert feed.stop()
    assert (feed.missed, feed.dropped) == (0, 0)
