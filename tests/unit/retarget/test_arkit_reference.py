"""The preset "reference" is the published mapping of talking-head-anime-3-demo, seams included."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
from scipy.optimize import lsq_linear  # type: ignore[import-untyped]  # scipy ships no types

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, HeadPose
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA3
from vtbridge.retarget.arkit_reference import write_face_like_reference
from vtbridge.retarget.arkit_to_tha import BROW_NAMES, EYELID_NAMES, MOUTH_NAMES, SMILE_NAMES
from vtbridge.retarget.gaze import ARKIT_LOOK_NAMES
from vtbridge.retarget.mouth import MOUTH_SHAPES
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings

NAMES = (*BROW_NAMES, *EYELID_NAMES, *MOUTH_NAMES, *SMILE_NAMES)
REFERENCE = RetargetSettings(preset="reference")


def face(settings: RetargetSettings = REFERENCE, /, **shapes: float) -> dict[str, float]:
    """Return the parameters that are not 0, by label."""
    values = [0.0] * POSE_SIZE
    write_face_like_reference(values, shapes, settings)
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


def test_the_mouth_switches_between_closed_and_open_at_once() -> None:
    frown = {"mouthFrownLeft": 0.6, "mouthFrownRight": 0.6}
    assert face(jawOpen=0.1, **frown)["mouth_lowered_corner_left"] == 1.0
    assert "mouth_lowered_corner_left" not in face(jawOpen=0.1001, **frown)


def test_the_whole_stage_adds_no_smoothing_to_it() -> None:
    """Face, irises and head as published, at each sample, whatever came before."""
    rng = np.random.default_rng(4)
    retargeter = Retargeter(REFERENCE)
    for i in range(200):
        names = (*NAMES, *ARKIT_LOOK_NAMES)
        shapes = dict(zip(names, (rng.random(len(names)) ** 2).tolist(), strict=True))
        pitch, yaw, roll = rng.uniform(-12, 12, 3)
        head = HeadPose(*(math.radians(angle) for angle in (pitch, yaw, roll)))
        t_ns = NS_PER_S + i * NS_PER_S // 30
        retargeter.feed(FaceFrame(t_ns, blendshapes=shapes, head=head))
        expected = reference_face(shapes) | {
            "iris_rotation_x": look(shapes, "Up") - look(shapes, "Down"),
            "iris_rotation_y": (
                shapes["eyeLookInLeft"]
                - shapes["eyeLookOutLeft"]
                - shapes["eyeLookInRight"]
                + shapes["eyeLookOutRight"]
            )
            / 2
            * 4
            / 3,
            "head_x": pitch / 15,
            "head_y": yaw / 10,
            "neck_z": roll / 15,
            "body_y": yaw / 10,
            "body_z": roll / 15,
        }
        pose = retargeter.pose_at(t_ns).values
        for param in PoseParam:
            wanted = np.clip(expected.get(param.label, 0.0), THA3.low[param], 1.0)
            assert pose[param] == pytest.approx(wanted, abs=1e-5), param.label


def look(shapes: dict[str, float], direction: str) -> float:
    return (shapes[f"eyeLook{direction}Left"] + shapes[f"eyeLook{direction}Right"]) / 2 * 4 / 3
