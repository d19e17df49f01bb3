"""What a dead writer left, damaged or not, is replaced and never shown."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest

from tests.support.vtbf import SMALL, leave_dead_segment
from vtbridge.datatypes import FrameFlag
from vtbridge.errors import FrameTransportError
from vtbridge.publish.vtbf import AlphaMode, FrameReader, FrameWriter, Liveness, segment_path


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


def _stride(content: bytes | bytearray) -> int:
    return int(struct.unpack_from("<Q", content, 32)[0])
