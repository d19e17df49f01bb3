"""What a file holds is told by its content, and what it cannot be is told to the user."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import ConfigError, PacketError, VtbridgeError
from vtbridge.tracking.livelink import ANGLE_NAMES, SHAPE_NAMES
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow
from vtbridge.tracking.recordings.open import open_recording
from vtbridge.tracking.recordings.session import (
    RecordedDatagram,
    RecordedFace,
    SessionHeader,
    encode_header,
    encode_record,
)
from vtbridge.tracking.senders.performance import face_at

Write = Callable[[bytes], Path]


@pytest.fixture(params=["plain", "gzipped"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Return what writes a file of a name that says nothing, gzipped or not."""

    def write_one(content: bytes) -> Path:
        path = tmp_path / "attachment"
        path.write_bytes(gzip.compress(content) if request.param == "gzipped" else content)
        return path

    return write_one


def capture(*datagrams: bytes) -> bytes:
    return b"".join(
        struct.pack("<dI", number / 10, len(data)) + data for number, data in enumerate(datagrams)
    )


def csv() -> bytes:
    names = [name[0].upper() + name[1:] for name in SHAPE_NAMES]
    header = ",".join(["Timecode", "BlendShapeCount", *names, *ANGLE_NAMES])
    row = ",".join(["10:00:00:00.000", "61", *("0.25" for _ in [*names, *ANGLE_NAMES])])
    return f"{header}\n{row}\n".encode()


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row.name)
def test_capture_is_known_by_its_datagrams(write: Write, row: ProtocolRow) -> None:
    encode = row.encoder()
    sent = [data for n in range(4) for data in encode(face_at(n, n * NS_PER_S))]
    recording = open_recording(write(capture(*sent)))
    assert recording.kind == f"capture of {row.name}"
    for _ in range(2):  # any number of times
        records = list(recording.records())
        assert [r.data for r in records if isinstance(r, RecordedDatagram)] == sent
    first = records[0]
    assert isinstance(first, RecordedDatagram)
    assert (first.source, first.protocol) == (f"{row.name}:capture", row.name)
    assert records[-1].t_ns - first.t_ns == round((len(sent) - 1) / 10 * NS_PER_S)


def test_most_of_the_datagrams_decide(write: Write) -> None:
    phone = next(row for row in PROTOCOLS if row.name == "livelink").encoder()
    sent = [data for n in range(5) for data in phone(face_at(n, n))]
    assert open_recording(write(capture(b"junk", *sent))).kind == "capture of livelink"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_live_link_csv_is_known_by_its_first_line(write: Write, mark: bytes) -> None:
    recording = open_recording(write(mark + csv()))
    assert (recording.kind, recording.faces_are) == ("Live Link CSV", "livelink")
    (record,) = recording.records()
    assert isinstance(record, RecordedFace)
    assert record.face.blendshapes["jawOpen"] == 0.25


def test_session_is_known_by_its_first_bytes(write: Write) -> None:
    header = SessionHeader("1", idle_seed=3)
    face = RecordedFace(NS_PER_S, FaceFrame(NS_PER_S, "webcam:0"))
    recording = open_recording(write(encode_header(header) + encode_record(face)))
    assert (recording.kind, recording.header, recording.faces_are) == ("recording", header, None)
    assert list(recording.records()) == [face]


def test_capture_that_was_cut_gives_what_is_whole(write: Write) -> None:
    (datagram,) = PROTOCOLS[0].encoder()(face_at(0, 0))
    records = open_recording(write(capture(datagram, datagram)[:-1])).records()
    assert isinstance(next(records), RecordedDatagram)
    with pytest.raises(PacketError, match="ends inside a datagram at byte"):
        next(records)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no datagram"),
        (b"# A picture of my cat\n", "is no recording \\(.vtbrec, .udpcap, "),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is no recording \\(.vtbrec, .udpcap, "),
        (capture(b"what", b"is", b"this"), "holds datagrams that no tracker"),
        (csv()[:-1].replace(b"JawOpen", b"Jaw"), "the column JawOpen is missing"),
    ],
)
def test_other_files_are_refused_by_name(write: Write, content: bytes, told: str) -> None:
    path = write(content)
    with pytest.raises(VtbridgeError, match=told) as refusal:
        list(open_recording(path).records())
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "told", "not_told"),
    [
        ("song.wav", "is no recording (.vtbrec, .udpcap, Live Link .csv)", "at byte"),
        ("song.wav.gz", "is no recording (.vtbrec, .udpcap, Live Link .csv)", "at byte"),
        ("bug.vtbrec", "is no recording (.vtbrec, .udpcap, Live Link .csv)", "at byte"),
        ("bug.udpcap", "a time of", "is no recording"),
        ("BUG.UDPCAP.GZ", "a time of", "is no recording"),
        ("sheet.csv", "columns BlendShapeCount, BrowDownLeft, ", "at byte"),
        ("sheet.csv.gz", "columns BlendShapeCount, BrowDownLeft, ", "at byte"),
    ],
)
def test_file_is_refused_as_what_its_name_promises(
    tmp_path: Path, name: str, told: str, not_told: str
) -> None:
    path = tmp_path / name
    content = b"RIFF$\x00\xff\x7fWAVEfmt \n" + b"1,2\n" * 50
    path.write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    with pytest.raises(PacketError) as refusal:
        list(open_recording(path).records())
    assert told in str(refusal.value)
    assert not_told not in str(refusal.value)
    assert str(refusal.value).count(name) == 1


def test_file_that_goes_away_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gone"
    with pytest.raises(ConfigError, match="there is no recording"):
        open_recording(path)
    path.write_bytes(csv())
    recording = open_recording(path)
    path.unlink()
    with pytest.raises(ConfigError, match="there is no recording"):
        list(recording.records())
