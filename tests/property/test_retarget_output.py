"""Whatever a tracker sends, poses are finite and in range."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.expressions.idle import IdleMotion
from vtbridge.expressions.settings import IdleSettings
from vtbridge.pose_params import POSE_MAX, POSE_MIN
from vtbridge.retarget.arkit_to_tha import BROW_NAMES, EYELID_NAMES, MOUTH_NAMES
from vtbridge.retarget.gaze import ARKIT_LOOK_NAMES, PRESET_LOOK_NAMES
from vtbridge.retarget.mouth import MOUTH_SHAPES, solve_mouth_weights, vowels_from_lips
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import (
    GazeSettings,
    HeadSettings,
    MouthSettings,
    RetargetSettings,
    SensitivitySettings,
)
from vtbridge.retarget.vrm_to_tha import BLINK_NAMES, EMOTION_NAMES
from vtbridge.retarget.vrm_to_tha import MOUTH_NAMES as PRESET_MOUTH_NAMES

SHAPES = (*BROW_NAMES, *EYELID_NAMES, *MOUTH_NAMES, *ARKIT_LOOK_NAMES, "tongueOut", "nonsense")
PRESETS = (*PRESET_MOUTH_NAMES, *BLINK_NAMES, *EMOTION_NAMES, *PRESET_LOOK_NAMES, "neutral")

any_number = st.floats() | st.floats(0, 1) | st.sampled_from([1e38, -1e38, 2.0, -0.0])
any_head = st.none() | st.builds(HeadPose, any_number, any_number, any_number)
any_eye = st.none() | st.builds(Gaze, any_number, any_number)
any_face = st.builds(
    FaceFrame,
    t_ns=st.integers(0, 2**62),
    tracked=st.sampled_from([True, True, True, False]),
    blendshapes=st.dictionaries(st.sampled_from(SHAPES), any_number),
    presets=st.dictionaries(st.sampled_from(PRESETS), any_number),
    head=any_head,
    left_eye=any_eye,
    right_eye=any_eye,
)
any_settings = st.builds(
    RetargetSettings,
    mirror=st.booleans(),
    link_blinks=st.booleans(),
    eyebrow_down_as=st.sampled_from(["angry", "troubled", "serious", "lowered"]),
    wink_as=st.sampled_from(["wink", "relaxed"]),
    head=st.builds(HeadSettings, yaw_full_deg=st.floats(1, 90), pitch_full_deg=st.floats(1, 90)),
    gaze=st.builds(GazeSettings, source=st.sampled_from(["auto", "blendshapes", "eyes"])),
    sensitivity=st.builds(SensitivitySettings, mouth=st.floats(0, 5), eyelids=st.floats(0, 5)),
    mouth=st.builds(
        MouthSettings,
        open_seam=st.floats(0, 1),
        smirk_gain=st.floats(0, 5),
        eee_gain=st.floats(0, 5),
    ),
)
unit = st.floats(0, 1)


def assert_showable(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    assert np.isfinite(values).all()
    assert (np.array(POSE_MIN, np.float32) <= values).all()
    assert (values <= np.array(POSE_MAX, np.float32)).all()


@given(any_settings, st.lists(any_face, max_size=8), st.integers(0, 10**10), st.booleans())
def test_any_faces_at_any_times_give_showable_poses(
    settings: RetargetSettings, faces: list[FaceFrame], later_ns: int, calibrate: bool
) -> None:
    retargeter, idle = Retargeter(settings), IdleMotion(IdleSettings(), seed=1)
    if calibrate:
        retargeter.calibrate()
    now_ns = 0
    for face in faces:
        retargeter.feed(face)
        now_ns = max(now_ns, face.t_ns) + later_ns
        pose = retargeter.pose_at(now_ns)
        assert 0.0 <= pose.presence <= 1.0
        assert_showable(pose.values)
        assert_showable(idle.apply(pose, now_ns).values)
    # A calibration that came from nonsense must still load.
    Retargeter(settings).load_calibration(retargeter.save_calibration())


@given(st.lists(any_face, min_size=1, max_size=12), st.integers(10**6, 10**8))
def test_a_calibrated_stream_of_nonsense_stays_showable(
    faces: list[FaceFrame], period_ns: int
) -> None:
    """In order and close together, so that calibration, filter and hold all take part."""
    retargeter = Retargeter(RetargetSettings())
    retargeter.calibrate()
    for i in range(60):
        face = faces[i % len(faces)]
        t_ns = 10**9 + i * period_ns
        retargeter.feed(
            FaceFrame(
                t_ns,
                blendshapes=face.blendshapes,
                presets=face.presets,
                head=face.head,
                left_eye=face.left_eye,
                right_eye=face.right_eye,
            )
        )
        assert_showable(retargeter.pose_at(t_ns).values)
    Retargeter(RetargetSettings()).load_calibration(retargeter.save_calibration())


@given(unit, unit, unit, unit)
def test_mouth_weights_satisfy_the_conditions_of_the_minimum(
    opening: float, lower_lip: float, funnel: float, pucker: float
) -> None:
    """Karush-Kuhn-Tucker: for this convex problem they prove the minimum."""
    weights = np.array(solve_mouth_weights(opening, lower_lip, funnel, pucker))
    shapes = np.array(MOUTH_SHAPES)
    slope = shapes @ (weights @ shapes - [opening, lower_lip, funnel, pucker])
    assert ((weights >= 0.0) & (weights <= 1.0)).all()
    for weight, rise in zip(weights, slope, strict=True):
        if weight < 1.0 - 1e-9:
            assert rise > -1e-9  # more of it would not help
        if weight > 1e-9:
            assert rise < 1e-9  # nor would less


@given(unit, unit, unit, unit)
def test_vowels_stay_in_range(
    opening: float, lower_lip: float, funnel: float, pucker: float
) -> None:
    vowels = vowels_from_lips(opening, lower_lip, funnel, pucker)
    assert all(0.0 <= vowel <= 1.0 for vowel in vowels)
