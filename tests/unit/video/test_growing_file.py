"""A full disk takes the end of the file out of the reserve; a crash leaves nothing beside it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.support.small_disk import SmallDisk
from vtbridge.video.growing_file import GrowingFile


def full_of(file: GrowingFile) -> int | None:
    return None if file.full is None else file.full.errno


def test_reserve_makes_room_for_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SmallDisk(monkeypatch, room=3000)
    file = GrowingFile(tmp_path / "a", reserve_bytes=1000)
    for _ in range(20):
        file.write(bytes(100))
    assert full_of(file) is None
    file.write(b"x" * 100)
    assert full_of(file) == errno.ENOSPC
    for _ in range(9):
        file.write(bytes(100))
    with pytest.raises(OSError, match="No space left"):
        file.write(bytes(100))
    file.close()
    assert disk.used == 3000
    content = (tmp_path / "a").read_bytes()
    assert len(content) == 3000
    assert content[2000:2100] == b"x" * 100, "what the disk refused came after all"


def test_mending_goes_back_to_the_last_mark(tmp_path: Path) -> None:
    with GrowingFile(tmp_path / "a", reserve_bytes=0) as file:
        assert not file.mend()
        file.write(b"good")
        file.mark()
        file.write(b"half")
        assert file.mend()
        assert file.size == 4
    assert (tmp_path / "a").read_bytes() == b"good"


def test_what_is_overwritten_does_not_count_twice(tmp_path: Path) -> None:
    with GrowingFile(tmp_path / "a", reserve_bytes=0) as file:
        file.write(b"0123456789")
        assert file.seek(2) == file.tell() == 2
        file.write(b"ab")
        assert file.size == 10
        assert file.seek(0, os.SEEK_END) == 10
    assert (tmp_path / "a").read_bytes() == b"01ab456789"


def test_disk_without_room_for_the_reserve_takes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallDisk(monkeypatch, room=500)
    with pytest.raises(OSError, match="No space left") as refused:
        GrowingFile(tmp_path / "a", reserve_bytes=1000)
    assert refused.value.filename == str(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_reserve_has_no_name_and_the_file_of_others_stays(tmp_path: Path) -> None:
    with GrowingFile(tmp_path / "a", reserve_bytes=1000) as file:
        assert [path.name for path in tmp_path.iterdir()] == ["a"]
        with pytest.raises(FileExistsError):
            GrowingFile(tmp_path / "a", reserve_bytes=0)
        file.write(b"kept")
    assert (tmp_path / "a").read_bytes() == b"kept"
