"""A recording comes back whole, is read up to a cut, and a damaged one is refused by place."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from pathlib import Path
from types import MappingProxyType

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError, VtbridgeError
from vtbridge.tracking.recordings.session import (
    LONGEST_SESSION_NS,
    MAGIC,
    MAX_DATA_BYTES,
    Record,
    RecordedCalibration,
    RecordedDatagram,
    RecordedFace,
    RecordedLoss,
    SessionHeader,
    encode_header,
    encode_record,
    is_session,
    iter_session,
    read_header,
)

T0 = 12_345 * NS_PER_S
HEADER = SessionHeader(
    vtbridge="1.2.3",
    settings={"avatar": {"fps": 30.0}, "tracking": {"takeover_s": 2.0}},
    idle_seed=77,
    calibration={"rest": [0.5]},
    started="2026-01-02T03:04:05+00:00",
)
FACE = FaceFrame(
    t_ns=T0 + 20,
    source="webcam:0",
    tracked=True,
    blendshapes=MappingProxyType({"jawOpen": 0.1, "eyeBlinkLeft": 1 / 3}),
    presets=MappingProxyType({"aa": 0.25}),
    head=HeadPose(0.1, -0.2, 0.3),
    left_eye=Gaze(0.01, 0.02),
    right_eye=None,
)
RECORDS: tuple[Record, ...] = (
    RecordedDatagram(T0, "vmc:127.0.0.1", "vmc", b"first", fresh=True),
    RecordedDatagram(T0, "vmc:127.0.0.1", "vmc", b""),
    RecordedDatagram(T0 + 10, "openseeface:10.0.0.2", "openseeface", bytes(65_535)),
    RecordedDatagram(T0 + 10, "fmv3:10.0.0.2", "fmv3", bytes(MAX_DATA_BYTES)),
    RecordedFace(FACE.t_ns, FACE),
    RecordedFace(T0 + 30, FaceFrame(T0 - NS_PER_S // 25, "webcam:0")),
    RecordedFace(T0 + 30, FaceFrame(T0 + 30, "microphone:ü", tracked=False)),
    RecordedLoss(T0 + 30, 12),
    RecordedCalibration(T0 + 31),
)


def whole(*records: Record, header: SessionHeader = HEADER) -> bytes:
    return encode_header(header) + b"".join(map(encode_record, records))


def written(folder: Path, content: bytes) -> Path:
    path = folder / "session.vtbrec"
    path.write_bytes(content)
    return path


def datagram(number: int) -> RecordedDatagram:
    return RecordedDatagram(T0 + number, "vmc:127.0.0.1", "vmc", b"%d" % number)


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_recorded_comes_back(tmp_path: Path, packed: bool) -> None:
    content = whole(*RECORDS)
    path = written(tmp_path, gzip.compress(content) if packed else content)
    assert is_session(path)
    assert read_header(path) == HEADER
    assert tuple(iter_session(path)) == RECORDS


def test_format_is_the_documented_one(tmp_path: Path) -> None:
    header = b'{"vtbridge":"1","settings":{},"idle_seed":5,"calibration":{},"started":""}'
    rest = struct.pack("<BBBBqI", 1, 3, 2, 1, T0, 4) + b"a:bab" + b"data"
    path = written(
        tmp_path,
        b"\x89VTBREC\n"
        + struct.pack("<HII", 1, len(header), zlib.crc32(header))
        + header
        + struct.pack("<I", zlib.crc32(rest))
        + rest,
    )
    assert read_header(path) == SessionHeader("1", idle_seed=5)
    assert list(iter_session(path)) == [RecordedDatagram(T0, "a:b", "ab", b"data", fresh=True)]
    assert whole(*iter_session(path), header=read_header(path)) == path.read_bytes()


@pytest.mark.parametrize("packed", [False, True])
def test_recording_cut_by_a_crash_is_read_up_to_the_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, packed: bool
) -> None:
    content = whole(datagram(1), datagram(2))
    cut = gzip.compress(content)[:-9] if packed else content[:-1]
    found = list(iter_session(written(tmp_path, cut)))
    assert found == ([datagram(1), datagram(2)] if packed else [datagram(1)])[: len(found)]
    assert found
    (warning,) = caplog.messages
    assert "cut short at byte" in warning
    assert "session.vtbrec" in warning


def test_zeros_that_a_crash_of_the_system_left_are_a_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, whole(datagram(1)) + bytes(4096))
    assert list(iter_session(path)) == [datagram(1)]
    assert "cut short" in caplog.text


def test_whole_recording_is_read_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    list(iter_session(written(tmp_path, whole(datagram(1)))))
    assert not caplog.messages


def test_records_before_the_damage_are_read(tmp_path: Path) -> None:
    content = bytearray(whole(datagram(1), datagram(2), datagram(3)))
    place = len(whole(datagram(1)))
    content[place + 25] ^= 1
    path = written(tmp_path, bytes(content))
    records = iter_session(path)
    assert next(records) == datagram(1)
    with pytest.raises(PacketError, match=f"checksum is wrong at byte {place}; copy it") as refusal:
        next(records)
    assert str(path) in str(refusal.value)


def face_record(content: bytes) -> bytes:
    rest = struct.pack("<BBBBqI", 2, 1, 0, 0, T0, len(content)) + b"w" + content
    return struct.pack("<I", zlib.crc32(rest)) + rest


def raw_record(kind: int, flags: int, t_ns: int, data: bytes = b"", size: int = -1) -> bytes:
    length = len(data) if size < 0 else size
    rest = struct.pack("<BBBBqI", kind, 1, 1, flags, t_ns, length) + b"\xc3s" + data
    return struct.pack("<I", zlib.crc32(rest)) + rest


@pytest.mark.parametrize(
    ("records", "trouble"),
    [
        (raw_record(1, 0, T0, size=1 << 31), "a record of 2147483648 bytes"),
        (raw_record(1, 0, T0), "a name that is not UTF-8"),
        (raw_record(1, 2, T0), "checksum"),
        (raw_record(9, 0, T0).replace(b"\xc3s", b"ss"), "checksum"),
        (encode_record(RecordedLoss(T0, 1)) + encode_record(datagram(-1)), "a time of -1e-09 s"),
        (encode_record(datagram(-T0 - 5)), "a time of"),
        (
            encode_record(datagram(0)) + encode_record(datagram(LONGEST_SESSION_NS + 1)),
            "a time of 604800.000000001 s",
        ),
        (face_record(b"["), "no JSON"),
        (face_record(b"[" * 60_000), "no JSON"),
        (face_record(b"9" * 60_000), "no JSON"),
        (face_record(b"[]"), "unknown fields"),
        (face_record(b'{"tracked":1}'), "tracked is 1"),
        (face_record(b'{"tracked":true,"left":1}'), "unknown fields"),
        (face_record(b'{"tracked":true,"head":[0.0,0.0]}'), "head is not 3 angles"),
        (face_record(b'{"tracked":true,"head":[0.0,0.0,NaN]}'), "head holds"),
        (face_record(b'{"tracked":true,"blendshapes":{"jawOpen":NaN}}'), "jawOpen"),
        (face_record(b'{"tracked":true,"blendshapes":{"jawOpen":1e300}}'), "jawOpen"),
        (face_record(b'{"tracked":true,"blendshapes":{"jawOpen":"1"}}'), "jawOpen"),
        (face_record(b'{"tracked":true,"blendshapes":{"jawOpen":1.01}}'), "jawOpen"),
        (face_record(b'{"tracked":true,"presets":{"aa":-0.01}}'), "aa"),
        (face_record(b'{"tracked":true,"presets":[]}'), "presets is no table"),
        (face_record(b'{"tracked":true,"head":[0.0,0.0,6.3]}'), "head holds"),
        (face_record(b'{"tracked":true,"left_eye":[1e308,0.0]}'), "left_eye holds"),
        (face_record(b'{"tracked":true,"age_ns":-1}'), "age_ns is -1"),
        (face_record(b'{"tracked":true,"age_ns":60000000001}'), "age_ns is 60000000001"),
        (face_record(b'{"tracked":true,"age_ns":1.0}'), "age_ns is 1.0"),
        (face_record(b'{"tracked":true,"age_ns":true}'), "age_ns is True"),
    ],
)
def test_damaged_record_is_refused_with_its_place(
    tmp_path: Path, records: bytes, trouble: str
) -> None:
    path = written(tmp_path, encode_header(HEADER) + records)
    with pytest.raises(PacketError, match=trouble) as refusal:
        list(iter_session(path))
    assert str(path) in str(refusal.value)
    assert "at byte " in str(refusal.value)
    assert "record again" in str(refusal.value)


@pytest.mark.parametrize("kind", [0, 3, 5, 255])
def test_unknown_kind_is_refused(tmp_path: Path, kind: int) -> None:
    rest = struct.pack("<BBBBqI", kind, 0, 0, 0, T0, 0)
    record = struct.pack("<I", zlib.crc32(rest)) + rest
    with pytest.raises(PacketError, match=f"a record of kind {kind}"):
        list(iter_session(written(tmp_path, encode_header(HEADER) + record)))


def header_of(content: bytes) -> bytes:
    return MAGIC + struct.pack("<HII", 1, len(content), zlib.crc32(content)) + content


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"", "does not begin as one"),
        (b"GIF89a", "does not begin as one"),
        (encode_header(HEADER)[:12], "ends inside the header"),
        (encode_header(HEADER)[:-1], "ends inside the header"),
        (MAGIC + struct.pack("<HII", 1, 1 << 31, 0), "a header of 2147483648 bytes"),
        (MAGIC + struct.pack("<HII", 1, 2, 0) + b"{}", "checksum"),
        (header_of(b"{}"), "lacks a field"),
        (header_of(b"[" * 100_000), "no JSON"),
        (header_of(b"\xff"), "no JSON"),
    ],
)
def test_damaged_header_is_refused(tmp_path: Path, content: bytes, trouble: str) -> None:
    path = written(tmp_path, content)
    for read in (read_header, lambda p: list(iter_session(p))):
        with pytest.raises(PacketError, match=trouble):
            read(path)


def test_recording_of_a_newer_vtbridge_is_told_apart_from_damage(tmp_path: Path) -> None:
    path = written(tmp_path, MAGIC + struct.pack("<HII", 2, 0, 0))
    with pytest.raises(VtbridgeError, match=r"of format 2.*use the vtbridge") as error:
        read_header(path)
    assert not isinstance(error.value, PacketError)


def test_other_files_are_no_recording(tmp_path: Path) -> None:
    for content in (
        b"",
        b"\x1f\x8b",
        gzip.compress(b"x"),
        b"\x1f\x8bgarbage",
        json.dumps({}).encode(),
    ):
        assert not is_session(written(tmp_path, content))


def test_settings_too_large_for_the_header_are_refused() -> None:
    with pytest.raises(VtbridgeError, match="do not fit"):
        encode_header(SessionHeader("1", settings={"avatar": "x" * (1 << 18)}))


def test_record_that_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode_record(RecordedDatagram(T0, "vmc:x", "vmc", bytes(MAX_DATA_BYTES + 1)))
    with pytest.raises(ValueError, match="does not fit"):
        encode_record(RecordedDatagram(T0, "v" * 256, "vmc", b""))
