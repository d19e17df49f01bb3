"""Recordings: what goes in comes out, and no bytes do more than raise what is promised."""

from __future__ import annotations

import contextlib
import gzip
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError, VtbridgeError
from vtbridge.tracking.recordings.face_json import (
    LARGEST_ANGLE_RAD,
    LONGEST_AGE_NS,
    encode_face,
    parse_face,
)
from vtbridge.tracking.recordings.open import open_recording
from vtbridge.tracking.recordings.session import (
    MAGIC,
    Record,
    RecordedCalibration,
    RecordedDatagram,
    RecordedFace,
    RecordedLoss,
    SessionHeader,
    encode_header,
    encode_record,
    iter_session,
    read_header,
)

T0 = 10**12
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ANGLES = st.floats(-LARGEST_ANGLE_RAD, LARGEST_ANGLE_RAD)
AGES = st.integers(0, LONGEST_AGE_NS)
WEIGHTS = st.dictionaries(st.text(max_size=64), st.floats(0, 1), max_size=60)
GAZES = st.none() | st.builds(Gaze, ANGLES, ANGLES)
NAMES = st.text(max_size=60)
TIMES = st.integers(0, 10**9)
FACES = st.builds(
    FaceFrame,
    t_ns=TIMES,
    source=NAMES,
    tracked=st.booleans(),
    blendshapes=WEIGHTS,
    presets=WEIGHTS,
    head=st.none() | st.builds(HeadPose, ANGLES, ANGLES, ANGLES),
    left_eye=GAZES,
    right_eye=GAZES,
)
RECORDS = st.lists(
    st.builds(RecordedDatagram, TIMES, NAMES, NAMES, st.binary(max_size=2000), st.booleans())
    | st.builds(lambda face, age_ns: RecordedFace(face.t_ns + age_ns, face), FACES, AGES)
    | st.builds(RecordedLoss, TIMES, st.integers(0, 2**64 - 1))
    | st.builds(RecordedCalibration, TIMES),
    max_size=12,
).map(lambda records: sorted(records, key=lambda record: record.t_ns))
JSON_OBJECTS = st.dictionaries(
    st.text(max_size=20),
    st.recursive(
        st.none() | st.booleans() | st.integers() | NUMBERS | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=10,
    ),
    max_size=5,
)
HEADERS = st.builds(
    SessionHeader, st.text(max_size=20), JSON_OBJECTS, st.integers(), JSON_OBJECTS, st.text()
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@given(FACES, AGES)
def test_face_comes_back_exactly(face: FaceFrame, age_ns: int) -> None:
    assert parse_face(encode_face(face, age_ns), face.t_ns + age_ns, face.source) == face


@given(st.binary(max_size=300))
def test_any_bytes_are_a_face_or_refused(data: bytes) -> None:
    with contextlib.suppress(PacketError):
        parse_face(data, 0, "")


@given(HEADERS, RECORDS, st.booleans())
def test_recording_comes_back_exactly(
    folder: Path, header: SessionHeader, records: list[Record], packed: bool
) -> None:
    content = encode_header(header) + b"".join(map(encode_record, records))
    path = folder / "whole.vtbrec"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    assert read_header(path) == header
    assert list(iter_session(path)) == records
    assert list(open_recording(path).records()) == records


def sample() -> tuple[bytes, list[Record]]:
    records: list[Record] = [
        RecordedDatagram(T0, "vmc:127.0.0.1", "vmc", b"abc" * 20),
        RecordedFace(T0 + 1, FaceFrame(T0 - 9, "webcam:0", blendshapes={"jawOpen": 0.5})),
        RecordedDatagram(T0 + 2, "livelink:10.0.0.1", "livelink", bytes(325)),
        RecordedLoss(T0 + 2, 3),
    ]
    header = SessionHeader("1", {"avatar": {"fps": 30.0}}, 1)
    return encode_header(header) + b"".join(map(encode_record, records)), records


def read_as_far_as_possible(path: Path) -> tuple[list[Record], VtbridgeError | None]:
    found: list[Record] = []
    try:
        for record in open_recording(path).records():
            found.append(record)  # noqa: PERF402 - what came before the damage counts
    except VtbridgeError as error:
        return found, error
    return found, None


def test_every_prefix_gives_what_is_whole_in_it(folder: Path) -> None:
    content, records = sample()
    path = folder / "prefix.vtbrec"
    start = len(content) - sum(len(encode_record(record)) for record in records)
    for size in range(start, len(content)):
        path.write_bytes(content[:size])
        found = list(iter_session(path))
        ends = [start + sum(map(len, map(encode_record, records[: i + 1]))) for i in range(4)]
        assert found == records[: sum(end <= size for end in ends)]


def test_every_flipped_bit_is_noticed(folder: Path) -> None:
    content, records = sample()
    path = folder / "flipped.vtbrec"
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        found, refusal = read_as_far_as_possible(path)
        assert found == records[: len(found)]
        if refusal is None:
            assert len(found) < len(records)  # a longer length reads as a cut
        else:
            assert str(path) in str(refusal)


@settings(max_examples=300)
@given(
    st.binary(max_size=600)
    | st.builds(lambda rest: MAGIC + b"\1\0" + rest, st.binary(max_size=300))
    | st.builds(lambda rest: sample()[0] + rest, st.binary(max_size=100)),
    st.booleans(),
)
def test_any_file_is_a_recording_or_refused_by_name(
    folder: Path, content: bytes, packed: bool
) -> None:
    path = folder / "any"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    _, refusal = read_as_far_as_possible(path)
    if refusal is not None:
        assert str(path) in str(refusal)


@pytest.mark.parametrize("packed", [False, True])
def test_memory_stays_small_whatever_the_lengths_say(folder: Path, packed: bool) -> None:
    record = encode_record(RecordedDatagram(T0, "vmc:x", "vmc", bytes(65_535)))
    content = encode_header(SessionHeader("1")) + record * 400
    path = folder / "bomb"
    path.write_bytes(gzip.compress(content) if packed else content)
    tracemalloc.start()
    try:
        assert sum(1 for _ in iter_session(path)) == 400
        assert tracemalloc.get_traced_memory()[1] < 2_000_000  # of 26 MB unpacked
    finally:
        tracemalloc.stop()
