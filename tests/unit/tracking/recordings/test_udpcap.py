"""A capture comes back bit for bit, and a damaged one is refused with its place."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.errors import PacketError
from vtbridge.tracking.recordings.udpcap import (
    CapturedDatagram,
    CaptureWriter,
    iter_capture,
    read_capture,
)

T0 = 12_345 * NS_PER_S


def record(t_s: float, data: bytes) -> bytes:
    return struct.pack("<dI", t_s, len(data)) + data


def test_written_datagrams_come_back(tmp_path: Path) -> None:
    path = tmp_path / "session.udpcap"
    with CaptureWriter(path) as writer:
        writer.write(b"first", T0)
        writer.write(b"", T0 + NS_PER_S // 2)
        writer.write(bytes(65_535), T0 + 3 * NS_PER_S)
    assert read_capture(path) == [
        CapturedDatagram(0.0, b"first"),
        CapturedDatagram(0.5, b""),
        CapturedDatagram(3.0, bytes(65_535)),
    ]


def test_format_is_the_documented_one(tmp_path: Path) -> None:
    path = tmp_path / "session.udpcap"
    with CaptureWriter(path) as writer:
        writer.write(b"ab", T0)
        writer.write(b"c", T0 + NS_PER_S // 4)
    assert path.read_bytes() == record(0.0, b"ab") + record(0.25, b"c")


def test_recording_does_not_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "session.udpcap"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        CaptureWriter(path)
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (record(0.0, b"a")[:5], "ends inside a record at byte 0"),
        (record(0.0, b"a") + record(1.0, b"abc")[:-1], "ends inside a datagram at byte 13"),
        (struct.pack("<dI", 0.0, 0xFFFFFFFF), "a datagram of 4294967295 bytes"),
        (record(1.0, b"a") + record(0.5, b"b"), "a time of 0.5 s after 1.0 s at byte 13"),
        (record(-1.0, b"a"), "a time of -1.0 s"),
        (record(float("nan"), b"a"), "a time of nan s"),
        (record(1e9, b"a"), "a time of 1000000000.0 s"),
        (b"GIF89a is not a capture", "is not a whole .udpcap capture"),
    ],
)
def test_damaged_capture_is_refused(tmp_path: Path, content: bytes, trouble: str) -> None:
    path = tmp_path / "damaged.udpcap"
    path.write_bytes(content)
    with pytest.raises(PacketError, match=trouble) as refusal:
        read_capture(path)
    assert str(path) in str(refusal.value)


def test_datagrams_before_the_damage_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.udpcap"
    path.write_bytes(record(0.0, b"whole") + b"cut")
    datagrams = iter_capture(path)
    assert next(datagrams).data == b"whole"
    with pytest.raises(PacketError):
        next(datagrams)
