from __future__ import annotations

import errno
import mmap
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.vtbf import shaded_frames, shows
from vtbridge.clock import ManualClock
from vtbridge.datatypes import Frame, FrameFlag
from vtbridge.errors import AlreadyRunning, FrameTransportError
from vtbridge.publish import _vtbf
from vtbridge.publish.frame_writer import _Segment
from vtbridge.publish.vtbf import (
    AlphaMode,
    FrameReader,
    FrameWriter,
    HealthFlag,
    Liveness,
    SegmentState,
    segment_path,
)

SMALL = Frame(np.arange(8 * 12 * 4, dtype=np.uint8).reshape(8, 12, 4), t_capture_ns=77)


@pytest.fixture
def writer(name: str) -> Iterator[FrameWriter]:
    with FrameWriter.open(name, max_width=32, max_height=32) as opened:
        yield opened


@pytest.fixture
def reader(name: str, writer: FrameWriter) -> Iterator[FrameReader]:
    with FrameReader.attach(name) as attached:
        yield attached


def leave_dead_segment(name: str, frames: int = 1) -> bytes:
    """Leave behind what a killed writer of 32x32 frames leaves, and return its bytes."""
    path = segment_path(name)
    with FrameWriter.open(name, max_width=32, max_height=32) as writer:
        for number in range(1, frames + 1):
            writer.write(shaded_frames(8, 8)[number % 16])
        content = path.read_bytes()
    path.touch(0o600)
    path.write_bytes(content)
    return content


def test_frame_arrives_as_it_was_written(writer: FrameWriter, reader: FrameReader) -> None:
    before_ns = time.monotonic_ns()
    flags = FrameFlag.TRACKER_LOST | FrameFlag.PLACEHOLDER
    number = writer.write(Frame(SMALL.rgba, 77, flags))
    received = reader.read_newer(0, timeout_s=0)
    assert received is not None
    assert received.frame_no == number == 1
    assert received.rgba.shape == (8, 12, 4)
    assert np.array_equal(received.rgba, SMALL.rgba)
    assert not received.rgba.flags.writeable
    assert received.flags == flags
    assert received.alpha_mode is AlphaMode.PREMULTIPLIED
    assert received.t_capture_ns == 77
    assert before_ns <= received.t_publish_ns <= time.monotonic_ns()
    assert received.epoch == writer.epoch == 1


def test_received_frame_outlives_its_slot(writer: FrameWriter, reader: FrameReader) -> None:
    frames = shaded_frames(32, 32)
    writer.write(frames[1])
    received = reader.read_newer(0, timeout_s=0)
    assert received is not None
    for number in range(2, 12):
        writer.write(frames[number])
    assert shows(received.rgba, 1)


def test_only_newer_frames_are_handed_out(writer: FrameWriter, reader: FrameReader) -> None:
    assert reader.read_newer(0, timeout_s=0) is None
    for _ in range(3):
        writer.write(SMALL)
    received = reader.read_newer(1, timeout_s=0)
    assert received is not None
    assert received.frame_no == 3
    assert reader.read_newer(3, timeout_s=0) is None


def test_waiting_reader_is_woken_by_a_frame(writer: FrameWriter, reader: FrameReader) -> None:
    timer = threading.Timer(0.05, writer.write, [SMALL])
    timer.start()
    received = reader.read_newer(0, timeout_s=30)
    timer.join()
    assert received is not None
    assert received.frame_no == 1


def test_sleeping_reader_is_woken_by_the_kernel_not_by_its_own_clock(writer: FrameWriter) -> None:
    """Without the wake-up, the wait would end by its time-out and say so."""
    answers: list[int] = []
    with writer.path.open("rb") as file:
        page = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)

    def sleep() -> None:
        live = _vtbf.read_live(fd)
        assert live is not None
        answers.append(_vtbf.wait(page, live[6], 5_000_000_000))

    fd = os.open(writer.path, os.O_RDONLY)
    while not answers or answers[-1] == errno.EAGAIN:  # the frame came before the sleep
        thread = threading.Thread(target=sleep)
        thread.start()
        time.sleep(0.05)
        writer.write(SMALL)
        thread.join()
    os.close(fd)
    page.close()
    assert answers[-1] == 0


