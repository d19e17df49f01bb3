"""Recording never holds a tracker up, and a disk that is slow or full costs only records."""

from __future__ import annotations

import errno
import gzip
import io
import logging
import math
import os
import stat
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import FaceFrame, HeadPose
from vtbridge.errors import VtbridgeError
from vtbridge.flow.service import ThreadService
from vtbridge.tracking.protocols import fmv3_messages as fmv3
from vtbridge.tracking.recordings.face_json import LONGEST_AGE_NS
from vtbridge.tracking.recordings.session import (
    LONGEST_SESSION_NS,
    MAX_DATA_BYTES,
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
from vtbridge.tracking.recordings.writer import (
    LAST_WRITE_S,
    MAX_WAITING_BYTES,
    SessionWriter,
    check_new,
    create_session,
)

T0 = 12_345 * NS_PER_S
HEADER = SessionHeader("1.2.3", {"avatar": {"fps": 60.0}}, idle_seed=9)
VMC = "vmc:127.0.0.1"
CLOCK = ManualClock(T0)
"""For all that no face is dated by."""


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
        if data and not part:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(part)


def read_back(folder: Path, memory: Memory) -> list[Record]:
    path = folder / "memory.vtbrec"
    path.write_bytes(memory.content)
    return list(iter_session(path))


@pytest.mark.parametrize("name", ["session.vtbrec", "session.vtbrec.gz"])
def test_what_the_tap_saw_is_in_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    writer = create_session(path, HEADER, CLOCK)
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
        RecordedFace(T0 + 5, FaceFrame(T0 + 5, "webcam:0")),
        RecordedDatagram(T0 + 9, VMC, "vmc", b"two"),
        RecordedCalibration(T0 + 10),
    ]
    assert (writer.records, writer.lost, writer.trouble) == (4, 0, "")
    unpacked = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert writer.size == len(unpacked)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize("name", ["session.vtbrec", "session.vtbrec.gz"])
def test_nobody_else_may_read_a_recording(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    before = os.umask(0)
    try:
        finished(create_session(path, HEADER, CLOCK))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_recording_does_not_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "session.vtbrec"
    path.write_bytes(b"precious")
    with pytest.raises(VtbridgeError, match="is there already; name another"):
        create_session(path, HEADER, CLOCK)
    assert path.read_bytes() == b"precious"


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "session.vtbrec"
    for make in (check_new, lambda path: create_session(path, HEADER, CLOCK)):
        with pytest.raises(VtbridgeError, match="cannot be made") as refusal:
            make(path)
        assert str(refusal.value).count("session.vtbrec") == 1
        assert f"there is no folder {path.parent}" in str(refusal.value)


def test_trouble_of_the_system_is_told_without_its_number(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    with pytest.raises(VtbridgeError, match="File name too long") as refusal:
        create_session(path, HEADER, CLOCK)
    assert "Errno" not in str(refusal.value)
    assert str(refusal.value).count(path.name) == 1


def test_packed_recording_on_a_full_disk_counts_no_more_than_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "full.vtbrec.gz"
    disk = Memory(20_000)
    writer = SessionWriter(
        cast("BinaryIO", gzip.GzipFile(fileobj=disk, mode="wb")), HEADER, str(path), CLOCK
    )
    for number in range(1000):
        writer.datagram(VMC, os.urandom(100), T0 + number)
    writer.start()
    finished(writer)
    path.write_bytes(disk.content)
    assert writer.records <= len(list(iter_session(path)))
    assert writer.records + writer.lost == 1000


def test_settings_that_do_not_fit_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "session.vtbrec"
    with pytest.raises(VtbridgeError, match="do not fit"):
        create_session(path, SessionHeader("1", {"avatar": "x" * (1 << 18)}), CLOCK)
    assert not path.exists()


@pytest.mark.parametrize("room", [0, 5, 400, 20_000])
def test_full_disk_ends_the_recording_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, room: int
) -> None:
    memory = Memory(len(encode_header(HEADER)) + room)
    writer = SessionWriter(memory, HEADER, "full.vtbrec", CLOCK)
    for number in range(10_000):
        writer.datagram(VMC, b"x", T0 + number)
    writer.start()
    finished(writer)
    stopped = [message for message in caplog.messages if "stopped" in message]
    assert stopped == ["recording to full.vtbrec stopped: No space left on device"]
    kept = read_back(tmp_path, memory)
    assert writer.records == len(kept) < 10_000
    assert writer.size == len(memory.content)
    assert writer.records + writer.lost == 10_000
    before = writer.lost
    writer.datagram(VMC, b"x", T0 + 10_000)
    assert writer.lost == before + 1, "what comes later is counted too"


def test_disk_that_is_full_from_the_start_is_told(caplog: pytest.LogCaptureFixture) -> None:
    writer = SessionWriter(Memory(3), HEADER, "full.vtbrec", CLOCK)
    writer.start()
    writer.datagram(VMC, b"x", T0)
    finished(writer)
    assert "stopped: No space left" in caplog.text
    assert (writer.records, writer.lost) == (0, 1)


def test_stuck_disk_holds_nobody_up_and_the_gap_is_told(tmp_path: Path) -> None:
    memory = Memory()
    memory.ready.clear()
    writer = SessionWriter(memory, HEADER, "slow.vtbrec", CLOCK)
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


def test_face_is_kept_where_it_came_and_as_it_was_seen(tmp_path: Path) -> None:
    memory, clock = Memory(), ManualClock(T0)
    writer = SessionWriter(memory, HEADER, "m", clock)
    picture = FaceFrame(T0, "webcam:0")
    clock.sleep_until(T0 + 10)
    voice = FaceFrame(clock.now_ns(), "microphone:x")
    writer.face(voice)
    clock.sleep_until(T0 + 40)
    writer.face(picture)
    writer.start()
    finished(writer)
    assert read_back(tmp_path, memory) == [
        RecordedFace(T0 + 10, voice),
        RecordedFace(T0 + 40, picture),
    ]


def test_face_of_a_moment_to_come_is_kept(tmp_path: Path) -> None:
    memory, face = Memory(), FaceFrame(T0 + 5, "microphone:x")
    writer = SessionWriter(memory, HEADER, "m", CLOCK)
    writer.face(face)
    writer.start()
    finished(writer)
    assert read_back(tmp_path, memory) == [RecordedFace(T0 + 5, face)]


def test_time_in_the_file_never_runs_back_though_threads_race(tmp_path: Path) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "m", ManualClock(T0 + 3))
    writer.datagram(VMC, b"late", T0 + 5)
    writer.face(FaceFrame(T0 + 2, "webcam:0"))
    writer.datagram("ifacialmocap:10.0.0.1", b"later", T0 + 4)
    writer.start()
    finished(writer)
    assert [record.t_ns for record in read_back(tmp_path, memory)] == [T0 + 3, T0 + 4, T0 + 5]


