"""Two writers never work in one store at once."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from vtbridge.errors import WeightsError
from vtbridge.flow import file_lock
from vtbridge.render.weights.lock import LOCK_FILE, writing


def test_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    waiting = threading.Event()
    order: list[str] = []

    def second() -> None:
        with writing(tmp_path, waiting=waiting.set):
            order.append("second")

    with writing(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_waiting_ends_with_an_error_that_names_the_writer(tmp_path: Path) -> None:
    with (
        writing(tmp_path),
        pytest.raises(WeightsError, match=rf"another vtbridge \(pid {os.getpid()}\)"),
        writing(tmp_path, timeout_s=0),
    ):
        pytest.fail("both hold the lock")


def test_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), writing(tmp_path):
        raise ZeroDivisionError
    with writing(tmp_path, timeout_s=0):
        assert (tmp_path / LOCK_FILE).is_file()


def test_store_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="VTBRIDGE_WEIGHTS_DIR"), writing(tmp_path / "file"):
        pytest.fail("a file is no store")


def test_store_on_a_drive_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_handle: int) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(file_lock, "_try_lock", refuse)
    with pytest.raises(WeightsError, match=r"cannot be locked.*local disk"), writing(tmp_path):
        pytest.fail("nothing is locked")