def test_frame_that_comes_while_the_header_is_read_is_not_slept_over(
    writer: FrameWriter, reader: FrameReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reading of the header has the wake word of after the frame, but its number of before."""
    read_live = _vtbf.read_live
    torn: list[int] = []
    waits: list[int] = []

    def read_torn(fd: int) -> _vtbf.Live | None:
        before = read_live(fd)
        if torn:
            return before
        torn.append(fd)
        writer.write(SMALL)
        after = read_live(fd)
        assert before is not None
        assert after is not None
        assert (before[5], before[6]) != (after[5], after[6])
        return (*before[:6], *after[6:])

    def wait(page: mmap.mmap, wake: int, timeout_ns: int) -> int:
        waits.append(wake)
        return 0

    monkeypatch.setattr(_vtbf, "read_live", read_torn)
    monkeypatch.setattr(_vtbf, "wait", wait)
    received = reader.read_newer(0, timeout_s=5)
    assert received is not None
    assert received.frame_no == 1
    assert torn
    assert waits == []


def test_every_size_up_to_the_maximum_fits_in_place(
    writer: FrameWriter, reader: FrameReader
) -> None:
    inode = writer.path.stat().st_ino
    for height, width in [(32, 32), (1, 1), (1, 1024), (1024, 1), (31, 3)]:
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
        number = writer.write(Frame(pixels, 1))
        received = reader.read_newer(number - 1, timeout_s=0)
        assert received is not None
        assert np.array_equal(received.rgba, pixels)
    assert writer.path.stat().st_ino == inode


def test_view_with_gaps_is_written_like_its_copy(writer: FrameWriter, reader: FrameReader) -> None:
    whole = np.random.default_rng(1).integers(0, 256, (16, 16, 4), np.uint8)
    writer.write(Frame(whole[::2, 3:9], 1))
    received = reader.read_newer(0, timeout_s=0)
    assert received is not None
    assert np.array_equal(received.rgba, whole[::2, 3:9])


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((4, 4, 4), np.float32),
        np.zeros((16, 4), np.uint8),
        np.zeros((0, 4, 4), np.uint8),
        np.zeros((1, 16385, 4), np.uint8),
    ],
)
def test_what_is_no_frame_is_refused(pixels: np.ndarray, writer: FrameWriter) -> None:
    with pytest.raises(ValueError, match=r"frame"):
        writer.write(Frame(pixels, 1))
    assert writer.write(SMALL) == 1


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


def test_dead_writers_segment_is_taken_over_in_place(name: str) -> None:
    leave_dead_segment(name, frames=3)
    inode = segment_path(name).stat().st_ino
    with FrameReader.attach(name) as reader:
        assert reader.liveness() is Liveness.GONE
        last = reader.read_newer(0, timeout_s=0)
        assert last is not None
        assert last.frame_no == 3
        with FrameWriter.open(name, max_width=16, max_height=16) as writer:
            assert writer.path.stat().st_ino == inode
            assert writer.epoch == 2
            assert reader.liveness() is Liveness.LIVE
            assert writer.write(SMALL) == 4
            received = reader.read_newer(3, timeout_s=0)
            assert received is not None
            assert (received.frame_no, received.epoch) == (4, 2)
        assert reader.reopened == 0


@pytest.mark.parametrize(
    "wanted",
    [
        {"max_width": 64, "max_height": 64},
        {"max_width": 32, "max_height": 32, "slot_count": 3},
    ],
)
def test_dead_segment_of_other_measures_is_replaced(name: str, wanted: dict[str, int]) -> None:
    leave_dead_segment(name, frames=3)
    with (
        FrameReader.attach(name) as reader,
        FrameWriter.open(name, **wanted) as writer,  # type: ignore[arg-type]
    ):
        assert writer.epoch == 2
        assert writer.write(SMALL) == 1
        received = reader.read_newer(3, timeout_s=0)
        assert received is not None
        assert received.frame_no == 1


@pytest.mark.parametrize(
    ("offset", "bytes_there"),
    [
        (0, bytes(8)),  # killed before the magic was stored
        (0, bytes(4096)),  # killed after the allocation
        (8, b"\2"),  # another major version
        (24, b"\xff\xff\xff\xff"),  # damaged slot count
        (128, b"\xff" * 8),  # damaged frame number
        (60, b"\x09"),  # unknown state
    ],
)
def test_damaged_segment_of_ours_is_replaced(name: str, offset: int, bytes_there: bytes) -> None:
    content = bytearray(leave_dead_segment(name))
    content[offset : offset + len(bytes_there)] = bytes_there
    segment_path(name).write_bytes(content)
    with FrameWriter.open(name, max_width=32, max_height=32) as writer:
        assert writer.write(SMALL) == 1
        with FrameReader.attach(name) as reader:
            assert reader.read_newer(0, timeout_s=0) is not None


@pytest.mark.parametrize("kept_bytes", [0, 100, 4096, 10_000])
def test_truncated_segment_of_ours_is_replaced(name: str, kept_bytes: int) -> None:
    leave_dead_segment(name)
    os.truncate(segment_path(name), kept_bytes)
    with FrameWriter.open(name, max_width=32, max_height=32) as writer:
        assert writer.write(SMALL) == 1


@pytest.mark.parametrize("kept_bytes", [0, 100, 4096, 5000])
def test_truncation_never_kills_a_reader(name: str, kept_bytes: int) -> None:
    leave_dead_segment(name)
    with FrameReader.attach(name) as reader:
        os.truncate(segment_path(name), kept_bytes)
        assert reader.read_newer(0, timeout_s=0.2) is None
        assert reader.liveness() is Liveness.GONE
        with FrameWriter.open(name, max_width=32, max_height=32) as writer:
            writer.write(SMALL)
            assert reader.read_newer(0, timeout_s=0) is not None


def test_segment_without_magic_counts_as_starting(name: str) -> None:
    content = leave_dead_segment(name)
    segment_path(name).write_bytes(bytes(8) + content[8:])
    with pytest.raises(FrameTransportError, match="vtbridge run"):
        FrameReader.attach(name)


def test_other_major_version_is_told_apart_from_damage(name: str) -> None:
    content = bytearray(leave_dead_segment(name))
    content[8:10] = struct.pack("<H", 2)
    segment_path(name).write_bytes(content)
    with pytest.raises(FrameTransportError, match=r"another major version.*update"):
        FrameReader.attach(name)


def test_frame_that_breaks_the_rules_is_an_error_and_no_picture(name: str) -> None:
    content = bytearray(leave_dead_segment(name))
    slot = 4096 + _stride(content)  # of frame 1
    content[slot + 44 : slot + 48] = struct.pack("<I", 9)  # one row more than its payload holds
    segment_path(name).write_bytes(content)
    with (
        FrameReader.attach(name) as reader,
        pytest.raises(FrameTransportError, match="breaks the frame protocol"),
    ):
        reader.read_newer(0, timeout_s=0)


def test_slot_left_half_written_is_never_shown(name: str) -> None:
    content = bytearray(leave_dead_segment(name, frames=2))
    slot = 4096 + 2 * _stride(content)
    content[slot : slot + 8] = struct.pack("<Q", 3)
    segment_path(name).write_bytes(content)
    with FrameReader.attach(name) as reader:
        assert reader.read_newer(0, timeout_s=0) is None
        assert reader.torn > 0


def test_frame_of_another_writer_may_be_bgra_with_padded_rows(name: str) -> None:
    content = bytearray(leave_dead_segment(name))
    pixels = np.random.default_rng(2).integers(0, 256, (5, 7, 4), np.uint8)
    padded = np.zeros((5, 40), np.uint8)
    padded[:, :28] = pixels.reshape(5, 28)
    slot = 4096 + _stride(content)
    content[slot : slot + 72] = struct.pack(
        "<5Q4I3I4B",
        2,
        1,
        1,
        5,
        6,
        7,
        5,
        40,
        0x41524742,
        200,
        1,
        zlib.crc32(padded.data),
        0,
        1,
        13,
        1,
    )
    content[slot + 128 : slot + 328] = padded.tobytes()
    segment_path(name).write_bytes(content)
    with FrameReader.attach(name) as reader:
        received = reader.read_newer(0, timeout_s=0)
    assert received is not None
    assert np.array_equal(received.rgba, pixels[:, :, [2, 1, 0, 3]])
    assert not received.rgba.flags.writeable
    assert received.alpha_mode is AlphaMode.STRAIGHT
    assert received.flags is FrameFlag.REPEAT


def test_liveness_tells_hung_from_live_by_the_heartbeat(name: str, writer: FrameWriter) -> None:
    clock = ManualClock(time.monotonic_ns())
    with FrameReader.attach(name, clock=clock) as reader:
        writer.heartbeat()
        assert reader.liveness() is Liveness.LIVE
        clock.advance(3600)
        assert reader.liveness() is Liveness.HUNG
    with FrameReader.attach(name) as reader:
        before = reader.status()
        writer.heartbeat()
        after = reader.status()
        assert before is not None
        assert after is not None
        assert after.heartbeat_ns > before.heartbeat_ns
        assert after.latest == before.latest


def test_health_and_aim_reach_the_reader(name: str) -> None:
    with FrameWriter.open(name, nominal_fps=29.97) as writer, FrameReader.attach(name) as reader:
        writer.set_health(HealthFlag.READY | HealthFlag.SLOW)
        status = reader.status()
        assert status is not None
        assert status.health == HealthFlag.READY | HealthFlag.SLOW
        assert status.nominal_fps == pytest.approx(29.97)
        assert status.writer_pid == os.getpid()
        assert status.state is SegmentState.LIVE
        assert any(status.uuid)


def test_segment_is_private_and_allocated(writer: FrameWriter) -> None:
    found = writer.path.stat()
    assert found.st_mode & 0o777 == 0o600
    assert found.st_blocks * 512 >= found.st_size == _vtbf.total_bytes(4, 32 * 32 * 4)


def test_umask_does_not_shut_the_writer_out(name: str) -> None:
    before = os.umask(0o777)
    try:
        with FrameWriter.open(name, max_width=8, max_height=8):
            assert segment_path(name).stat().st_mode & 0o777 == 0o600
            FrameReader.attach(name).close()
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_width": 0},
        {"max_height": 16385},
        {"slot_count": 1},
        {"slot_count": 17},
        {"nominal_fps": 0},
        {"nominal_fps": 1001},
    ],
)
def test_measure_out_of_range_is_refused(name: str, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        FrameWriter.open(name, **wrong)  # type: ignore[arg-type]
    assert not segment_path(name).exists()


def test_second_thread_cannot_write_into_a_write(name: str) -> None:
    """Two threads write at full speed: each call returns its own number or refuses."""
    opened = FrameWriter.open(name, max_width=1024, max_height=1024, slot_count=2)
    frame = shaded_frames(1024, 1024)[0]
    numbers: list[int] = []
    refused: list[str] = []

    def write_many() -> None:
        for _ in range(60):
            try:
                numbers.append(opened.write(frame))
            except RuntimeError as error:
                refused.append(str(error))

    with opened:
        threads = [threading.Thread(target=write_many) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert len(numbers) + len(refused) == 120
    assert refused
    assert all("another thread" in text for text in refused)


def test_descriptors_and_maps_are_given_back(name: str) -> None:
    def open_descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_descriptors()
    for _ in range(20):
        with FrameWriter.open(name, max_width=8, max_height=8) as writer:
            with FrameReader.attach(name) as reader:
                writer.write(Frame(np.zeros((16, 16, 4), np.uint8), 1))
                reader.read_newer(0, timeout_s=0)
            with pytest.raises(AlreadyRunning):
                FrameWriter.open(name)
    assert open_descriptors() == before
    assert name not in Path("/proc/self/maps").read_text()


def _stride(content: bytes | bytearray) -> int:
    return int(struct.unpack_from("<Q", content, 32)[0])
