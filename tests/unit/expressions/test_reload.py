from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tests.support.expressions import NAMES
from vtbridge.expressions.library import ExpressionLibrary
from vtbridge.expressions.reload import ExpressionFileWatch

CAT = "[expressions.cat]\nvalues = { mouth_uuu = 1 }\n"


class Watched:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "expressions.toml"
        self.used: list[ExpressionLibrary] = []
        self.watch = ExpressionFileWatch(self.file, NAMES, self.used.append, poll_s=0.001)
        self._stamp = 1_000_000_000

    def write(self, text: str) -> bool:
        """Save ``text``, and return whether it was taken."""
        self.file.write_text(text, encoding="utf-8")
        self._stamp += 1_000_000_000  # a file system may count in whole seconds
        os.utime(self.file, ns=(self._stamp, self._stamp))
        return self.watch.look()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_file_may_come_later_and_going_away_changes_nothing(watched: Watched) -> None:
    assert not watched.watch.look()
    assert watched.write(CAT)
    watched.file.unlink()
    assert not watched.watch.look()
    assert len(watched.used) == 1
    assert watched.watch.trouble == ""


def test_what_is_unchanged_is_not_read_again(watched: Watched) -> None:
    assert watched.write(CAT)
    assert not watched.watch.look()


def test_a_mistake_keeps_the_last_good_set_and_is_told_once_with_its_line(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    assert watched.write(CAT)
    with caplog.at_level(logging.WARNING):
        assert not watched.write(CAT + "priority = 'high'")
        for _ in range(5):
            assert not watched.watch.look()
    (record,) = (each for each in caplog.records if each.levelno == logging.WARNING)
    assert f"{watched.file}:3: expressions.cat.priority" in record.getMessage()
    assert watched.watch.trouble
    assert len(watched.used) == 1
    assert watched.write(CAT + "priority = 3")
    assert watched.watch.trouble == ""


def test_the_thread_notices_a_change(watched: Watched) -> None:
    import threading

    noticed = threading.Event()
    watch = ExpressionFileWatch(watched.file, NAMES, lambda _: noticed.set(), poll_s=0.001)
    watch.start()
    watched.file.write_text(CAT)
    assert noticed.wait(20)
    assert watch.stop(timeout_s=20)
