"""What an editor saves is read once it is whole; what stays broken is told once."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtbridge.app.characters import open_picture
from vtbridge.app.picture_watch import PATIENCE_NS, PictureWatch
from vtbridge.characters import BUILTIN
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import Picture

MICHI, MOMO = (BUILTIN[name].read_bytes() for name in ("michi", "momo"))
PATIENCE_S = PATIENCE_NS / NS_PER_S


class Desk:
    """A picture in a folder of its own, and who follows it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "me.png"
        self.file.write_bytes(MICHI)
        self.clock = ManualClock()
        self.reads = 0
        self.watch = PictureWatch(str(self.file), self.clock, self._read)
        self.watch.digest = open_picture("michi").digest

    def save(self, content: bytes) -> None:
        beside = self.file.with_suffix(".part")
        beside.write_bytes(content)
        beside.replace(self.file)

    def look(self, after_s: float = 0.5) -> str | None:
        self.clock.advance(after_s)
        picture = self.watch.look()
        return None if picture is None else picture.digest

    def _read(self, name: str) -> Picture:
        self.reads += 1
        return open_picture(name)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_picture_that_is_saved_is_returned_once(desk: Desk) -> None:
    assert desk.look() is None
    assert desk.reads == 0, "what was there at the beginning is known"
    desk.save(MOMO)
    assert desk.look() == open_picture("momo").digest
    assert (desk.look(), desk.reads) == (None, 1)


def test_a_picture_that_shows_the_same_is_no_news(desk: Desk) -> None:
    with Image.open(desk.file) as image:
        image.save(desk.file, compress_level=1)
    assert desk.file.read_bytes() != MICHI
    assert (desk.look(), desk.reads) == (None, 1)
    assert (desk.look(), desk.reads) == (None, 1)


def test_half_a_picture_is_waited_for(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.file.write_bytes(MOMO[: len(MOMO) // 2])
    assert desk.look() is None
    assert desk.look() is None
    assert desk.watch.trouble == ""
    desk.file.write_bytes(MOMO)
    assert desk.look() == open_picture("momo").digest
    assert caplog.records == []


def test_a_picture_that_stays_broken_is_told_once_and_read_no_more(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.file.write_bytes(MOMO[:-2000])
    with caplog.at_level(logging.WARNING):
        for _ in range(round(PATIENCE_S / 0.5) + 3):
            assert desk.look() is None
    assert str(desk.file) in desk.watch.trouble
    assert len(caplog.records) == 1
    reads = desk.reads
    desk.look()
    assert desk.reads == reads
    desk.save(MICHI)
    assert desk.look() is None
    assert desk.watch.trouble == "", "the one that is shown is back"


def test_a_picture_that_nothing_can_pose_is_told(desk: Desk) -> None:
    Image.fromarray(np.full((64, 64, 4), 255, np.uint8)).save(desk.file)
    desk.look()
    desk.look(PATIENCE_S)
    assert "no transparency" in desk.watch.trouble


def test_a_picture_that_is_gone_changes_nothing_until_it_is_back(desk: Desk) -> None:
    desk.file.unlink()
    assert (desk.look(), desk.look(PATIENCE_S), desk.watch.trouble) == (None, None, "")
    desk.file.write_bytes(MOMO)
    assert desk.look() == open_picture("momo").digest


def test_the_picture_of_a_folder_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "me"
    folder.mkdir()
    shutil.copy(BUILTIN["michi"], folder / "picture.png")
    watch = PictureWatch(str(folder), ManualClock())
    watch.digest = open_picture("michi").digest
    assert watch.look() is None
    shutil.copy(BUILTIN["momo"], folder / "picture.png")
    found = watch.look()
    assert found is not None
    assert found.digest == open_picture("momo").digest


def test_what_was_read_but_not_shown_is_read_again(desk: Desk) -> None:
    desk.save(MOMO)
    momo = desk.look()
    assert desk.look() is None
    desk.watch.forget(open_picture("michi").digest)
    assert desk.look() == momo
