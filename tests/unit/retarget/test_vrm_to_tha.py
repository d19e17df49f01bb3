"""VRM presets become brows, lids and vowels."""

from __future__ import annotations

import pytest

from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.retarget.vrm_to_tha import add_emotions, write_face_from_presets


def face(settings: RetargetSettings | None = None, /, **presets: float) -> dict[str, float]:
    values = [0.0] * POSE_SIZE
    write_face_from_presets(values, presets, settings or RetargetSettings())
    add_emotions(values, presets, settings or RetargetSettings())
    return {PoseParam(i).label: v for i, v in enumerate(values) if v != 0.0}


def both(**values: float) -> dict[str, float]:
    return {f"{name}_{side}": v for name, v in values.items() for side in ("left", "right")}


@pytest.mark.parametrize(
    ("preset", "param"),
    [("aa", "aaa"), ("ih", "iii"), ("ou", "uuu"), ("ee", "eee"), ("oh", "ooo")],
)
def test_each_vowel_moves_its_own_parameter(preset: str, param: str) -> None:
    assert face(**{preset: 0.6}) == {f"mouth_{param}": 0.6}


def test_vowels_share_one_mouth() -> None:
    pose = face(aa=1.0, oh=0.5, ih=0.5)
    assert pose == pytest.approx({"mouth_aaa": 0.5, "mouth_ooo": 0.25, "mouth_iii": 0.25})


@pytest.mark.parametrize(
    ("viseme", "param"),
    [
        *[("ff", "iii"), ("th", "iii"), ("dd", "iii"), ("ss", "iii"), ("nn", "iii")],
        *[("kk", "aaa"), ("ch", "uuu"), ("rr", "ooo")],
    ],
)
def test_each_consonant_opens_the_mouth_like_a_vowel_but_less(viseme: str, param: str) -> None:
    pose = face(**{viseme: 1.0})
    assert list(pose) == [f"mouth_{param}"]
    assert 0.2 < pose[f"mouth_{param}"] < 0.6


@pytest.mark.parametrize("viseme", ["sil", "pp"])
def test_silence_and_closed_lips_open_nothing(viseme: str) -> None:
    assert face(**{viseme: 1.0}) == {}


def test_vowels_and_consonants_share_one_mouth() -> None:
    pose = face(aa=1.0, ss=1.0, ih=0.5)
    assert sum(pose.values()) == pytest.approx(1.0)
    assert pose["mouth_iii"] == pytest.approx(0.5)


def test_blink_closes_both_eyes_and_each_side_its_own() -> None:
    assert face(blink=0.5, blinkLeft=0.9) == {"eye_wink_left": 0.9, "eye_wink_right": 0.5}
    assert face(RetargetSettings(wink_as="relaxed"), blinkRight=0.9) == {"eye_relaxed_right": 0.9}


def test_a_happy_blink_is_shared_between_both_winks() -> None:
    pose = face(happy=0.25, blink=0.8)
    assert pose == pytest.approx(
        both(eye_wink=0.6, eye_happy_wink=0.2, eyebrow_happy=0.25, mouth_raised_corner=0.25)
    )


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("relaxed", both(eyebrow_happy=0.5, mouth_raised_corner=1.0, eye_relaxed=0.3)),
        ("angry", both(eyebrow_angry=1.0, mouth_lowered_corner=0.5)),
        ("sad", both(eyebrow_troubled=1.0, mouth_lowered_corner=1.0)),
        ("surprised", both(eye_surprised=1.0, eyebrow_raised=1.0)),
        ("browsUp", both(eyebrow_raised=1.0)),
        ("browsDown", both(eyebrow_lowered=1.0)),
    ],
)
def test_emotions_and_brows(preset: str, expected: dict[str, float]) -> None:
    assert face(**{preset: 1.0}) == expected


def test_where_emotions_meet_the_stronger_wins() -> None:
    assert face(angry=1.0, sad=0.2)["mouth_lowered_corner_left"] == 0.5
