"""An order can only name characters that are on this computer or in the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.app.cast import Cast
from vtbridge.config.schema import AvatarSettings

KNOWN = [("michi", "built-in"), ("ren", "built-in"), ("/home/me/characters/Rin", "prepared")]


def cast(*own: str, picture: str = "michi") -> Cast:
    return Cast(AvatarSettings(picture=picture, characters=own), lambda: list(KNOWN))


def test_listed_are_those_of_the_computer_and_those_of_the_settings_once() -> None:
    own = cast("/art/me.png", "ren", "/art/me.png", picture="/art/first.png").listed()
    assert own == [*KNOWN, ("/art/first.png", "own"), ("/art/me.png", "own")]
    assert cast(picture="MICHI").listed() == KNOWN


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("michi", "michi"),
        ("Michi", "michi"),
        ("/art/Me.png", "/art/Me.png"),
        ("me", "/art/Me.png"),
        ("Me", "/art/Me.png"),
        ("rin", "/home/me/characters/Rin"),
        ("/home/me/characters/Rin", "/home/me/characters/Rin"),
    ],
)
def test_a_character_is_called_by_its_whole_name_or_by_its_last_part(
    wanted: str, found: str
) -> None:
    assert cast("/art/Me.png").named(wanted) == found


@pytest.mark.parametrize(
    "wanted", ["", "/etc/passwd", "/art/me.png/", "/art", "../michi", "me.png", "x\0", "x" * 5000]
)
def test_no_other_path_is_taken(wanted: str) -> None:
    with pytest.raises(KeyError, match="no character is called"):
        cast("/art/me.png").named(wanted)


def test_a_misspelt_name_is_helped_with() -> None:
    with pytest.raises(KeyError, match="did you mean michi"):
        cast().named("mischi")


def test_two_of_one_name_must_be_told_apart() -> None:
    two = cast("/art/me.png", "/old/me.png")
    with pytest.raises(KeyError, match=r"may be /art/me\.png, /old/me\.png; write it in full"):
        two.named("me")
    assert two.named("/old/me.png") == "/old/me.png"


def test_a_folder_is_called_as_it_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "Miss.Blue"
    folder.mkdir()
    assert cast(str(folder)).named("miss.blue") == str(folder)
