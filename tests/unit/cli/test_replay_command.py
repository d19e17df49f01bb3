"""``vtbridge replay --poses-out`` harms no file: neither the recording nor what was there."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TextIO

import pytest
from typer.testing import CliRunner, Result

from vtbridge.cli.commands import app
from vtbridge.cli.replay import output
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import ConfigError, PacketError
from vtbridge.tracking.recordings.session import (
    RecordedFace,
    SessionHeader,
    encode_header,
    encode_record,
)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    faces = [FaceFrame(NS_PER_S + n * NS_PER_S // 10, "webcam:0") for n in range(10)]
    path = tmp_path / "bug.vtbrec"
    records = b"".join(encode_record(RecordedFace(face.t_ns, face)) for face in faces)
    path.write_bytes(encode_header(SessionHeader("1")) + records)
    return path


def replayed(recording: Path, out: Path | str) -> Result:
    return CliRunner().invoke(app, ["replay", str(recording), "--poses-out", str(out)])


@pytest.mark.parametrize("link", [None, os.link, os.symlink])
def test_recording_is_never_overwritten_by_its_poses(recording: Path, link: object) -> None:
    before, out = recording.read_bytes(), recording
    if callable(link):
        out = recording.with_name("poses.jsonl")
        link(recording, out)
    ran = replayed(recording, out)
    assert isinstance(ran.exception, ConfigError)
    assert "is the recording itself; name another file" in str(ran.exception)
    assert recording.read_bytes() == before


def test_poses_are_counted_once_they_are_written(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "poses.jsonl"
    out.write_text("former")
    ran = replayed(recording, out)
    assert ran.exit_code == 0
    lines = out.read_text("utf-8").splitlines()
    told = " ".join(ran.stderr.split())
    assert re.search(r"wrote (\d+) poses to (.+)", told)
    assert f"wrote {len(lines) - 1} poses to {out}" in told
    assert "wrote" not in replayed(recording, "-").output
    assert sorted(tmp_path.iterdir()) == [recording, out]


def test_folder_that_is_not_there_is_named(recording: Path, tmp_path: Path) -> None:
    ran = replayed(recording, tmp_path / "absent" / "poses.jsonl")
    assert isinstance(ran.exception, ConfigError)
    assert f"there is no folder {tmp_path / 'absent'}" in str(ran.exception)


def interrupted(file: TextIO) -> None:
    file.write("half")
    raise KeyboardInterrupt


def full(file: TextIO) -> None:
    file.write("half")
    raise OSError(errno.ENOSPC, "No space left on device")


def damaged(file: TextIO) -> None:
    file.write("good")
    raise PacketError("damaged")


@pytest.mark.parametrize(
    ("write", "error"), [(interrupted, KeyboardInterrupt), (full, ConfigError)]
)
@pytest.mark.parametrize("former", [None, "former"])
def test_end_before_the_end_leaves_what_was_there(
    tmp_path: Path, write: object, error: type[BaseException], former: str | None
) -> None:
    out = tmp_path / "poses.jsonl"
    if former is not None:
        out.write_text(former)
    assert callable(write)
    with pytest.raises(error), output(out) as file:
        write(file)
    assert [path.read_text() for path in tmp_path.iterdir()] == [former] * (former is not None)


def test_damaged_recording_gives_the_poses_before_the_damage(tmp_path: Path) -> None:
    out = tmp_path / "poses.jsonl"
    with pytest.raises(PacketError), output(out) as file:
        damaged(file)
    assert out.read_text() == "good"
    assert list(tmp_path.iterdir()) == [out]


def test_file_that_is_no_recording_leaves_no_poses(tmp_path: Path) -> None:
    sheet, out = tmp_path / "sheet.csv", tmp_path / "poses.jsonl"
    sheet.write_text("a,b\n1,2\n")
    assert isinstance(replayed(sheet, out).exception, PacketError)
    assert list(tmp_path.iterdir()) == [sheet]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_pipe_is_written_into_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with output(pipe) as file:
        file.write("a pose")
    assert os.read(reader, 100) == b"a pose"
    os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_reader_of_a_pipe_may_leave_early(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(*arguments: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("vtbridge.cli.replay.write_poses", left)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    ran = replayed(recording, pipe)
    os.close(reader)
    assert ran.exception is None


def test_link_stays_a_link_to_the_poses(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link = tmp_path / "poses.jsonl"
    link.symlink_to(tmp_path / "kept" / "poses.jsonl")
    with output(link) as file:
        file.write("a pose")
    assert link.is_symlink()
    assert link.read_text() == "a pose"
