"""The newest character asked for is shown; none that fails costs the one on the screen."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from tests.support.blank_frames import BlankFrames
from tests.support.switching import Stage, picture_called
from vtbridge.app.character_switch import Casting, CharacterSwitch
from vtbridge.app.first_use import FirstUse
from vtbridge.app.opened_character import OpenedCharacter
from vtbridge.app.picture_watch import PictureWatch
from vtbridge.clock import ManualClock
from vtbridge.datatypes import Picture
from vtbridge.render.live.crossing import Outcome

PATIENCE_S = 20.0


def test_one_comes_when_it_is_asked_for_and_the_old_one_is_closed() -> None:
    stage = Stage()
    stage.switch.show("momo")
    assert stage.switch.casting() == Casting("michi", "momo", "")
    stage.switch.tend()
    assert (stage.shown, stage.looks) == ("michi", 1)
    assert stage.switch.casting() == Casting("michi", "momo", "")
    stage.settle()
    assert stage.shown == stage.switch.shown.name == "momo"
    assert stage.switch.casting() == Casting("momo", "", "")
    assert stage.changed == ["momo"]
    assert [one.live.closed for one in stage.lives] == [True, False]  # type: ignore[attr-defined]


def test_the_one_that_is_shown_is_not_opened_again() -> None:
    stage = Stage()
    stage.switch.show("Michi")
    stage.settle()
    assert (stage.opened, stage.switch.casting()) == ([], Casting("michi", "", ""))


@pytest.mark.parametrize("name", ["nobody", "", "/etc/passwd", "../michi", "mich", "momo\0"])
def test_nobody_comes_who_is_not_of_the_cast(name: str, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    with pytest.raises(KeyError, match="no character is called"):
        stage.switch.show(name)
    with caplog.at_level(logging.WARNING):
        stage.switch.ask(name)
        stage.settle()
    assert "no character is called" in caplog.text
    assert (stage.opened, stage.shown, stage.switch.casting().trouble) == ([], "michi", "")


def test_one_that_was_asked_for_while_another_was_opened_is_the_one_that_comes() -> None:
    stage = Stage()
    stage.switch.show("momo")
    stage.while_opening = lambda: stage.switch.ask("ren")
    stage.settle()
    assert (stage.opened, stage.shown, stage.changed) == (["momo", "ren"], "ren", ["ren"])
    dropped = stage.lives[1]
    assert dropped.name == "momo"
    assert dropped.live.closed  # type: ignore[attr-defined]


def test_an_unknown_name_does_not_drop_the_one_that_is_being_opened() -> None:
    stage = Stage()
    stage.switch.show("momo")
    stage.while_opening = lambda: stage.switch.ask("nobody")
    stage.settle()
    assert stage.shown == "momo"


def test_who_thinks_better_of_it_while_it_is_opened_keeps_the_old_one() -> None:
    stage = Stage()
    stage.switch.show("momo")
    stage.while_opening = lambda: stage.switch.show("michi")
    stage.settle()
    assert (stage.shown, stage.changed) == ("michi", [])
    assert not stage.lives[0].live.closed  # type: ignore[attr-defined]


def test_who_thinks_better_of_it_while_it_fades_in_gets_the_old_one_back() -> None:
    stage = Stage()
    stage.switch.show("momo")
    stage.switch.tend()
    stage.display.begin()
    stage.switch.show("michi")
    stage.settle()
    assert (stage.shown, stage.changed) == ("michi", ["momo", "michi"])


def test_one_that_cannot_be_opened_leaves_the_old_one_and_is_told() -> None:
    stage = Stage()
    stage.broken.add("momo")
    stage.switch.show("momo")
    stage.settle()
    assert stage.shown == "michi"
    assert stage.switch.casting() == Casting(
        "michi", "", "momo cannot be shown, michi stays: momo is broken"
    )
    stage.switch.show("ren")
    stage.settle()
    assert stage.switch.casting() == Casting("ren", "", "")


def test_one_that_gives_no_frames_leaves_the_old_one_and_is_told() -> None:
    stage = Stage()
    stage.switch.show("momo")
    stage.switch.tend()
    stage.display.end(Outcome.FAILED)
    stage.switch.tend()
    assert (stage.shown, stage.changed) == ("michi", [])
    assert stage.switch.casting().trouble == "momo gave no frames, michi stays"
    stage.switch.show("momo")
    stage.settle()
    assert stage.switch.casting() == Casting("momo", "", "")


def test_trouble_of_one_that_is_not_wanted_any_more_is_not_told() -> None:
    stage = Stage()
    stage.broken.add("momo")
    stage.switch.show("momo")
    stage.while_opening = lambda: stage.switch.show("ren")
    stage.settle()
    assert stage.switch.casting() == Casting("ren", "", "")


class Followed:
    """A stage whose pictures change when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.file = folder / "michi.png"
        self.file.write_bytes(b"1")
        self.digest = "first"
        self.stage = Stage(self._follow)

    def save(self, content: bytes, digest: str) -> None:
        self.file.write_bytes(content)
        self.digest = digest

    def _follow(self, name: str) -> PictureWatch | None:
        return PictureWatch(str(self.file), self.clock, self._read) if name == "michi" else None

    def _read(self, name: str) -> Picture:
        return picture_called(name, self.digest)


