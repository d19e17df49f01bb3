"""Frames through shared memory: whole, in order, only newer ones, within their measures."""

from __future__ import annotations

import errno
import mmap
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.vtbf import SMALL, shaded_frames, shows
from vtbridge.clock import ManualClock
from vtbridge.datatypes import Frame, FrameFlag
from vtbridge.errors import AlreadyRunning
from vtbridge.publish import _vtbf
from vtbridge.publish.vtbf import (
    AlphaMode,
    FrameReader,
    FrameWriter,
    HealthFlag,
    Liveness,
    SegmentState,
    segment_path,
)


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
