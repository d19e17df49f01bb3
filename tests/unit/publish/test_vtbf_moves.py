"""Writers come, grow, restart and go; readers follow whoever has the name."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.support.vtbf import SMALL, leave_dead_segment
from vtbridge.datatypes import Frame
from vtbridge.errors import AlreadyRunning, FrameTransportError
from vtbridge.publish import _vtbf
from vtbridge.publish.frame_writer import _Segment
from vtbridge.publish.vtbf import (
    FrameReader,
    FrameWriter,
    HealthFlag,
    Liveness,
    SegmentState,
    segment_path,
)


def test_larger_frame_moves_the_segment_and_readers_follow(
    writer: FrameWriter, reader: FrameReader
) -> None:
    for _ in range(5):
        writer.write(SMALL)
    writer.set_health(HealthFlag.READY)
    first = reader.read_newer(0, timeout_s=0)
    assert first is not None
    large = np.full((64, 64, 4), 9, np.uint8)
    writer.write(Frame(large, 1))
    received = reader.read_newer(first.frame_no, timeout_s=0)
    assert received is not None
    assert np.array_equal(received.rgba, large)
    assert received.epoch == first.epoch + 1
    assert reader.reopened == 1
    assert reader.read_newer(received.frame_no, timeout_s=0) is None
    status = reader.status()
    assert status is not None
    assert status.health is HealthFlag.READY
    assert reader.liveness() is Liveness.LIVE


def test_new_segment_is_whole_before_the_old_one_ends(
    writer: FrameWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    leave = FrameWriter._leave

    def look_first(self: FrameWriter, segment: _Segment, state: SegmentState) -> None:
        old = _vtbf.read_live(segment.fd)
        with writer.path.open("rb") as file:
            new = _vtbf.read_live(file.fileno())
            assert _vtbf.is_locked(file.fileno())
        assert old is not None
        assert new is not None
        seen.append((old[2], new[2]))
        leave(self, segment, state)

    monkeypatch.setattr(FrameWriter, "_leave", look_first)
    writer.write(Frame(np.zeros((64, 64, 4), np.uint8), 1))
    assert seen == [(SegmentState.LIVE, SegmentState.LIVE)]


def test_leftover_of_an_unfinished_move_is_cleared_away(name: str) -> None:
    path = segment_path(name)
    leftover = path.with_name(f".{path.name}.new")
    leftover.touch()
    with FrameWriter.open(name, max_width=8, max_height=8) as writer:
        assert not leftover.exists()
        leftover.touch()
        writer.write(Frame(np.zeros((16, 16, 4), np.uint8), 1))
        assert not leftover.exists()


def test_deleted_segment_whose_name_another_writer_took_is_given_up(name: str) -> None:
    first = FrameWriter.open(name, max_width=8, max_height=8)
    first.path.unlink()
    with FrameWriter.open(name, max_width=8, max_height=8) as second:
        with pytest.raises(AlreadyRunning):
            first.write(Frame(np.zeros((4, 4, 4), np.uint8), 1))
        first.close()
        assert second.path.exists()


def test_moved_segment_says_so_to_who_still_holds_it(writer: FrameWriter, name: str) -> None:
    fd = os.open(writer.path, os.O_RDONLY)
    writer.write(Frame(np.zeros((64, 64, 4), np.uint8), 1))
    live = _vtbf.read_live(fd)
    os.close(fd)
    assert live is not None
    assert live[2] == SegmentState.MOVED


def test_segment_that_somebody_deletes_is_made_anew(
    writer: FrameWriter, reader: FrameReader, caplog: pytest.LogCaptureFixture
) -> None:
    writer.write(SMALL)
    writer.path.unlink()
    writer.write(SMALL)
    writer.write(SMALL)
    assert caplog.text.count("deleted by another program") == 1
    received = reader.read_newer(1, timeout_s=0)
    assert received is not None
    assert received.epoch == 2
    assert reader.liveness() is Liveness.LIVE


def test_second_writer_is_refused_and_told_the_first(writer: FrameWriter, name: str) -> None:
    with pytest.raises(AlreadyRunning, match=rf"process {os.getpid()} writes {writer.path}"):
        FrameWriter.open(name)
    assert writer.write(SMALL) == 1


def test_segment_deleted_between_opening_and_locking_is_not_taken(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer closes while we already have its file open: its lock is free, but gone."""
    leave_dead_segment(name)
    try_lock = _vtbf.try_lock
    locked: list[int] = []

    def delete_then_lock(fd: int) -> bool:
        if not locked:
            segment_path(name).unlink()
        locked.append(fd)
        return try_lock(fd)

    monkeypatch.setattr(_vtbf, "try_lock", delete_then_lock)
    with FrameWriter.open(name) as writer:
        assert len(locked) == 2
        assert writer.path.exists()
        writer.write(SMALL)
        with FrameReader.attach(name) as reader:
            assert reader.read_newer(0, timeout_s=0) is not None


def test_clean_close_leaves_nothing(name: str) -> None:
    writer = FrameWriter.open(name)
    with FrameReader.attach(name) as reader:
        assert writer.path.exists()
        writer.close()
        writer.close()
        assert not segment_path(name).exists()
        assert reader.liveness() is Liveness.CLOSED
    with pytest.raises(ValueError, match="closed"):
        writer.write(SMALL)
    with pytest.raises(FrameTransportError, match="vtbridge run"):
        FrameReader.attach(name)


def test_close_never_deletes_the_segment_of_another(name: str) -> None:
    first = FrameWriter.open(name, max_width=8, max_height=8)
    first.path.unlink()
    with FrameWriter.open(name, max_width=8, max_height=8) as second:
        first.close()
        assert second.path.exists()
        with pytest.raises(AlreadyRunning):
            FrameWriter.open(name)


def test_last_frame_of_a_closed_segment_is_still_handed_out(
    writer: FrameWriter, reader: FrameReader
) -> None:
    writer.write(SMALL)
    writer.close()
    assert reader.read_newer(0, timeout_s=0) is not None


def test_reader_follows_a_writer_that_starts_again(name: str) -> None:
    with FrameWriter.open(name) as writer:
        reader = FrameReader.attach(name)
        for _ in range(5):
            writer.write(SMALL)
        assert reader.read_newer(0, timeout_s=0) is not None
    assert reader.read_newer(5, timeout_s=0) is None
    with FrameWriter.open(name) as writer, reader:
        assert reader.liveness() is Liveness.LIVE
        assert reader.read_newer(5, timeout_s=0) is None
        writer.write(SMALL)
        received = reader.read_newer(5, timeout_s=0)
        assert received is not None
        assert received.frame_no == 1
        assert reader.read_newer(1, timeout_s=0) is None
