"""The stage in motion: nothing that a tracker does makes the character jump."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.retargeting import SETTINGS, WHOLE, degrees, first_pose, ns
from vtbridge.datatypes import F32Array, FaceFrame
from vtbridge.pose_params import PoseParam
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import CalibrationSettings, RetargetSettings

LIDS = ("eye_wink", "eye_happy_wink", "eye_relaxed")


def closed(values: F32Array, side: str) -> float:
    """Return how far all lid shapes of one eye close it together."""
    return sum(float(values[PoseParam[f"{lid}_{side}".upper()]]) for lid in LIDS)


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
