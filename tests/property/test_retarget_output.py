"""Whatever a tracker sends, poses are finite, in range, and never faster than they may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose, Pose
from vtbridge.expressions.idle import IdleMotion
from vtbridge.expressions.settings import IdleSettings
from vtbridge.pose_schema import THA1, THA3, PoseSchema
from vtbridge.retarget.arkit_to_tha import BROW_NAMES, EYELID_NAMES, MOUTH_NAMES, SMILE_NAMES
from vtbridge.retarget.gaze import ARKIT_LOOK_NAMES, PRESET_LOOK_NAMES
from vtbridge.retarget.mouth import MOUTH_SHAPES, solve_mouth_weights, vowels_from_lips
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import (
    CurveSettings,
    EyeSettings,
    GazeSettings,
    HeadSettings,
    MouthSettings,
    RetargetSettings,
    SensitivitySettings,
)
from vtbridge.retarget.vrm_to_tha import BLINK_NAMES, EMOTION_NAMES
from vtbridge.retarget.vrm_to_tha import MOUTH_NAMES as PRESET_MOUTH_NAMES

SHAPES = (*BROW_NAMES, *EYELID_NAMES, *MOUTH_NAMES, *SMILE_NAMES, *ARKIT_LOOK_NAMES, "nonsense")
PRESETS = (*PRESET_MOUTH_NAMES, *BLINK_NAMES, *EMOTION_NAMES, *PRESET_LOOK_NAMES, "neutral")

any_number = st.floats() | st.floats(0, 1) | st.sampled_from([1e38, -1e38, 2.0, -0.0])
any_head = st.none() | st.builds(HeadPose, any_number, any_number, any_number)
any_eye = st.none() | st.builds(Gaze, any_number, any_number)
any_face = st.builds(
    FaceFrame,
    t_ns=st.integers(0, 2**62),
    source=st.sampled_from(["vmc:127.0.0.1", "webcam:0", "microphone:x+vmc:127.0.0.1", ""]),
    tracked=st.sampled_from([True, True, True, False]),
    blendshapes=st.dictionaries(st.sampled_from(SHAPES), any_number),
    presets=st.dictionaries(st.sampled_from(PRESETS), any_number),
    head=any_head,
    left_eye=any_eye,
    right_eye=any_eye,
)
any_curve = st.builds(
    CurveSettings,
    gain=st.floats(0, 5),
    dead_zone=st.floats(0, 0.5),
    full_at=st.floats(0.6, 1),
    gamma=st.floats(0.2, 5),
)
any_settings = st.builds(
    RetargetSettings,
    preset=st.sampled_from(["vtbridge", "vtbridge", "reference"]),
    mirror=st.booleans(),
    link_blinks=st.booleans(),
    eyebrow_down_as=st.sampled_from(["angry", "troubled", "serious", "lowered"]),
    wink_as=st.sampled_from(["wink", "relaxed"]),
    head=st.builds(HeadSettings, yaw_full_deg=st.floats(1, 90), pitch_full_deg=st.floats(1, 90)),
    gaze=st.builds(GazeSettings, source=st.sampled_from(["auto", "blendshapes", "eyes"])),
    sensitivity=st.builds(
        SensitivitySettings, mouth=any_curve, eyelids=any_curve, gaze=any_curve, head=any_curve
    ),
    eyes=st.builds(EyeSettings, look_down_compensation=st.floats(0, 1), smart_wink=st.booleans()),
    mouth=st.builds(
        MouthSettings,
        open_seam=st.floats(0.05, 1),
        smirk_gain=st.floats(0, 5),
        eee_gain=st.floats(0, 5),
        delta_gain=st.floats(0, 5),
        pout_gain=st.floats(0, 5),
    ),
)
any_schema = st.sampled_from([THA3, THA1])
unit = st.floats(0, 1)


def assert_showable(pose: Pose) -> None:
    assert np.isfinite(pose.values).all()
    assert (pose.schema.low <= pose.values).all()
    assert (pose.values <= pose.schema.high).all()
    assert 0.0 <= pose.presence <= 1.0
    if pose.coverage is not None:
        assert ((pose.coverage >= 0.0) & (pose.coverage <= 1.0)).all()


@given(
    any_settings,
    any_schema,
    st.lists(any_face, max_size=8),
    st.integers(0, 10**10),
    st.booleans(),
)
def test_any_faces_at_any_times_give_showable_poses(
    settings: RetargetSettings,
    schema: PoseSchema,
    faces: list[FaceFrame],
    later_ns: int,
    calibrate: bool,
) -> None:
    retargeter, idle = Retargeter(settings, schema=schema), IdleMotion(IdleSettings(), seed=1)
    if calibrate:
        retargeter.calibrate()
    now_ns = 0
    for face in faces:
        retargeter.feed(face)
        now_ns = max(now_ns, face.t_ns) + later_ns
        pose = retargeter.pose_at(now_ns)
        assert_showable(pose)
        assert_showable(idle.apply(pose, now_ns))
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
                face.source,
                blendshapes=face.blendshapes,
                presets=face.presets,
                head=face.head,
                left_eye=face.left_eye,
                right_eye=face.right_eye,
            )
        )
        assert_showable(retargeter.pose_at(t_ns))
    Retargeter(RetargetSettings()).load_calibration(retargeter.save_calibration())


def smooth_settings(settings: RetargetSettings) -> RetargetSettings:
    return settings.model_copy(update={"preset": "vtbridge"})


def is_seen(pose: Pose) -> NDArray[np.bool_]:
    """Return which parameters show anything of a face, bool [n]."""
    coverage = 1.0 if pose.coverage is None else pose.coverage
    return np.broadcast_to(pose.presence * coverage > 0.0, pose.values.shape)


@given(
    any_settings.map(smooth_settings),
    any_schema,
    st.lists(st.tuples(any_face, st.integers(1, 6)), min_size=1, max_size=30),
    st.sampled_from([24, 60, 144]),
)
def test_no_seen_parameter_ever_outruns_its_speed_limit(
    settings: RetargetSettings,
    schema: PoseSchema,
    faces: list[tuple[FaceFrame, int]],
    fps: int,
) -> None:
    """Faces of any kind, from one to six beats apart, rendered at any rate."""
    retargeter = Retargeter(settings, schema=schema)
    limit = np.empty(schema.size)
    for group, members in schema.groups.items():
        limit[members] = getattr(settings.smoothing, group.value).max_speed / fps
    beat, before = 0, retargeter.pose_at(10**9)
    for face, beats in faces:
        for wait in range(beats):
            t_ns = 10**9 + (beat + wait + 1) * 10**9 // fps
            if wait == 0:
                retargeter.feed(replace(face, t_ns=t_ns))
            pose = retargeter.pose_at(t_ns)
            # What had faded to nothing by now may come back anywhere.
            seen = is_seen(before) & is_seen(pose)
            steps = np.abs(pose.values.astype(float) - before.values)
            assert (steps <= limit + 1e-6)[seen].all()
            before = pose
        beat += beats


@given(any_settings, any_schema, st.lists(any_face, max_size=12))
def test_the_same_faces_give_the_same_poses(
    settings: RetargetSettings, schema: PoseSchema, faces: list[FaceFrame]
) -> None:
    def film() -> list[list[float]]:
        retargeter, poses = Retargeter(settings, schema=schema), []
        for i, face in enumerate(faces):
            t_ns = 10**9 + i * 16_666_667
            retargeter.feed(replace(face, t_ns=t_ns))
            poses.append(retargeter.pose_at(t_ns).values.tolist())
        return poses

    assert film() == film()


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
