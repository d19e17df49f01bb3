"""Work is kept for the same job, held by one process, and never at the cost of others' files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from vtbridge.app.animate.work_folder import check_target, open_work, put_in_place, work_path
from vtbridge.atomic_file import whole
from vtbridge.errors import ConfigError, VtbridgeError
from vtbridge.flow import file_lock

RECORD = {"video": "abc", "size": "512"}


def leave_work(target: Path) -> Path:
    with open_work(target, RECORD) as work:
        (work.subfolder("pieces") / "000000").write_text("done")
    return work.path


def test_same_job_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    folder = leave_work(target)
    assert folder == work_path(target) == tmp_path / "a.mp4.unfinished"
    with open_work(target, dict(RECORD)) as work:
        assert work.resumed
        assert (work.path / "pieces" / "000000").read_text() == "done"
        work.discard()
    assert list(tmp_path.iterdir()) == []


def test_other_job_is_told_what_differs_and_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    leave_work(target)
    with (
        pytest.raises(ConfigError, match=r"with another colour, size: .*--restart"),
        open_work(target, {"video": "abc", "size": "600", "colour": "red"}),
    ):
        pass
    with open_work(target, RECORD) as work:
        assert work.resumed


def test_restart_begins_with_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    leave_work(target)
    other = {**RECORD, "size": "600"}
    with open_work(target, other, restart=True) as work:
        assert not work.resumed
        assert not (work.path / "pieces").exists()
        work.subfolder("pieces")
    with open_work(target, other) as work:
        assert work.resumed


def test_failure_before_any_work_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_work(tmp_path / "a.mp4", RECORD):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_work(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    folder = leave_work(target)
    with pytest.raises(KeyboardInterrupt), open_work(target, RECORD):
        raise KeyboardInterrupt
    assert (folder / "pieces" / "000000").read_text() == "done"
    with open_work(target, RECORD) as work:
        assert work.resumed


@pytest.mark.parametrize("left", [[], [".faces.jsonl.gz.part", ".job.json.part"]])
def test_folder_without_work_is_taken_over(left: list[str], tmp_path: Path) -> None:
    """A crash may have left it; nobody has to know about --restart then."""
    target = tmp_path / "a.mp4"
    with open_work(target, RECORD) as work:
        for name in left:
            (work.path / name).write_text("half")
    other = {**RECORD, "size": "600"}
    with open_work(target, other) as work:
        assert not work.resumed
        (work.path / "faces.json").write_text("[]")
    with open_work(target, other) as work:
        assert work.resumed


@pytest.mark.parametrize("restart", [False, True])
def test_folder_of_somebody_else_is_never_touched(tmp_path: Path, restart: bool) -> None:
    folder = tmp_path / "a.mp4.unfinished"
    folder.mkdir()
    (folder / "novel.txt").write_text("my novel")
    with (
        pytest.raises(ConfigError, match=r"novel\.txt but no work of vtbridge"),
        open_work(tmp_path / "a.mp4", RECORD, restart=restart),
    ):
        pass
    assert (folder / "novel.txt").read_text() == "my novel"


def test_two_processes_never_share_a_job(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    leave_work(target)
    with (
        open_work(target, RECORD),
        pytest.raises(
            VtbridgeError, match=rf"another vtbridge is at work on .*\(pid {os.getpid()}\)"
        ),
        open_work(target, RECORD),
    ):
        pass
    with open_work(target, RECORD) as work:
        assert work.resumed


def test_drive_without_locks_is_worked_on_unguarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock, "_try_lock", refuse)
    target = tmp_path / "a.mp4"
    leave_work(target)
    with open_work(target, RECORD) as work:
        assert work.resumed


@pytest.mark.parametrize("content", ["{", "[" * 100_000], ids=["cut", "nested"])
def test_damaged_record_is_another_job(tmp_path: Path, content: str) -> None:
    target = tmp_path / "a.mp4"
    (leave_work(target) / "job.json").write_text(content)
    with pytest.raises(ConfigError, match="--restart"), open_work(target, RECORD):
        pass
    with open_work(target, RECORD, restart=True) as work:
        assert not work.resumed


def test_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a"

    def write_half() -> None:
        with whole(target) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []
    with whole(target) as part:
        part.write_text("all")
        assert not target.exists()
    assert target.read_text() == "all"


def test_output_that_is_there_is_kept_without_force(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    check_target(target, force=False)
    target.write_text("mine")
    with pytest.raises(ConfigError, match="--force"):
        check_target(target, force=False)
    check_target(target, force=True)


def test_folder_of_other_things_is_kept_even_with_force(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("beach")
    for force in (False, True):
        with pytest.raises(ConfigError, match=r"holiday\.jpg"):
            check_target(tmp_path, force=force)


def test_folder_of_numbered_pictures_is_replaced_whole(tmp_path: Path) -> None:
    target, work = tmp_path / "frames", tmp_path / "work"
    for folder, count in ((target, 3), (work / "pieces", 2)):
        folder.mkdir(parents=True)
        for index in range(count):
            (folder / f"{index:06d}.png").write_text(folder.name)
    with pytest.raises(ConfigError, match="--force"):
        check_target(target, force=False)
    check_target(target, force=True)
    put_in_place(work / "pieces", target)
    assert sorted(p.name for p in target.iterdir()) == ["000000.png", "000001.png"]
    assert {p.read_text() for p in target.iterdir()} == {"pieces"}


def test_empty_folder_may_be_filled(tmp_path: Path) -> None:
    target, made = tmp_path / "frames", tmp_path / "made"
    target.mkdir()
    made.mkdir()
    (made / "000000.png").write_text("one")
    check_target(target, force=False)
    put_in_place(made, target)
    assert (target / "000000.png").read_text() == "one"
    assert not made.exists()


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(VtbridgeError, match="cannot be written"),
        open_work(tmp_path / "file" / "a.mp4", RECORD),
    ):
        pass