def test_face_of_a_thread_that_was_held_up_for_long_keeps_when_it_was_seen(tmp_path: Path) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "m", ManualClock(T0 + 3))
    writer.datagram(VMC, b"first", T0 + 5)
    writer.start()
    deadline_s = time.monotonic() + 30
    while b"first" not in memory.content:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    face = FaceFrame(T0 + 1, "webcam:0")
    writer.face(face)
    finished(writer)
    assert read_back(tmp_path, memory)[1:] == [RecordedFace(T0 + 5, face)]


def test_end_of_a_recording_waits_for_a_slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def stop(service: ThreadService, *, timeout_s: float = 2.0) -> bool:
        waits.append(timeout_s)
        return True

    monkeypatch.setattr(ThreadService, "stop", stop)
    assert SessionWriter(Memory(), HEADER, "m", CLOCK).stop()
    assert waits == [LAST_WRITE_S]
    assert LAST_WRITE_S >= 10


def test_end_that_a_stuck_disk_does_not_take_is_told(caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory()
    memory.ready.clear()
    writer = SessionWriter(memory, HEADER, "stuck.vtbrec", CLOCK)
    writer.start()
    assert not writer.stop(timeout_s=0.0)
    assert "did not take the rest of stuck.vtbrec within 0 s; its end is missing" in caplog.text
    memory.ready.set()
    finished(writer)


def test_longest_record_of_a_stream_is_kept(tmp_path: Path) -> None:
    names = bytes(fmv3.HEADER.size + fmv3.MAX_SCHEMA_BYTES)  # of FMV3, over TCP in one piece
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "m", CLOCK)
    writer.datagram("fmv3:10.0.0.1", names, T0)
    writer.start()
    finished(writer)
    assert read_back(tmp_path, memory) == [RecordedDatagram(T0, "fmv3:10.0.0.1", "fmv3", names)]


@pytest.mark.parametrize(
    "face",
    [
        FaceFrame(T0, "webcam:0", blendshapes={"jawOpen": math.nan}),
        FaceFrame(T0, "webcam:0", blendshapes={"jawOpen": 1.5}),
        FaceFrame(T0, "webcam:0", head=HeadPose(0.0, 7.0, 0.0)),
        FaceFrame(T0 - LONGEST_AGE_NS - 1, "webcam:0"),
        FaceFrame(T0, "webcam:0", blendshapes={f"shape{i}": 0.5 for i in range(300)}),
    ],
)
def test_face_that_would_spoil_the_file_is_left_out(tmp_path: Path, face: FaceFrame) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "m", CLOCK)
    writer.face(face)
    writer.datagram(VMC, bytes(MAX_DATA_BYTES + 1), T0)
    writer.datagram(VMC, b"good", T0)
    writer.start()
    finished(writer)
    assert read_back(tmp_path, memory) == [RecordedDatagram(T0, VMC, "vmc", b"good")]
    assert writer.lost == 2


def test_long_name_of_a_microphone_is_no_obstacle(tmp_path: Path) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "m", CLOCK)
    writer.face(FaceFrame(T0, "microphone:" + "ü" * 500))
    writer.start()
    finished(writer)
    (record,) = read_back(tmp_path, memory)
    assert isinstance(record, RecordedFace)
    assert record.face.source.startswith("microphone:ü")


def test_recording_ends_at_its_longest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory()
    writer = SessionWriter(memory, HEADER, "long.vtbrec", CLOCK, max_bytes=2000)
    for number in range(100):
        writer.datagram(VMC, bytes(100), T0 + number)
    writer.start()
    finished(writer)
    assert "as long as it may be" in writer.trouble
    assert len(memory.content) <= 2000
    assert writer.records + writer.lost == 100


def test_recording_ends_after_a_week(caplog: pytest.LogCaptureFixture) -> None:
    writer = SessionWriter(Memory(), HEADER, "long.vtbrec", CLOCK)
    writer.datagram(VMC, b"x", T0)
    writer.datagram(VMC, b"x", T0 + LONGEST_SESSION_NS + 1)
    writer.start()
    finished(writer)
    assert "a week" in writer.trouble


def test_losses_are_told_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    writer = SessionWriter(Memory(), HEADER, "m.vtbrec", CLOCK)
    writer.datagram(VMC, bytes(MAX_DATA_BYTES + 1), T0)
    writer.start()
    finished(writer)
    assert "left out of m.vtbrec: 1 records" in caplog.text
