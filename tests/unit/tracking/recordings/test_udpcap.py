"""A capture comes back bit for bit, and a damaged one is refused with its place."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest

from vtbridge.errors import PacketError
from vtbridge.tracking.recordings.udpcap import CapturedDatagram, iter_capture


def record(t_s: float, data: bytes) -> bytes:
    return struct.pack("<dI", t_s, len(data)) + data


@pytest.mark.parametrize("packed", [False, True])
def test_datagrams_come_with_their_times(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "session.udpcap"
    content = record(0.0, b"first") + record(0.5, b"") + record(3.0, bytes(65_535))
    path.write_bytes(gzip.compress(content) if packed else content)
    assert list(iter_capture(path)) == [
        CapturedDatagram(0.0, b"first"),
        CapturedDatagram(0.5, b""),
        CapturedDatagram(3.0, bytes(65_535)),
    ]


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
        list(iter_capture(path))
    assert str(path) in str(refusal.value)


def test_datagrams_before_the_damage_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.udpcap"
    path.write_bytes(record(0.0, b"whole") + b"cut")
    datagrams = iter_capture(path)
    assert next(datagrams).data == b"whole"
    with pytest.raises(PacketError):
        next(datagrams)