def test_a_picture_that_is_saved_takes_the_place_of_itself(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    stage = followed.stage
    stage.settle()
    assert stage.opened == []
    followed.save(b"22", "second")
    stage.settle()
    assert stage.opened == ["michi"]
    assert stage.switch.shown.picture.digest.startswith("second")
    stage.settle()
    assert stage.opened == ["michi"], "it was read and is shown"
    followed.save(b"333", "third")
    stage.settle()
    assert stage.switch.shown.picture.digest.startswith("third")


def test_a_picture_that_is_not_shown_any_more_is_not_followed(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    followed.stage.switch.show("momo")
    followed.stage.settle()
    followed.save(b"22", "second")
    followed.stage.settle()
    assert followed.stage.opened == ["momo"]


def test_an_order_during_the_reading_of_a_saved_picture_does_not_lose_it(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    stage = followed.stage
    followed.save(b"22", "second")
    stage.while_opening = lambda: stage.switch.show("michi")
    stage.settle()
    assert stage.switch.shown.picture.digest.startswith("second")


class Watched(FirstUse):
    """Notes when it runs."""

    def __init__(self) -> None:
        super().__init__(
            None,
            find=lambda: None,
            open_package=lambda _: None,
            offer=lambda _: None,
            bake=None,
        )
        self.begun = threading.Event()

    def serve(self) -> None:
        self.begun.set()
        self.stopping.wait()


def test_what_makes_a_character_better_runs_while_that_is_shown() -> None:
    first, second = Watched(), Watched()
    stage = Stage()
    characters = {
        "michi": OpenedCharacter("michi", picture_called("michi"), BlankFrames(), first),
        "momo": OpenedCharacter("momo", picture_called("momo"), BlankFrames(), second),
    }
    switch = CharacterSwitch(
        characters["michi"],
        cast=stage.switch.cast,
        display=stage.display,
        open_character=lambda name, _: characters[name],
        look=lambda: stage.display.end(Outcome.SHOWN),
    )
    switch.start()
    assert first.begun.wait(PATIENCE_S)
    assert switch.services == [first]
    assert not second.alive
    switch.show("momo")
    assert second.begun.wait(PATIENCE_S)
    assert first.stopping.is_set()
    assert switch.services == [second]
    assert switch.stop(timeout_s=PATIENCE_S)
    assert second.stopping.is_set()


def test_what_was_opened_while_all_ended_is_closed() -> None:
    stage = Stage()
    stage.switch.show("momo")
    stage.while_opening = stage.switch.stopping.set
    stage.switch.tend()
    assert stage.lives[1].live.closed  # type: ignore[attr-defined]
    stage.display.begin()
    assert stage.display.coming is None
