"""Recording never holds a tracker up, and a disk that is slow or full costs only records."""

from __future__ import annotations

import errno
import gzip
import io
import logging
import math
import threading
import time
from pathlib import Path

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.recordings.session import (
    LONGEST_SESSION_NS,
    Record,
    RecordedCalibration,
    RecordedDatagram,
    RecordedFace,
    RecordedLoss,
    SessionHeader,
    encode_header,
    iter_session,
    read_header,
)
from vtbridge.tracking.recordings.writer import MAX_WAITING_BYTES, SessionWriter, create_session

T0 = 12_345 * NS_PER_S
HEADER = SessionHeader("1.2.3", {"avatar": {"fps": 60.0}}, idle_seed=9)
VMC = "vmc:127.0.0.1"


def finished(writer: SessionWriter) -> None:
    assert writer.stop(timeout_s=30)
    assert writer.failure is None


class Memory(io.BytesIO):
    """A file whose content can be had after it is closed, and that can be full or stuck."""

    def __init__(self, room: int = 1 << 40) -> None:
        super().__init__()
        self.room = room
        self.content = b""
        self.writes = 0
        self.ready = threading.Event()
        self.ready.set()

    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        self.ready.wait()
        self.writes += 1
        part = data[: max(self.room - len(self.content), 0)]
        self.content += part
        if len(part) < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)


def read_back(folder: Path, memory: Memory) -> list[Record]:
    path = folder / "memory.vtbrec"
    path.write_bytes(memory.content)
    return list(iter_session(path))


@pytest.mark.parametrize("name", ["session.vtbrec", "session.vtbrec.gz"])
def test_what_the_tap_saw_is_in_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    writer = create_session(path, HEADER)
    writer.start()
    writer.datagram(VMC, b"one", T0, fresh=True)
    writer.face(FaceFrame(T0 + 5, "webcam:0"))
    writer.datagram(VMC, b"two", T0 + 9)
    writer.calibration(T0 + 10)
    finished(writer)
    assert path.read_bytes().startswith(b"\x1f\x8b") == (path.suffix == ".gz")
    assert read_header(path) == HEADER
    assert list(iter_session(path)) == [
        RecordedDatagram(T0, VMC, "vmc", b"one", fresh=True),
        RecordedFace(FaceFrame(T0 + 5, "webcam:0")),
        RecordedDatagram(T0 + 9, VMC, "vmc", b"two"),
        RecordedCalibration(T0 + 10),
    ]
    assert (writer.records, writer.lost, writer.trouble) == (4, 0, "")
    unpacked = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert writer.size == len(unpacked)


def test_recording_does_not_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "session.vtbrec"
    path.write_bytes(b"precious")
    with pytest.raises(VtbridgeError, match="is there already; name another"):
        create_session(path, HEADER)
    assert path.read_bytes() == b"precious"


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(VtbridgeError, match=r"absent/session.vtbrec cannot be made"):
        create_session(tmp_path / "absent" / "session.vtbrec", HEADER)


def test_settings_that_do_not_fit_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "session.vtbrec"
    with pytest.raises(VtbridgeError, match="do not fit"):
        create_session(path, SessionHeader("1", {"avatar": "x" * (1 << 18)}))
    assert not path.exists()


@pytest.mark.parametrize("room", [0, 5, 400, 20_000])
def test_full_disk_ends_the_recording_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, room: int
) -> None:
    memory = Memory(len(encode_header(HEADER)) + room)
    writer = SessionWriter(memory, HEADER, "full.vtbrec")
    for number in range(10_000):
        writer.datagram(VMC, b"x", T0 + number)
    writer.start()
    finished(writer)
    stopped = [message for message in caplog.messages if "stopped" in message]
    assert stopped == [
        "recording to full.vtbrec stopped: No space left on device; the avatar goes on"
    ]
    kept = read_back(tmp_path, memory)
    assert writer.records <= len(kept) < 10_000
    assert writer.records + writer.lost == 10_000
    before = writer.lost
    writer.datagram(VMC, b"x", T0 + 10_000)
    assert writer.lost == before + 1, "what comes later is counted too"


