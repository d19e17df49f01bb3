"""ARKit's blendshapes become a face without seams that uses all the shapes there are."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pytest

from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.retarget.arkit_to_tha import (
    BROW_NAMES,
    EYELID_NAMES,
    MOUTH_NAMES,
    SMILE_NAMES,
    write_face_from_arkit,
)
from vtbridge.retarget.settings import EyeSettings, MouthSettings, RetargetSettings

NAMES = (*BROW_NAMES, *EYELID_NAMES, *MOUTH_NAMES, *SMILE_NAMES)
SETTINGS = RetargetSettings()


def pose(settings: RetargetSettings = SETTINGS, /, **shapes: float) -> list[float]:
    values = [0.0] * POSE_SIZE
    write_face_from_arkit(values, shapes, settings)
    return values


def face(settings: RetargetSettings = SETTINGS, /, **shapes: float) -> dict[str, float]:
    """Return the parameters that are not 0, by label."""
    values = pose(settings, **shapes)
    return {PoseParam(i).label: v for i, v in enumerate(values) if v != 0.0}


def both(**shapes: float) -> dict[str, float]:
    return {f"{name}{side}": value for name, value in shapes.items() for side in ("Left", "Right")}


def test_an_empty_face_is_neutral() -> None:
    assert face() == {}


def test_every_face_is_in_range_and_no_eye_more_than_closed() -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        values = np.array(pose(**dict(zip(NAMES, rng.random(len(NAMES)) ** 2, strict=True))))
        assert ((values >= 0.0) & (values <= 1.0)).all()
        lids = values[PoseParam.EYE_WINK_LEFT : PoseParam.EYE_SURPRISED_LEFT]
        relaxed = values[PoseParam.EYE_RELAXED_LEFT : PoseParam.EYE_UNIMPRESSED_LEFT]
        assert (lids[:2] + lids[2:] + relaxed <= 1.0 + 1e-9).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_blendshape_makes_any_parameter_jump(name: str) -> None:
    """From several faces, each blendshape moves each parameter by no more than a slope of 12.

    The reference's slope is infinite where it opens the mouth.
    """
    rng = np.random.default_rng(len(name))
    for _ in range(3):
        others = dict(zip(NAMES, (rng.random(len(NAMES)) ** 3).tolist(), strict=True))
        film = np.array([pose(**(others | {name: x})) for x in np.linspace(0, 1, 101)])
        assert np.abs(np.diff(film, axis=0)).max() * 100 < 12


def test_a_left_wink_closes_only_the_left_eye() -> None:
    assert face(eyeBlinkLeft=0.8) == {"eye_wink_left": 1.0}


def test_a_smiling_blink_is_a_happy_one() -> None:
    smiling = face(eyeBlinkRight=0.8, **both(mouthSmile=0.8))
    assert smiling["eye_happy_wink_right"] == 1.0
    assert "eye_wink_right" not in smiling


def test_laughing_eyes_shut_earlier() -> None:
    assert face(eyeBlinkLeft=0.66, **both(mouthSmile=0.8))["eye_happy_wink_left"] == 1.0
    assert face(eyeBlinkLeft=0.66)["eye_wink_left"] < 0.85


@pytest.mark.parametrize("shape", ["angry", "troubled", "serious", "lowered"])
def test_lowered_brows_become_the_chosen_shape(
    shape: Literal["angry", "troubled", "serious", "lowered"],
) -> None:
    lowered = face(RetargetSettings(eyebrow_down_as=shape), browDownLeft=0.375, browDownRight=0.8)
    assert lowered == pytest.approx({f"eyebrow_{shape}_left": 0.5, f"eyebrow_{shape}_right": 1.0})


def test_lids_close_as_relaxed_eyes_when_chosen() -> None:
    assert face(RetargetSettings(wink_as="relaxed"), eyeBlinkLeft=0.8) == {"eye_relaxed_left": 1.0}


def test_inner_brows_alone_look_troubled_and_whole_brows_raised() -> None:
    worried = face(browInnerUp=0.8)
    assert worried["eyebrow_troubled_left"] > 0.9
    assert worried["eyebrow_raised_left"] < 0.6
    surprised = face(browInnerUp=0.8, **both(browOuterUp=0.8))
    assert surprised == {"eyebrow_raised_left": 1.0, "eyebrow_raised_right": 1.0}


@pytest.mark.parametrize("scowl", [both(browDown=0.8), both(eyeSquint=0.7)])
def test_half_closed_lids_under_a_scowl_look_unimpressed(scowl: dict[str, float]) -> None:
    half = face(**both(eyeBlink=0.4), **scowl)
    assert half["eye_unimpressed_left"] == half["eye_unimpressed_right"] > 0.9
    assert half.get("eye_wink_left", 0.0) < 0.2
    closed = face(**both(eyeBlink=0.9), **scowl)
    assert closed["eye_wink_left"] == 1.0
    assert "eye_unimpressed_left" not in closed
    assert "eye_unimpressed_left" not in face(**both(eyeBlink=0.4))
    off = RetargetSettings(eyes=EyeSettings(unimpressed_gain=0))
    assert "eye_unimpressed_left" not in face(off, **both(eyeBlink=0.4), **scowl)


def test_half_closed_lids_over_a_faint_smile_look_relaxed() -> None:
    half = face(**both(eyeBlink=0.4, mouthSmile=0.28))
    assert half["eye_relaxed_left"] > 0.4
    assert half.get("eye_wink_left", 0.0) < 0.1
    off = RetargetSettings(eyes=EyeSettings(relaxed_gain=0))
    assert "eye_relaxed_left" not in face(off, **both(eyeBlink=0.4, mouthSmile=0.28))


@pytest.mark.parametrize("mood", [{}, both(browDown=0.8), both(mouthSmile=0.2)])
def test_a_falling_lid_closes_the_eye_steadily_in_any_mood(mood: dict[str, float]) -> None:
    def closure(blink: float) -> float:
        values = face(**(both(eyeBlink=blink) | mood))
        lids = ("eye_wink", "eye_happy_wink", "eye_relaxed")
        unimpressed = 0.35 * values.get("eye_unimpressed_left", 0.0)
        return sum(values.get(f"{lid}_left", 0.0) for lid in lids) + unimpressed

    closures = [closure(blink) for blink in np.linspace(0, 1, 201)]
    assert all(b >= a - 0.01 for a, b in itertools.pairwise(closures))
    assert closures[-1] == pytest.approx(1.0)


def test_a_jaw_dropped_behind_closed_lips_leaves_the_mouth_closed() -> None:
    assert face(jawOpen=0.4, mouthClose=0.37) == {}
    assert face(jawOpen=0.4, mouthClose=0.05, **both(mouthLowerDown=0.3))["mouth_aaa"] > 0.3


def test_opening_the_mouth_crosses_the_seam_without_a_jump() -> None:
    rest = both(mouthFrown=0.4, mouthLowerDown=0.3)
    jaw = np.arange(0.0, 0.6, 0.001)
    poses = [face(jawOpen=opening, **rest) for opening in jaw]
    for name in ("mouth_lowered_corner_left", "mouth_iii", "mouth_aaa", "mouth_delta"):
        steps = np.diff([values.get(name, 0.0) for values in poses])
        assert np.abs(steps).max() < 0.03, name
        assert np.abs(steps).max() > 0.0, name


def test_each_corner_of_the_mouth_follows_its_own_side_most() -> None:
    smile = face(mouthSmileLeft=0.6)
    assert smile["mouth_raised_corner_left"] > 2 * smile["mouth_raised_corner_right"] > 0.0
    frown = face(mouthFrownRight=0.5)
    assert frown["mouth_lowered_corner_right"] > 2 * frown.get("mouth_lowered_corner_left", 0.0)


@pytest.mark.parametrize(
    "shapes",
    [{"mouthSmileRight": 0.6}, {"mouthDimpleLeft": 0.6}, {"mouthLeft": 0.8}, {"jawRight": 0.8}],
)
def test_a_one_sided_mouth_smirks(shapes: dict[str, float]) -> None:
    assert 0.25 < face(**shapes)["mouth_smirk"] <= 0.6
    assert "mouth_smirk" not in face(jawOpen=0.8, **shapes)
    assert "mouth_smirk" not in face(RetargetSettings(mouth=MouthSettings(smirk_gain=0)), **shapes)


def test_an_even_smile_does_not_smirk() -> None:
    assert "mouth_smirk" not in face(mouthSmileLeft=0.8, mouthSmileRight=0.7)


def test_a_stretched_mouth_says_eee_instead_of_iii() -> None:
    lips = {"jawOpen": 0.2, **both(mouthLowerDown=0.5)}
    iii = face(**lips)
    assert iii["mouth_iii"] > 0.2
    eee = face(**lips, **both(mouthStretch=0.6))
    assert eee["mouth_eee"] == pytest.approx(iii["mouth_iii"])
    assert "mouth_iii" not in eee
    off = RetargetSettings(mouth=MouthSettings(eee_gain=0))
    assert face(off, **lips, **both(mouthStretch=0.6)) == iii


def test_an_open_frown_is_a_delta() -> None:
    lips = {"jawOpen": 0.5, **both(mouthLowerDown=0.5)}
    aaa = face(**lips)["mouth_aaa"]
    frown = face(**lips, **both(mouthFrown=0.5))
    assert frown["mouth_delta"] > 0.4 * aaa
    assert frown["mouth_delta"] + frown["mouth_aaa"] == pytest.approx(aaa)
    off = RetargetSettings(mouth=MouthSettings(delta_gain=0))
    assert "mouth_delta" not in face(off, **lips, **both(mouthFrown=0.5))


def test_closed_puckered_lips_pout_a_little() -> None:
    assert 0.2 < face(mouthPucker=0.8)["mouth_uuu"] <= 0.5
    assert face(mouthPucker=0.3) == {}
    off = RetargetSettings(mouth=MouthSettings(pout_gain=0))
    assert face(off, mouthPucker=0.8) == {}


def test_a_tongue_out_parts_the_lips() -> None:
    assert face(tongueOut=1.0, **both(mouthLowerDown=0.3))["mouth_aaa"] > 0.2
