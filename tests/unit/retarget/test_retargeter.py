"""The stage as the render loop sees it: faces in, poses out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.retargeting import (
    MOUTH_ONLY,
    SETTINGS,
    WHOLE,
    degrees,
    first_pose,
    moved,
    ns,
    watch,
)
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.pose_params import PoseParam
from vtbridge.pose_schema import THA1
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import (
    CurveSettings,
    EyeSettings,
    RetargetSettings,
    SensitivitySettings,
)
from vtbridge.telemetry import Telemetry


def test_before_any_face_the_pose_is_neutral_and_absent() -> None:
    pose = Retargeter(SETTINGS).pose_at(ns(3))
    assert pose.presence == 0.0
    assert not pose.values.any()
    assert Retargeter(SETTINGS).tracker_lost(ns(3))


def test_a_face_moves_brows_eyes_mouth_gaze_head_and_body() -> None:
    face = FaceFrame(
        ns(1),
        blendshapes={"browInnerUp": 0.5, "eyeBlinkLeft": 0.4, "jawOpen": 0.4, "eyeLookUpLeft": 0.3},
        head=degrees(7.5, 5, -15),
    )
    assert moved(first_pose(face)) == pytest.approx(
        {
            "eyebrow_raised_left": 0.2593,
            "eyebrow_raised_right": 0.2593,
            "eyebrow_troubled_left": 0.7778,
            "eyebrow_troubled_right": 0.7778,
            "eye_wink_left": 0.4737,
            "mouth_aaa": 0.117,
            "mouth_uuu": 0.3657,
            "iris_rotation_x": 0.2,
            "head_x": 0.5,
            "head_y": 0.5,
            "neck_z": -1.0,
            "body_y": 0.5,
            "body_z": -1.0,
        }
    )


def test_a_face_that_is_not_newer_changes_nothing() -> None:
    telemetry = Telemetry()
    retargeter = Retargeter(SETTINGS, telemetry=telemetry)
    retargeter.feed(FaceFrame(ns(2), blendshapes={"jawOpen": 0.3}))
    before = retargeter.pose_at(ns(2)).values
    for t_s in (2.0, 1.0):
        retargeter.feed(FaceFrame(ns(t_s), blendshapes={"jawOpen": 1.0}))
        np.testing.assert_array_equal(retargeter.pose_at(ns(2)).values, before)
    assert telemetry.counters() == {"retarget.stale_frames": 1}


def test_presets_are_used_without_arkit_and_emotions_beside_it() -> None:
    presets = {"aa": 0.5, "angry": 1.0}
    few = {"jawOpen": 1.0}
    assert moved(first_pose(FaceFrame(ns(1), blendshapes=few, presets=presets))) == {
        "eyebrow_angry_left": 1.0,
        "eyebrow_angry_right": 1.0,
        "mouth_aaa": 0.5,
        "mouth_lowered_corner_left": 0.5,
        "mouth_lowered_corner_right": 0.5,
    }
    many = dict.fromkeys((f"unused{i}" for i in range(26)), 0.0) | {"eyeBlinkLeft": 0.8}
    assert moved(first_pose(FaceFrame(ns(1), blendshapes=many, presets=presets))) == {
        "eyebrow_angry_left": 1.0,
        "eyebrow_angry_right": 1.0,
        "eye_wink_left": 1.0,
        "mouth_lowered_corner_left": 0.5,
        "mouth_lowered_corner_right": 0.5,
    }
    # Emotions alone do not make a face of presets: the few blendshapes still count.
    pose = moved(first_pose(FaceFrame(ns(1), blendshapes=few, presets={"angry": 1.0})))
    assert pose["mouth_aaa"] > 0.0
    assert pose["eyebrow_angry_left"] == 1.0


@pytest.mark.parametrize("presets", [{}, {"aa": 0.0, "lookUp": 0.0}])
def test_eye_bones_move_the_irises_of_any_sender(presets: dict[str, float]) -> None:
    eye = Gaze(math.radians(11), 0.0)
    values = first_pose(FaceFrame(ns(1), presets=presets, left_eye=eye, right_eye=eye))
    assert moved(values) == {"iris_rotation_x": 0.5}


def test_parts_that_are_not_sent_stay_neutral() -> None:
    assert moved(first_pose(FaceFrame(ns(1), blendshapes={"eyeBlinkRight": 0.8}))) == {
        "eye_wink_right": 1.0
    }
    assert moved(first_pose(FaceFrame(ns(1), head=degrees(pitch=15)))) == {"head_x": 1.0}


def test_the_mirror_switch_exchanges_the_sides() -> None:
    face = FaceFrame(ns(1), blendshapes={"eyeBlinkLeft": 0.8}, head=degrees(pitch=3, yaw=5))
    values = first_pose(face, RetargetSettings(mirror=True))
    assert moved(values) == {"eye_wink_right": 1.0, "head_x": 0.2, "head_y": -0.5, "body_y": -0.5}


def test_linked_blinks_close_both_eyes() -> None:
    face = FaceFrame(ns(1), blendshapes={"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.2})
    linked = RetargetSettings(link_blinks=True, eyes=EyeSettings(smart_wink=False))
    assert moved(first_pose(face, linked)) == {"eye_wink_left": 1.0, "eye_wink_right": 1.0}


def test_a_wink_must_last_a_moment_to_count_unless_that_is_off() -> None:
    winking = {"eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.0}
    retargeter = Retargeter(SETTINGS)
    shown = []
    for i in range(60):
        retargeter.feed(FaceFrame(ns(1 + i / 60), blendshapes=winking if i > 5 else {}))
        shown.append(float(retargeter.pose_at(ns(1 + i / 60)).values[PoseParam.EYE_WINK_LEFT]))
    assert max(shown[:11]) == 0.0
    assert shown[-1] == 1.0
    free = RetargetSettings(eyes=EyeSettings(smart_wink=False))
    face = FaceFrame(ns(1), blendshapes=winking)
    assert moved(first_pose(face, free)) == {"eye_wink_left": 1.0}


def test_eyes_that_look_down_are_not_half_closed() -> None:
    reading = {"eyeLookDownLeft": 0.45, "eyeLookDownRight": 0.45, "eyeBlinkLeft": 0.27}
    aware, plain = (
        first_pose(
            FaceFrame(ns(1), blendshapes=reading),
            RetargetSettings(eyes=EyeSettings(look_down_compensation=share)),
        )[PoseParam.EYE_WINK_LEFT]
        for share in (1.0, 0.0)
    )
    assert plain > 0.25
    assert aware < 0.02


def test_sensitivity_acts_on_its_own_part() -> None:
    face = FaceFrame(ns(1), blendshapes={"browDownLeft": 0.2, "eyeBlinkLeft": 0.2})
    plain = moved(first_pose(face))
    sensitive = RetargetSettings(sensitivity=SensitivitySettings(eyelids=CurveSettings(gain=2)))
    assert moved(first_pose(face, sensitive)) == {
        "eyebrow_angry_left": plain["eyebrow_angry_left"],
        "eye_wink_left": pytest.approx((0.4 - 0.04) / 0.76, abs=1e-4),
    }


def test_gaze_and_head_have_curves_too() -> None:
    look = {"eyeLookUpLeft": 0.3, "eyeLookUpRight": 0.3}
    face = FaceFrame(ns(1), blendshapes=look, head=degrees(pitch=-1.5, yaw=5))
    curves = SensitivitySettings(
        gaze=CurveSettings(gain=0.5), head=CurveSettings(dead_zone=0.2, full_at=0.6)
    )
    assert moved(first_pose(face, RetargetSettings(sensitivity=curves))) == {
        "iris_rotation_x": 0.2,
        "head_y": 0.75,
        "body_y": 0.75,
    }


def test_visemes_make_a_face_of_presets_and_follow_the_mouths_factor() -> None:
    loud = RetargetSettings(sensitivity=SensitivitySettings(mouth=CurveSettings(gain=2)))
    once, twice = (
        first_pose(FaceFrame(ns(1), presets={"ss": 0.4}), settings) for settings in (SETTINGS, loud)
    )
    assert 0.0 < 2 * once[PoseParam.MOUTH_III] == pytest.approx(twice[PoseParam.MOUTH_III])


def test_bad_numbers_keep_the_last_pose_and_are_counted() -> None:
    telemetry = Telemetry()
    retargeter = Retargeter(SETTINGS, telemetry=telemetry)
    good = FaceFrame(ns(1), blendshapes={"jawOpen": 0.3}, head=degrees(yaw=5))
    retargeter.feed(good)
    before = retargeter.pose_at(ns(1)).values
    bad = {"jawOpen": math.nan}
    retargeter.feed(FaceFrame(ns(1.1), blendshapes=bad, head=HeadPose(0.0, math.inf, 1e38)))
    np.testing.assert_array_equal(retargeter.pose_at(ns(1.1)).values, before)
    assert telemetry.counters() == {"retarget.dropped_values": 3}


def test_poses_given_out_are_never_changed_afterwards() -> None:
    retargeter = Retargeter(SETTINGS)
    poses, copies = [], []
    for i in range(30):
        retargeter.feed(FaceFrame(ns(1 + i / 60), head=degrees(yaw=i)))
        poses.append(retargeter.pose_at(ns(1 + i / 60)).values)
        copies.append(poses[-1].copy())
    np.testing.assert_array_equal(poses, copies)


def test_presets_of_one_part_leave_the_blendshapes_of_the_others() -> None:
    """A tracker with few blendshapes beside a microphone with presets."""
    few = {"eyeBlinkLeft": 0.8, "browDownLeft": 0.7, "jawOpen": 0.9}
    values = first_pose(FaceFrame(ns(1), blendshapes=few, presets={"ou": 0.6}))
    assert moved(values) == pytest.approx(
        {"eyebrow_angry_left": 1.0, "eye_wink_left": 1.0, "mouth_uuu": 0.6}
    )


def test_thas_first_version_is_driven_by_the_same_faces() -> None:
    retargeter = Retargeter(RetargetSettings(mirror=True), schema=THA1)
    assert retargeter.pose_at(0).values.shape == (6,)
    shapes = {"eyeBlinkLeft": 0.9, "jawOpen": 0.6, "mouthLowerDownLeft": 0.7}
    pose = watch(retargeter, shapes, 1.0, 1.0, head=degrees(pitch=7.5, yaw=5, roll=-3))[-1]
    assert pose.schema is THA1
    shown = {label: round(float(pose.values[i]), 3) for label, i in THA1.index.items()}
    assert shown.pop("mouth") > 0.7
    assert shown == {"head_x": 0.5, "head_y": -0.5, "neck_z": 0.2, "left_eye": 0, "right_eye": 1}
    assert pose.coverage is None
    only_mouth = watch(Retargeter(SETTINGS, schema=THA1), MOUTH_ONLY, 1.0, 1.0)[-1]
    assert only_mouth.coverage is not None
    assert only_mouth.coverage.tolist() == [0, 0, 0, 0, 0, 1]


def test_the_same_faces_give_the_same_poses() -> None:
    rng = np.random.default_rng(2)
    faces = [
        FaceFrame(
            ns(1 + i / 30),
            blendshapes=dict(zip(WHOLE, rng.random(len(WHOLE)).tolist(), strict=True)),
            head=degrees(*rng.uniform(-10, 10, 3)) if i % 3 else None,
        )
        for i in range(90)
    ]

    def film() -> list[list[float]]:
        retargeter, poses = Retargeter(SETTINGS), []
        for face in faces:
            retargeter.feed(face)
            poses.append(retargeter.pose_at(face.t_ns).values.tolist())
        return poses

    assert film() == film()
