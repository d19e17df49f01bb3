"""A file is held by one at a time, by name, and by nobody who is dead."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vtbridge.flow import file_lock
from vtbridge.flow.file_lock import FileLock, LocksUnsupported

REPOSITORY = Path(__file__).parents[3]
HOLD = """
import sys
from pathlib import Path
from vtbridge.flow.file_lock import FileLock
assert FileLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_second_is_kept_out_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with FileLock(path) as first, FileLock(path) as second:
        assert first.acquire()
        assert not second.acquire()
        assert second.holder() == f"pid {os.getpid()}"
        first.release()
        assert second.holder() == "pid unknown"
        assert second.acquire()


def test_block_that_ends_lets_the_lock_go(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    lock = FileLock(path)
    assert lock.acquire()
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
    with FileLock(path) as again:
        assert again.acquire()
        with pytest.raises(ValueError, match="held already"):
            again.acquire()


def test_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, FileLock(path) as lock:
        try:
            assert process.stdout.readline() == "held\n"
            assert not lock.acquire()
            assert lock.holder() == f"pid {process.pid}"
        finally:
            process.kill()
            process.wait()
        assert lock.acquire()
        assert lock.holder() == f"pid {os.getpid()}"


def test_holder_on_another_computer_is_told_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.write_text("4711 attic")
    assert FileLock(path).holder() == "pid 4711 on attic"


@pytest.mark.parametrize("left", [b"", b"\xff\xfe", b"nobody at home", b" "])
def test_name_that_cannot_be_read_is_unknown(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / ".lock"
    path.write_bytes(left)
    assert FileLock(path).holder() == "pid unknown"
    assert FileLock(tmp_path / "absent").holder() == "pid unknown"


def test_longer_name_of_a_dead_holder_is_overwritten_whole(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.write_text("999999999999 " + "long" * 50)
    with FileLock(path) as lock:
        assert lock.acquire()
        assert lock.holder() == f"pid {os.getpid()}"


def test_file_deleted_between_opening_and_locking_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever held it deleted its folder; a third may hold a new file of that name by now."""
    folder = tmp_path / "work"
    folder.mkdir()
    try_lock = file_lock._try_lock

    def delete_then_lock(descriptor: int) -> bool:
        shutil.rmtree(folder)
        return try_lock(descriptor)

    monkeypatch.setattr(file_lock, "_try_lock", delete_then_lock)
    with FileLock(folder / ".lock") as lock:
        assert not lock.acquire()

        def replace_then_lock(descriptor: int) -> bool:
            (folder / ".lock").unlink()
            (folder / ".lock").write_text("of another")
            return try_lock(descriptor)

        folder.mkdir()
        monkeypatch.setattr(file_lock, "_try_lock", replace_then_lock)
        assert not lock.acquire()
        monkeypatch.setattr(file_lock, "_try_lock", try_lock)
        assert lock.acquire()


def test_disk_without_locks_is_told_apart_from_one_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FileLock(tmp_path / "absent" / ".lock") as lock, pytest.raises(OSError) as unwritten:  # noqa: PT011
        lock.acquire()
    assert not isinstance(unwritten.value, LocksUnsupported)

    def refuse(_descriptor: int) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock, "_try_lock", refuse)
    with FileLock(tmp_path / ".lock") as lock, pytest.raises(LocksUnsupported, match=r"\.lock"):
        lock.acquire()


def test_nothing_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    real_open = os.open

    def noted_open(*arguments: object) -> int:
        opened.append(real_open(*arguments))  # type: ignore[arg-type]
        return opened[-1]

    monkeypatch.setattr(os, "open", noted_open)
    path = tmp_path / ".lock"
    with FileLock(path) as first, FileLock(path) as second:
        assert first.acquire()
        assert not second.acquire()
    assert len(opened) == 2
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
