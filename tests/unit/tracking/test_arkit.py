"""Every spelling that senders use finds its blendshape or preset."""

from __future__ import annotations

import pytest

from vtbridge.tracking import arkit
from vtbridge.tracking.arkit import (
    ARKIT_NAMES,
    EMOTION_PRESETS,
    PRESET_NAMES,
    Shape,
    ShapeKind,
    shape_from_spelling,
)


def test_there_are_52_blendshapes() -> None:
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 52


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_every_spelling_of_a_blendshape_is_known(name: str) -> None:
    pascal = name[0].upper() + name[1:]
    spellings = {name, pascal, name.upper(), f"BlendShape.{pascal}"}
    for side in ("Left", "Right"):
        if name.endswith(side):
            stem = name.removesuffix(side)
            spellings |= {f"{stem}_{side[0]}", f"{stem}{side[0]}", f"{stem}_{side}"}
    assert {shape_from_spelling(s) for s in spellings} == {Shape(ShapeKind.ARKIT, name)}


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        *[("Joy", "happy"), ("happy", "happy"), ("Angry", "angry"), ("Sorrow", "sad")],
        *[("Fun", "relaxed"), ("A", "aa"), ("I", "ih"), ("U", "ou"), ("E", "ee"), ("O", "oh")],
        *[("aa", "aa"), ("Blink", "blink"), ("Blink_L", "blinkLeft"), ("BLINK_R", "blinkRight")],
        *[("blinkLeft", "blinkLeft"), ("LookUp", "lookUp"), ("LookLeft", "lookLeft")],
        *[("Surprised", "surprised"), ("Brows up", "browsUp"), ("Brows down", "browsDown")],
        *[("Neutral", "neutral"), ("SIL", "sil"), ("TH", "th")],
    ],
)
def test_preset_is_known(spelling: str, name: str) -> None:
    assert shape_from_spelling(spelling) == Shape(ShapeKind.PRESET, name)


@pytest.mark.parametrize("spelling", ["", ".", "_", "MyHat", "x" * 70_000, "jaw", "eyeBlink"])
def test_other_names_are_none(spelling: str) -> None:
    assert shape_from_spelling(spelling) is None


def test_no_spelling_means_two_things() -> None:
    spellings = list(arkit._spellings())
    meanings = {(spelling, shape) for spelling, shape in spellings}
    assert len({spelling for spelling, _ in meanings}) == len(meanings)


def test_emotions_are_presets() -> None:
    assert set(PRESET_NAMES) >= EMOTION_PRESETS
