"""ARKit's blendshapes become the pose that the reference mapping makes of them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scipy.optimize import lsq_linear  # type: ignore[import-untyped]  # scipy ships no types

from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.retarget.arkit_to_tha import (
    BROW_NAMES,
    EYELID_NAMES,
    MOUTH_NAMES,
    write_face_from_arkit,
)
from vtbridge.retarget.mouth import MOUTH_SHAPES
from vtbridge.retarget.settings import MouthSettings, RetargetSettings

NAMES = (*BROW_NAMES, *EYELID_NAMES, *MOUTH_NAMES)
LIKE_REFERENCE = RetargetSettings(mouth=MouthSettings(open_seam=0))


def face(settings: RetargetSettings = LIKE_REFERENCE, /, **shapes: float) -> dict[str, float]:
    """Return the parameters that are not 0, by label."""
    values = [0.0] * POSE_SIZE
    write_face_from_arkit(values, shapes, settings)
    return {PoseParam(i).label: v for i, v in enumerate(values) if v != 0.0}


def clip(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))


def reference_face(b: dict[str, float]) -> dict[str, float]:
    """Restate the published formulas, independently of the code under test."""
    pose: dict[str, float] = {}
    smile = (b["mouthSmileLeft"] + b["mouthSmileRight"]) / 2 + b["mouthShrugUpper"]
    s = float(np.interp(smile, [0.4, 0.6], [0.0, 1.0]))
    for side in ("Left", "Right"):
        end = side.lower()
        pose[f"eyebrow_raised_{end}"] = clip(b["browInnerUp"] + b[f"browOuterUp{side}"])
        pose[f"eyebrow_angry_{end}"] = (1 - s) * clip(b[f"browDown{side}"] / 0.4)
        pose[f"eyebrow_happy_{end}"] = clip(smile) * s
        pose[f"eye_surprised_{end}"] = clip(b[f"eyeWide{side}"] / 0.5)
        pose[f"eye_wink_{end}"] = (1 - s) * clip(b[f"eyeBlink{side}"] / 0.8)
        pose[f"eye_happy_wink_{end}"] = s * clip(b[f"eyeBlink{side}"] / 0.8)
        pose[f"eye_raised_lower_eyelid_{end}"] = clip((b[f"cheekSquint{side}"] - 0.1) / 0.6)
        pose[f"mouth_raised_corner_{end}"] = clip(smile)
    m = clip((b["jawOpen"] - 0.1) / 0.3)
    if m == 0:
        frown = clip((b["mouthFrownLeft"] + b["mouthFrownRight"]) / 0.6)
        pose["mouth_lowered_corner_left"] = pose["mouth_lowered_corner_right"] = frown
    else:
        lower = clip(b["mouthLowerDownLeft"] + b["mouthLowerDownRight"])
        measured = [m, lower, b["mouthFunnel"], b["mouthPucker"]]
        d = lsq_linear(np.array(MOUTH_SHAPES).T, measured, (0, 1), method="bvls", tol=1e-12).x
        t, a = clip(d[2] + d[3]), clip((b["mouthFunnel"] - 0.25) / 0.25)
        pose["mouth_aaa"], pose["mouth_iii"] = d[0], d[1]
        pose["mouth_uuu"], pose["mouth_ooo"] = t * (1 - a), t * a
    return pose


def test_random_faces_match_the_reference_formulas() -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        # Squared, so that faces near rest and faces near the limit both occur.
        shapes = dict(zip(NAMES, (rng.random(len(NAMES)) ** 2).tolist(), strict=True))
        expected = {name: v for name, v in reference_face(shapes).items() if abs(v) > 1e-9}
        got = {name: v for name, v in face(**shapes).items() if abs(v) > 1e-9}
        assert got == pytest.approx(expected, abs=1e-6)


def test_an_empty_face_is_neutral() -> None:
    assert face() == {}


def test_a_left_wink_closes_only_the_left_eye() -> None:
    assert face(eyeBlinkLeft=0.8) == {"eye_wink_left": 1.0}


def test_a_smiling_blink_is_a_happy_one() -> None:
    pose = face(eyeBlinkRight=0.8, mouthSmileLeft=0.7, mouthSmileRight=0.7)
    assert pose["eye_happy_wink_right"] == 1.0
    assert "eye_wink_right" not in pose


@pytest.mark.parametrize("shape", ["angry", "troubled", "serious", "lowered"])
def test_lowered_brows_become_the_chosen_shape(
    shape: Literal["angry", "troubled", "serious", "lowered"],
) -> None:
    pose = face(RetargetSettings(eyebrow_down_as=shape), browDownLeft=0.2, browDownRight=0.4)
    assert pose == pytest.approx({f"eyebrow_{shape}_left": 0.5, f"eyebrow_{shape}_right": 1.0})


def test_lids_close_as_relaxed_eyes_when_chosen() -> None:
    assert face(RetargetSettings(wink_as="relaxed"), eyeBlinkLeft=0.8) == {"eye_relaxed_left": 1.0}


def test_opening_the_mouth_crosses_the_seam_without_a_jump() -> None:
    settings = RetargetSettings()
    rest = {"mouthFrownLeft": 0.4, "mouthFrownRight": 0.4, "mouthLowerDownLeft": 0.6}
    jaw = np.arange(0.0, 0.5, 0.001)
    poses = [face(settings, jawOpen=opening, **rest) for opening in jaw]
    for name in ("mouth_lowered_corner_left", "mouth_iii", "mouth_aaa"):
        steps = np.diff([pose.get(name, 0.0) for pose in poses])
        assert np.abs(steps).max() < 0.03, name
    assert face(settings, jawOpen=0.1, **rest) == face(jawOpen=0.1, **rest)
    assert face(settings, jawOpen=0.2, **rest) == face(jawOpen=0.2, **rest)


def test_smirk_and_eee_stay_off_unless_asked_for() -> None:
    shapes = {"jawLeft": 1.0, "jawOpen": 0.3, "mouthLowerDownLeft": 1.0, "mouthStretchLeft": 1.0}
    pose = face(**shapes)
    assert "mouth_smirk" not in pose
    assert "mouth_eee" not in pose
    bold = RetargetSettings(mouth=MouthSettings(open_seam=0, smirk_gain=1, eee_gain=2))
    changed = face(bold, **shapes)
    assert changed["mouth_smirk"] == pytest.approx(0.85)
    assert changed["mouth_eee"] == pytest.approx(0.5 * pose["mouth_iii"])
    assert changed["mouth_eee"] + changed["mouth_iii"] == pytest.approx(pose["mouth_iii"])
