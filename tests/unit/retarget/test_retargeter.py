"""The stage as the render loop sees it: faces in, poses out, never a jump."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array, FaceFrame, Gaze, HeadPose, Pose
from vtbridge.pose_params import PoseParam
from vtbridge.pose_schema import THA1
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import (
    CalibrationSettings,
    CurveSettings,
    EyeSettings,
    RetargetSettings,
    SensitivitySettings,
)
from vtbridge.telemetry import Telemetry

SETTINGS = RetargetSettings()


def ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def degrees(pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> HeadPose:
    return HeadPose(math.radians(pitch), math.radians(yaw), math.radians(roll))


def first_pose(face: FaceFrame, settings: RetargetSettings = SETTINGS) -> F32Array:
    """Return what one face alone becomes; the first sample passes the filter unchanged."""
    retargeter = Retargeter(settings)
    retargeter.feed(face)
    return retargeter.pose_at(face.t_ns).values


def moved(values: F32Array) -> dict[str, float]:
    return {param.label: round(float(values[param]), 4) for param in PoseParam if values[param]}


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


def test_smoothing_follows_the_samples_and_not_the_render_loop() -> None:
    asked_often, asked_rarely = Retargeter(SETTINGS), Retargeter(SETTINGS)
    for i in range(60):
        face = FaceFrame(ns(1 + i / 30), head=degrees(yaw=8 * math.sin(i / 5)))
        for retargeter in (asked_often, asked_rarely):
            retargeter.feed(face)
        for step in range(5):
            asked_often.pose_at(face.t_ns + step)
    end_ns = ns(3)
    np.testing.assert_array_equal(
        asked_often.pose_at(end_ns).values, asked_rarely.pose_at(end_ns).values
    )


def test_sudden_motion_begins_to_show_with_the_very_face_that_brought_it() -> None:
    retargeter = Retargeter(SETTINGS)
    at_rest, shut = {"eyeBlinkLeft": 0.0}, {"eyeBlinkLeft": 1.0}
    retargeter.feed(FaceFrame(ns(1), blendshapes=at_rest))
    retargeter.pose_at(ns(1))
    retargeter.feed(FaceFrame(ns(1 + 1 / 60), blendshapes=shut))
    lid = retargeter.pose_at(ns(1 + 1 / 60)).values[PoseParam.EYE_WINK_LEFT]
    assert lid == pytest.approx(SETTINGS.smoothing.eyes.max_speed / 60, rel=1e-3)


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


def test_a_blink_between_two_renders_is_still_seen() -> None:
    """60 samples a second, 12 renders: a blink of two samples must show."""
    retargeter = Retargeter(SETTINGS)
    seen = 0.0
    for i in range(60):
        closed = 0.9 if i in (31, 32) else 0.0
        retargeter.feed(FaceFrame(ns(1 + i / 60), blendshapes={"eyeBlinkLeft": closed}))
        if i % 5 == 0:
            seen = max(seen, retargeter.pose_at(ns(1 + i / 60)).values[PoseParam.EYE_WINK_LEFT])
    assert seen > 0.9


LIDS = ("eye_wink", "eye_happy_wink", "eye_relaxed")


def closed(values: F32Array, side: str) -> float:
    """Return how far all lid shapes of one eye close it together."""
    return sum(float(values[PoseParam[f"{lid}_{side}".upper()]]) for lid in LIDS)


def test_a_smile_that_begins_in_a_blink_does_not_close_the_eyes_twice() -> None:
    retargeter = Retargeter(SETTINGS)
    sums = []
    for i in range(60):
        smile = 1.0 if i >= 32 else 0.0
        shapes = {
            "mouthSmileLeft": smile,
            "mouthSmileRight": smile,
            "eyeBlinkLeft": 1.0 if 28 <= i < 36 else 0.0,
        }
        retargeter.feed(FaceFrame(ns(1 + i / 60), blendshapes=shapes))
        sums.append(closed(retargeter.pose_at(ns(1 + i / 60)).values, "left"))
    assert 0.99 < max(sums) <= 1.0 + 1e-6


@pytest.mark.parametrize(
    "presets",
    [{"blink": 1.0, "relaxed": 1.0}, {"blink": 1.0, "happy": 0.5, "relaxed": 1.0}],
)
def test_no_eye_is_more_than_closed(presets: dict[str, float]) -> None:
    values = first_pose(FaceFrame(ns(1), presets=presets))
    for side in ("left", "right"):
        assert closed(values, side) == pytest.approx(1.0)


def test_a_held_blink_does_not_become_the_neutral_face() -> None:
    retargeter = Retargeter(SETTINGS)
    retargeter.calibrate()
    for i in range(120):
        blink = 0.9 if i % 6 == 0 else 0.1
        retargeter.feed(FaceFrame(ns(1 + i / 60), blendshapes={"eyeBlinkLeft": blink}))
    saved = retargeter.save_calibration()
    assert saved["trackers"] == {
        "": {"head_rad": [0, 0, 0], "iris": [0, 0], "rest": {"eyeBlinkLeft": 0.1}}
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


def test_a_lost_face_stays_where_it_was_while_its_presence_fades() -> None:
    retargeter = Retargeter(SETTINGS)
    for i in range(120):
        retargeter.feed(FaceFrame(ns(1 + i / 60), head=degrees(yaw=5)))
        retargeter.pose_at(ns(1 + i / 60))
    last_ns = ns(1 + 119 / 60)
    live = retargeter.pose_at(last_ns)
    assert live.presence == 1.0
    assert live.t_ns == last_ns
    for seconds, presence in ((0.25, 1.0), (0.65, 0.5), (1.1, 0.0), (5.0, 0.0)):
        pose = retargeter.pose_at(last_ns + ns(seconds))
        assert pose.presence == pytest.approx(presence, abs=0.01)
        np.testing.assert_array_equal(pose.values, live.values)
    assert retargeter.tracker_lost(last_ns + ns(5))
    assert retargeter.pose_at(last_ns + ns(6)).t_ns == last_ns + ns(6)


def test_frames_without_a_face_count_as_silence() -> None:
    retargeter = Retargeter(SETTINGS)
    for i in range(60):
        retargeter.feed(FaceFrame(ns(1 + i / 60), head=degrees(yaw=5)))
        retargeter.pose_at(ns(1 + i / 60))
    for i in range(60, 180):
        retargeter.feed(FaceFrame(ns(1 + i / 60), tracked=False, head=degrees(yaw=-40)))
        pose = retargeter.pose_at(ns(1 + i / 60))
    assert pose.presence == 0.0
    assert pose.values[PoseParam.HEAD_Y] == pytest.approx(0.5)
    assert retargeter.tracker_lost(ns(4))


@pytest.mark.parametrize("gap_s", [0.2, 0.4, 0.7, 3.0])
def test_a_face_that_returns_elsewhere_does_not_jump(gap_s: float) -> None:
    retargeter = Retargeter(SETTINGS)
    shown: list[float] = []
    for i in range(round((2 + gap_s) * 60) + 90):
        t_s = i / 60
        if t_s < 2.0 or t_s >= 2.0 + gap_s:
            yaw = 5.0 if t_s < 2.0 else -5.0
            retargeter.feed(FaceFrame(ns(1 + t_s), head=degrees(yaw=yaw)))
        pose = retargeter.pose_at(ns(1 + t_s))
        shown.append(float(pose.values[PoseParam.HEAD_Y]) * pose.presence)
    steps = np.abs(np.diff(shown))
    # 0.2 s is within what a slow tracker does between samples: only the filter softens it.
    assert steps.max() < (0.95 if gap_s < 0.3 else 0.08)
    assert shown[-1] == pytest.approx(-0.5, abs=0.02)


def test_lost_late_and_reordered_samples_bound_the_jumps() -> None:
    """30 % loss and 50 ms of jitter on a moving head."""
    rng = np.random.default_rng(5)
    arrivals = sorted((i / 60 + rng.uniform(0, 0.05), i) for i in range(600) if rng.random() > 0.3)
    retargeter = Retargeter(SETTINGS)
    shown = []
    for beat in range(600):
        while arrivals and arrivals[0][0] <= beat / 60:
            t_s, i = arrivals.pop(0)
            yaw = 9 * math.sin(2 * math.pi * 0.5 * i / 60)
            retargeter.feed(FaceFrame(ns(1 + t_s), head=degrees(yaw=yaw)))
        shown.append(float(retargeter.pose_at(ns(1 + beat / 60)).values[PoseParam.HEAD_Y]))
    # The head itself moves up to 0.047 between beats, and samples are missing for five of them.
    assert np.abs(np.diff(shown[60:])).max() < 0.3
    assert max(shown) > 0.85


def test_calibration_makes_the_present_face_neutral() -> None:
    retargeter = Retargeter(SETTINGS)
    resting = {"eyeBlinkLeft": 0.24, "jawOpen": 0.2, "eyeLookDownLeft": 0.4, "mouthPucker": 0.1}
    retargeter.calibrate()
    assert retargeter.calibrating
    values = []
    for i in range(240):
        retargeter.feed(FaceFrame(ns(1 + i / 60), blendshapes=resting, head=degrees(-20, 8, 5)))
        values.append(retargeter.pose_at(ns(1 + i / 60)).values)
    assert retargeter.calibrated
    assert moved(values[0])["head_x"] == -1.0
    np.testing.assert_allclose(values[-1], 0.0, atol=0.01)
    assert np.abs(np.diff(values, axis=0)).max() < 0.25
    blinking = resting | {"eyeBlinkLeft": 1.0}
    other = Retargeter(SETTINGS)
    other.load_calibration(retargeter.save_calibration())
    other.feed(FaceFrame(ns(1), blendshapes=blinking, head=degrees(-20, 8, 5)))
    assert other.pose_at(ns(1)).values[PoseParam.EYE_WINK_LEFT] == 1.0
    other.clear_calibration()
    assert not other.calibrated


def test_settings_change_while_running_without_losing_the_pose() -> None:
    retargeter = Retargeter(SETTINGS)
    for i in range(60):
        retargeter.feed(FaceFrame(ns(1 + i / 60), head=degrees(yaw=5)))
        before = retargeter.pose_at(ns(1 + i / 60)).values
    retargeter.configure(
        RetargetSettings(mirror=True, calibration=CalibrationSettings(eyelids=False))
    )
    np.testing.assert_array_equal(retargeter.pose_at(ns(2)).values, before)
    shown = []
    for i in range(60, 120):
        retargeter.feed(FaceFrame(ns(1 + i / 60), head=degrees(yaw=5)))
        shown.append(float(retargeter.pose_at(ns(1 + i / 60)).values[PoseParam.HEAD_Y]))
    assert shown[0] == pytest.approx(0.5)
    assert np.abs(np.diff(shown)).max() < 0.08
    assert shown[-1] == pytest.approx(-0.5, abs=0.01)


def test_poses_given_out_are_never_changed_afterwards() -> None:
    retargeter = Retargeter(SETTINGS)
    poses, copies = [], []
    for i in range(30):
        retargeter.feed(FaceFrame(ns(1 + i / 60), head=degrees(yaw=i)))
        poses.append(retargeter.pose_at(ns(1 + i / 60)).values)
        copies.append(poses[-1].copy())
    np.testing.assert_array_equal(poses, copies)


MOUTH_ONLY = {"jawOpen": 0.4, "mouthFunnel": 0.1}
WHOLE = {"browInnerUp": 0.2, "eyeBlinkLeft": 0.1, "eyeLookUpLeft": 0.3, **MOUTH_ONLY}


def belief(pose: Pose, param: PoseParam) -> float:
    """Return how far ``param`` is driven by the face, 0..1."""
    return pose.presence * (1.0 if pose.coverage is None else float(pose.coverage[param]))


def watch(
    retargeter: Retargeter,
    shapes: Mapping[str, float],
    start_s: float,
    seconds: float,
    **parts: Any,
) -> list[Pose]:
    poses = []
    for i in range(round(seconds * 60)):
        t_ns = ns(start_s + i / 60)
        retargeter.feed(FaceFrame(t_ns, blendshapes=shapes, **parts))
        poses.append(retargeter.pose_at(t_ns))
    return poses


def test_a_whole_face_covers_everything() -> None:
    poses = watch(Retargeter(SETTINGS), WHOLE, 1.0, 1.0, head=degrees(yaw=3))
    assert all(pose.coverage is None for pose in poses)


def test_a_microphone_covers_only_the_mouth() -> None:
    retargeter = Retargeter(SETTINGS)
    for i in range(60):
        t_ns = ns(1 + i / 60)
        face = FaceFrame(t_ns, "microphone:x", blendshapes=MOUTH_ONLY, presets={"aa": 0.7})
        retargeter.feed(face)
        pose = retargeter.pose_at(t_ns)
    mouth = range(PoseParam.MOUTH_AAA, PoseParam.MOUTH_SMIRK + 1)
    for param in PoseParam:
        assert belief(pose, param) == (1.0 if param in mouth else 0.0), param.label
    assert pose.values[PoseParam.MOUTH_AAA] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("shapes", "parts", "covered"),
    [
        (WHOLE, {}, {"brows", "eyes", "mouth", "gaze"}),
        ({}, {"head": degrees(yaw=3)}, {"head", "body"}),
        ({}, {"left_eye": Gaze(0.1, 0.0)}, {"gaze"}),
        ({"eyeBlinkRight": 0.0}, {}, {"eyes"}),
        ({"browDownLeft": 0.0}, {}, {"brows"}),
        ({}, {"presets": {"blink": 0.0}}, {"eyes"}),
        ({}, {"presets": {"browsUp": 0.0, "lookUp": 0.0}}, {"brows", "gaze"}),
        ({"browInnerUp": math.nan, "unknown": 1.0}, {}, set()),
    ],
)
def test_each_part_is_covered_by_what_tells_about_it(
    shapes: dict[str, float], parts: dict[str, Any], covered: set[str]
) -> None:
    pose = watch(Retargeter(SETTINGS), shapes, 1.0, 1.0, **parts)[-1]
    assert {param.group for param in PoseParam if belief(pose, param) == 1.0} == covered
    assert all(belief(pose, param) in (0.0, 1.0) for param in PoseParam)


def test_an_emotion_covers_its_shapes_but_leaves_blinking_to_idle() -> None:
    pose = watch(Retargeter(SETTINGS), {}, 1.0, 1.0, presets={"surprised": 1.0})[-1]
    assert belief(pose, PoseParam.EYE_SURPRISED_LEFT) == 1.0
    assert belief(pose, PoseParam.EYEBROW_RAISED_LEFT) == 1.0
    assert belief(pose, PoseParam.EYE_WINK_LEFT) == 0.0
    assert pose.values[PoseParam.EYE_SURPRISED_LEFT] == 1.0


def test_presets_of_one_part_leave_the_blendshapes_of_the_others() -> None:
    """A tracker with few blendshapes beside a microphone with presets."""
    few = {"eyeBlinkLeft": 0.8, "browDownLeft": 0.7, "jawOpen": 0.9}
    values = first_pose(FaceFrame(ns(1), blendshapes=few, presets={"ou": 0.6}))
    assert moved(values) == pytest.approx(
        {"eyebrow_angry_left": 1.0, "eye_wink_left": 1.0, "mouth_uuu": 0.6}
    )


def test_a_part_that_is_no_longer_sent_is_held_and_eased_away_and_comes_back_eased() -> None:
    retargeter = Retargeter(SETTINGS)
    watch(retargeter, WHOLE, 1.0, 2.0, head=degrees(yaw=5))
    without = watch(retargeter, WHOLE, 3.0, 2.0)
    believed = [belief(pose, PoseParam.HEAD_Y) for pose in without]
    assert believed[:15] == [1.0] * 15  # held for 0.3 s
    assert believed[66:] == [0.0] * len(believed[66:])  # eased away in 0.7 s
    assert np.abs(np.diff(believed)).max() < 0.05
    # What is not sent stays where it was, and nothing else is doubted.
    assert all(pose.values[PoseParam.HEAD_Y] == pytest.approx(0.5) for pose in without)
    assert all(belief(pose, PoseParam.MOUTH_AAA) == pytest.approx(1.0) for pose in without)
    again = watch(retargeter, WHOLE, 5.0, 1.0, head=degrees(yaw=-5))
    believed = [belief(pose, PoseParam.HEAD_Y) for pose in again]
    assert believed[0] < 0.05
    assert believed[-1] == 1.0
    assert np.abs(np.diff(believed)).max() < 0.08
    # Unseen, it need not travel from where it was.
    assert again[0].values[PoseParam.HEAD_Y] == pytest.approx(-0.5, abs=1e-6)
    assert again[-1].coverage is None


def test_a_part_that_is_missing_for_a_moment_neither_fades_nor_moves() -> None:
    retargeter = Retargeter(SETTINGS)
    poses = []
    for i in range(120):
        head = degrees(yaw=5) if i % 6 == 0 else None
        t_ns = ns(1 + i / 60)
        retargeter.feed(FaceFrame(t_ns, blendshapes=WHOLE, head=head))
        poses.append(retargeter.pose_at(t_ns))
    assert all(pose.values[PoseParam.HEAD_Y] == pytest.approx(0.5) for pose in poses)
    assert all(belief(pose, PoseParam.HEAD_Y) == pytest.approx(1.0) for pose in poses[30:])


def test_a_lost_face_keeps_what_it_covered() -> None:
    retargeter = Retargeter(SETTINGS)
    watch(retargeter, MOUTH_ONLY, 1.0, 1.0)
    for seconds in (2.5, 4.0, 60.0):
        pose = retargeter.pose_at(ns(seconds))
        assert pose.coverage is not None
        assert pose.coverage[PoseParam.MOUTH_AAA] == pytest.approx(1.0)
        assert pose.coverage[PoseParam.HEAD_X] == 0.0


@pytest.mark.parametrize("tracker_fps", [15, 30, 60])
def test_nothing_moves_faster_than_it_may_however_it_is_sampled(tracker_fps: int) -> None:
    retargeter = Retargeter(SETTINGS)
    rng = np.random.default_rng(1)
    shown = []
    for beat in range(600):
        if beat % (60 // tracker_fps) == 0:
            shapes = dict(zip(WHOLE, rng.integers(0, 2, len(WHOLE)).astype(float), strict=True))
            head = degrees(*rng.uniform(-20, 20, 3))
            retargeter.feed(FaceFrame(ns(1 + beat / 60), blendshapes=shapes, head=head))
        shown.append(retargeter.pose_at(ns(1 + beat / 60)).values)
    steps = np.abs(np.diff(shown, axis=0))
    assert steps.max() < 0.15
    assert steps.max() > 0.14  # it does use what it may


def test_each_part_has_its_own_speed_limit() -> None:
    slow = RetargetSettings.model_validate({"smoothing": {"head": {"max_speed": 2}}})
    retargeter = Retargeter(slow)
    heads = []
    for i in range(120):
        face = FaceFrame(ns(1 + i / 60), head=degrees(yaw=-9 if i < 60 else 9))
        retargeter.feed(face)
        heads.append(float(retargeter.pose_at(face.t_ns).values[PoseParam.HEAD_Y]))
    assert np.abs(np.diff(heads)).max() == pytest.approx(2 / 60, rel=0.01)


def test_another_tracker_is_measured_by_its_own_neutral_face_and_eased_to() -> None:
    retargeter = Retargeter(SETTINGS)
    resting = {"phone:10.0.0.2": 6.0, "webcam:0": -6.0}
    t_s = 1.0
    for source, pitch in resting.items():
        retargeter.calibrate()
        watch(retargeter, {}, t_s, 2.0, head=degrees(pitch=pitch), source=source)
        assert retargeter.calibrated
        assert not retargeter.calibrating
        t_s += 2.0
    saved = retargeter.save_calibration()
    assert isinstance(trackers := saved["trackers"], dict)
    assert set(trackers) == {"phone", "webcam"}
    # Another address of the same phone is the same tracker.
    phone = watch(retargeter, {}, 5.0, 1.5, head=degrees(pitch=6), source="phone:10.0.0.9")
    heads = [float(pose.values[PoseParam.HEAD_X]) for pose in phone]
    assert np.abs(heads).max() < 0.02  # at rest it was, at rest it stays
    other = watch(retargeter, {}, 6.5, 1.5, head=degrees(yaw=9), source="stranger:1")
    turns = [float(pose.values[PoseParam.HEAD_Y]) for pose in other]
    assert np.abs(np.diff(turns)).max() < 0.08  # eased, not only limited
    assert turns[-1] == pytest.approx(0.9, abs=0.01)


def test_a_microphone_that_joins_in_changes_nothing_of_the_head() -> None:
    retargeter = Retargeter(SETTINGS)
    retargeter.calibrate()
    watch(retargeter, WHOLE, 1.0, 2.0, head=degrees(pitch=6), source="phone:10.0.0.2")
    shown = []
    for i in range(120):
        source = "phone:10.0.0.2+microphone:x" if i % 2 else "phone:10.0.0.2"
        face = FaceFrame(
            ns(3 + i / 60), source, blendshapes=WHOLE, head=degrees(pitch=6, yaw=i / 20)
        )
        retargeter.feed(face)
        shown.append(retargeter.pose_at(face.t_ns).values)
    assert abs(shown[-1][PoseParam.HEAD_X]) < 0.02
    assert shown[-1][PoseParam.HEAD_Y] == pytest.approx(0.59, abs=0.05)  # it follows on


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
