"""Every name has its part, and a preset said in ARKit moves the character as the preset does."""

from __future__ import annotations

import pytest

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.pose_params import PoseParam
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.tracking.arkit import ARKIT_NAMES, EMOTION_PRESETS, PRESET_NAMES
from vtbridge.tracking.face_parts import (
    PART_OF_PRESET,
    PART_OF_SHAPE,
    SHAPES_OF_PRESET,
    Part,
    PartValues,
    joined,
    split,
)


def test_each_of_the_52_has_its_part() -> None:
    assert set(PART_OF_SHAPE) == set(ARKIT_NAMES)
    members = {part: {name for name in ARKIT_NAMES if PART_OF_SHAPE[name] is part} for part in Part}
    assert {part: len(names) for part, names in members.items()} == {
        Part.BROWS: 5,
        Part.EYES: 8,
        Part.GAZE: 8,
        Part.MOUTH: 31,
        Part.HEAD: 0,
    }
    assert members[Part.EYES] == {
        f"{stem}{side}"
        for stem in ("eyeBlink", "eyeSquint", "eyeWide", "cheekSquint")
        for side in ("Left", "Right")
    }
    assert {"jawOpen", "tongueOut", "cheekPuff", "noseSneerLeft"} <= members[Part.MOUTH]


def test_each_preset_has_its_part() -> None:
    assert set(PART_OF_PRESET) == set(PRESET_NAMES)
    assert {PART_OF_PRESET[name] for name in EMOTION_PRESETS} == {Part.BROWS}


def test_each_preset_but_emotions_can_be_said_in_the_52() -> None:
    assert set(SHAPES_OF_PRESET) == set(PRESET_NAMES) - EMOTION_PRESETS - {"neutral"}
    for preset, shapes in SHAPES_OF_PRESET.items():
        assert shapes.keys() <= set(ARKIT_NAMES)
        assert {PART_OF_SHAPE[name] for name in shapes} <= {PART_OF_PRESET[preset]}


def strongest(face: FaceFrame, params: tuple[PoseParam, ...]) -> PoseParam:
    retargeter = Retargeter(RetargetSettings())
    retargeter.feed(face)
    values = retargeter.pose_at(face.t_ns).values
    found = max(params, key=lambda param: abs(float(values[param])))
    assert abs(values[found]) > 0.3
    return found


MOUTHS = (PoseParam.MOUTH_AAA, PoseParam.MOUTH_III, PoseParam.MOUTH_UUU, PoseParam.MOUTH_OOO)
EYES = (PoseParam.EYE_WINK_LEFT, PoseParam.EYE_WINK_RIGHT)


@pytest.mark.parametrize(
    ("preset", "params", "wanted"),
    [
        ("aa", MOUTHS, PoseParam.MOUTH_AAA),
        ("ih", MOUTHS, PoseParam.MOUTH_III),
        ("ou", MOUTHS, PoseParam.MOUTH_UUU),
        ("oh", MOUTHS, PoseParam.MOUTH_OOO),
        ("blinkLeft", EYES, PoseParam.EYE_WINK_LEFT),
        ("blinkRight", EYES, PoseParam.EYE_WINK_RIGHT),
    ],
)
def test_preset_said_in_arkit_moves_what_the_preset_moves(
    preset: str, params: tuple[PoseParam, ...], wanted: PoseParam
) -> None:
    said = PartValues(presets={preset: 1.0}).in_arkit()
    assert said.presets == {}
    assert strongest(FaceFrame(1, presets={preset: 1.0}), params) is wanted
    assert strongest(FaceFrame(1, blendshapes=said.blendshapes), params) is wanted


@pytest.mark.parametrize("preset", ["lookUp", "lookDown", "lookLeft", "lookRight"])
def test_look_said_in_arkit_looks_the_same_way(preset: str) -> None:
    irises = []
    for face in (
        FaceFrame(1, presets={preset: 0.6}),
        FaceFrame(1, blendshapes=PartValues(presets={preset: 0.6}).in_arkit().blendshapes),
    ):
        retargeter = Retargeter(RetargetSettings())
        retargeter.feed(face)
        values = retargeter.pose_at(1).values
        irises.append(
            [float(values[p]) for p in (PoseParam.IRIS_ROTATION_X, PoseParam.IRIS_ROTATION_Y)]
        )
    assert max(map(abs, irises[0])) > 0.3
    assert irises[1] == pytest.approx(irises[0], abs=1e-6)


def test_what_was_split_can_be_joined() -> None:
    face = FaceFrame(
        1,
        blendshapes=dict.fromkeys(ARKIT_NAMES, 0.5),
        presets={"happy": 0.25},
        head=HeadPose(0.1, 0.2, 0.3),
        left_eye=Gaze(0.1, 0.2),
    )
    parts = split(face)
    assert set(parts) == set(Part)
    whole = joined(parts.values())
    assert whole.blendshapes == face.blendshapes
    assert whole.presets == face.presets
    assert (whole.head, whole.left_eye, whole.right_eye) == (face.head, face.left_eye, None)


def test_blendshape_that_was_sent_outranks_a_preset_of_the_same_part() -> None:
    said = PartValues(blendshapes={"jawOpen": 0.05}, presets={"aa": 1.0, "sad": 0.5}).in_arkit()
    assert said.blendshapes["jawOpen"] == 0.05
    assert said.blendshapes["mouthLowerDownLeft"] > 0
    assert said.presets == {"sad": 0.5}