def test_disk_that_is_full_from_the_start_is_told(caplog: pytest.LogCaptureFixture) -> None:
    writer = SessionWriter(Memory(3), HEADER, "full.vtbrec")
    writer.start()
    writer.datagram(VMC, b"x", T0)
    finished(writer)
    assert "stopped: No space left" in caplog.text
    assert (writer.records, writer.lost) == (0, 1)


def test_stuck_disk_holds_nobody_up_and_the_gap_is_told(tmp_path: Path) -> None:
    memory = Memory()
    memory.ready.clear()
    writer = SessionWriter(memory, HEADER, "slow.vtbrec")
    writer.start()
    sent = 2 * MAX_WAITING_BYTES // 60_000
    for number in range(sent):
        writer.datagram(VMC, bytes(60_000), T0 + number)  # would hang if it waited
    assert 0 < writer.lost < sent
    lost = writer.lost
    memory.ready.set()
    finished(writer)
    records = read_back(tmp_path, memory)
    assert [r.count for r in records if isinstance(r, RecordedLoss)] == [lost]
    assert sum(isinstance(r, RecordedDatagram) for r in records) == sent - lost


def test_time_in_the_file_never_runs_back_though_threads_race(tmp_path: Path) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "m")
    writer.datagram(VMC, b"late", T0 + 5)
    writer.face(FaceFrame(T0 + 3, "webcam:0"))
    writer.datagram("ifacialmocap:10.0.0.1", b"later", T0 + 4)
    writer.start()
    finished(writer)
    assert [record.t_ns for record in read_back(tmp_path, memory)] == [T0 + 3, T0 + 4, T0 + 5]


def test_record_of_a_thread_that_was_held_up_for_long_is_kept(tmp_path: Path) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "m")
    writer.datagram(VMC, b"first", T0 + 5)
    writer.start()
    deadline_s = time.monotonic() + 30
    while b"first" not in memory.content:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    writer.face(FaceFrame(T0 + 3, "webcam:0"))
    finished(writer)
    assert [record.t_ns for record in read_back(tmp_path, memory)] == [T0 + 5, T0 + 5]


@pytest.mark.parametrize(
    "face",
    [
        FaceFrame(T0, "webcam:0", blendshapes={"jawOpen": math.nan}),
        FaceFrame(T0, "webcam:0", blendshapes={"jawOpen": 1e9}),
        FaceFrame(T0, "webcam:0", blendshapes={f"shape{i}": 0.5 for i in range(300)}),
    ],
)
def test_face_that_would_spoil_the_file_is_left_out(tmp_path: Path, face: FaceFrame) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "m")
    writer.face(face)
    writer.datagram(VMC, bytes(65_536), T0)
    writer.datagram(VMC, b"good", T0)
    writer.start()
    finished(writer)
    assert read_back(tmp_path, memory) == [RecordedDatagram(T0, VMC, "vmc", b"good")]
    assert writer.lost == 2


def test_long_path_of_a_video_is_no_obstacle(tmp_path: Path) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "m")
    writer.face(FaceFrame(T0, "webcam:/" + "ü" * 500))
    writer.start()
    finished(writer)
    (record,) = read_back(tmp_path, memory)
    assert isinstance(record, RecordedFace)
    assert record.face.source.startswith("webcam:/ü")


def test_recording_ends_at_its_longest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "long.vtbrec", max_bytes=2000)
    for number in range(100):
        writer.datagram(VMC, bytes(100), T0 + number)
    writer.start()
    finished(writer)
    assert "as long as it may be" in writer.trouble
    assert len(memory.content) <= 2000
    assert writer.records + writer.lost == 100


def test_recording_ends_after_a_week(caplog: pytest.LogCaptureFixture) -> None:
    writer = SessionWriter(Memory(), HEADER, "long.vtbrec")
    writer.datagram(VMC, b"x", T0)
    writer.datagram(VMC, b"x", T0 + LONGEST_SESSION_NS + 1)
    writer.start()
    finished(writer)
    assert "a week" in writer.trouble


def test_losses_are_told_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    writer = SessionWriter(Memory(), HEADER, "m.vtbrec")
    writer.datagram(VMC, bytes(65_536), T0)
    writer.start()
    finished(writer)
    assert "left out of m.vtbrec: 1 records" in caplog.text
