"""Neutral is what the face comes back to, not what it does most."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.app.animate.resting_face import resting_face
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose


def face(index: int, **shapes: float) -> FaceFrame:
    return FaceFrame(index, "webcam:video", blendshapes=shapes)


def test_talking_mouth_and_lasting_smile_are_not_neutral() -> None:
    faces = [
        face(i, jawOpen=0.04 if i % 5 == 0 else 0.5, mouthSmileLeft=0.02 if i < 20 else 0.8)
        for i in range(100)
    ]
    rest = resting_face(faces)
    assert rest is not None
    assert rest.blendshapes["jawOpen"] == pytest.approx(0.04, abs=0.01)
    assert rest.blendshapes["mouthSmileLeft"] == pytest.approx(0.02, abs=0.01)


def test_face_that_never_shows_less_rests_there() -> None:
    rest = resting_face([face(i, browDownLeft=0.3 + 0.001 * (i % 7)) for i in range(50)])
    assert rest is not None
    assert rest.blendshapes["browDownLeft"] == pytest.approx(0.3, abs=0.01)


def test_head_and_gaze_rest_in_their_middle() -> None:
    rng = np.random.default_rng(1)
    faces = [
        FaceFrame(
            i,
            "webcam:video",
            blendshapes={"eyeLookDownLeft": 0.3 + swing},
            head=HeadPose(0.1 + swing, -0.2 - swing, 0.3),
            left_eye=Gaze(0.05 + swing, 0.0),
        )
        for i, swing in enumerate(rng.uniform(-0.2, 0.2, 401))
    ]
    rest = resting_face(faces)
    assert rest is not None
    assert rest.head is not None
    assert rest.left_eye is not None
    assert rest.right_eye is None
    assert rest.head.pitch_rad == pytest.approx(0.1, abs=0.03)
    assert rest.head.yaw_rad == pytest.approx(-0.2, abs=0.03)
    assert rest.head.roll_rad == pytest.approx(0.3)
    assert rest.left_eye.pitch_rad == pytest.approx(0.05, abs=0.03)
    assert rest.blendshapes["eyeLookDownLeft"] == pytest.approx(0.3, abs=0.03)


def test_pictures_without_a_face_say_nothing() -> None:
    lost = FaceFrame(0, "webcam:video", tracked=False, blendshapes={"jawOpen": 1.0})
    assert resting_face([lost] * 5) is None
    rest = resting_face([lost] * 90 + [face(i, jawOpen=0.1) for i in range(10)])
    assert rest is not None
    assert rest.blendshapes["jawOpen"] == pytest.approx(0.1)
    assert rest.head is None
