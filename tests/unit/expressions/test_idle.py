"""A character left alone breathes, blinks and sways; one that is driven only breathes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array, Pose
from vtbridge.expressions.idle import IdleMotion, lid_closure
from vtbridge.expressions.settings import IdleSettings
from vtbridge.pose_params import POSE_SIZE, PoseParam

SETTINGS = IdleSettings()
START_S = 100.0


def ns(seconds: float) -> int:
    return round((START_S + seconds) * NS_PER_S)


def face(presence: float, level: float = 0.0) -> Pose:
    return Pose(np.full(POSE_SIZE, level, np.float32), 5, presence)


def film(
    idle: IdleMotion, pose: Pose, seconds: float, *, fps: int = 60, start_s: float = 0.0
) -> F32Array:
    """Return float32 [frames, 45]."""
    beats = range(round(seconds * fps))
    return np.array([idle.apply(pose, ns(start_s + beat / fps)).values for beat in beats])


def blink_starts_s(values: F32Array, fps: int = 60) -> list[float]:
    closing = values[:, PoseParam.EYE_WINK_LEFT] > 0.5
    return [float(i) / fps for i in np.flatnonzero(closing[1:] & ~closing[:-1])]


def test_breathing_follows_the_raised_cosine_whoever_drives() -> None:
    for presence in (0.0, 1.0):
        idle = IdleMotion(SETTINGS, seed=1)
        values = film(idle, face(presence), 6.0)[:, PoseParam.BREATHING]
        t_s = np.arange(360) / 60
        expected = (1 - np.cos(2 * math.pi * 20 / 60 * t_s)) / 2
        np.testing.assert_allclose(values, expected, atol=1e-5)


def test_a_driven_pose_is_left_alone_but_for_its_breath() -> None:
    pose = IdleMotion(SETTINGS, seed=1).apply(face(1.0, 0.25), ns(0))
    unchanged = np.delete(pose.values, PoseParam.BREATHING)
    assert (unchanged == 0.25).all()
    assert (pose.t_ns, pose.presence) == (5, 1.0)


def test_the_input_pose_is_not_changed() -> None:
    given = face(0.5, 0.25)
    IdleMotion(SETTINGS, seed=1).apply(given, ns(0))
    assert (given.values == 0.25).all()


def test_blinks_come_every_two_to_five_seconds_on_both_eyes() -> None:
    values = film(IdleMotion(SETTINGS, seed=2), face(0.0), 300.0)
    starts = blink_starts_s(values)
    pauses = np.diff(starts)
    single = pauses[pauses > 1.0]  # the others are double blinks
    assert 60 <= len(starts) <= 150
    assert single.min() >= 2.0
    assert single.max() <= 5.5
    assert 0 < np.count_nonzero(pauses < 1.0) < 0.3 * len(pauses)
    left, right = values[:, PoseParam.EYE_WINK_LEFT], values[:, PoseParam.EYE_WINK_RIGHT]
    np.testing.assert_array_equal(left, right)
    assert left.max() > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_all_idle_motion_is_smooth(seed: int) -> None:
    values = film(IdleMotion(SETTINGS, seed=seed), face(0.0), 120.0)
    steps = np.abs(np.diff(values, axis=0)).max(axis=0)
    lids = [PoseParam.EYE_WINK_LEFT, PoseParam.EYE_WINK_RIGHT]
    irises = [PoseParam.IRIS_ROTATION_X, PoseParam.IRIS_ROTATION_Y]
    assert (steps[lids] < 0.35).all()  # closes within 0.08 s
    assert (steps[irises] < 0.11).all()  # a saccade lasts 0.1 s
    assert (np.delete(steps, [*lids, *irises, PoseParam.BREATHING]) < 0.005).all()


def test_head_body_and_gaze_move_but_stay_near_rest() -> None:
    values = film(IdleMotion(SETTINGS, seed=3), face(0.0), 120.0, fps=30)
    for param in (PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.NECK_Z, PoseParam.BODY_Y):
        assert 0.05 < np.ptp(values[:, param]) <= 2 * SETTINGS.sway, param.name
        assert np.abs(values[:, param]).max() <= SETTINGS.sway, param.name
    gaze = values[:, PoseParam.IRIS_ROTATION_Y]
    assert np.ptp(gaze) > 0.1
    assert np.abs(gaze).max() <= SETTINGS.gaze_shift
    assert (values[:, PoseParam.MOUTH_RAISED_CORNER_LEFT] == np.float32(SETTINGS.smile)).all()
    assert not values[:, PoseParam.MOUTH_AAA].any()


def test_presence_blends_between_the_face_and_idle() -> None:
    def shown(presence: float) -> F32Array:
        return IdleMotion(SETTINGS, seed=4).apply(face(presence, 0.5), ns(1)).values

    np.testing.assert_allclose(shown(0.25), 0.25 * shown(1.0) + 0.75 * shown(0.0), atol=1e-6)
    assert IdleMotion(SETTINGS, seed=4).apply(face(0.0, 0.5), ns(1)).t_ns == ns(1)


def test_the_same_seed_gives_the_same_life() -> None:
    first, second, other = (
        film(IdleMotion(SETTINGS, seed=seed), face(0.0), 20.0) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0.05


def test_a_lost_face_can_rest_or_freeze_instead() -> None:
    neutral = IdleMotion(IdleSettings(when_lost="neutral"), seed=1)
    values = film(neutral, face(0.0, 0.5), 10.0)
    assert not np.delete(values, PoseParam.BREATHING, axis=1).any()
    freeze = IdleMotion(IdleSettings(when_lost="freeze"), seed=1)
    values = film(freeze, face(0.0, 0.5), 10.0)
    assert (np.delete(values, PoseParam.BREATHING, axis=1) == 0.5).all()
    assert values[:, PoseParam.BREATHING].max() > 0.99


def test_after_a_suspend_life_goes_on() -> None:
    idle = IdleMotion(SETTINGS, seed=5)
    film(idle, face(0.0), 10.0)
    after = film(idle, face(0.0), 30.0, start_s=7200.0)
    assert 5 <= len(blink_starts_s(after)) <= 20
    assert np.isfinite(after).all()


def test_time_that_stands_still_changes_nothing() -> None:
    idle = IdleMotion(SETTINGS, seed=5)
    film(idle, face(0.0), 3.3)
    before = idle.apply(face(0.0), ns(3.3)).values
    np.testing.assert_array_equal(idle.apply(face(0.0), ns(3.3)).values, before)
    np.testing.assert_array_equal(idle.apply(face(0.0), ns(3.0)).values, before)


def test_new_settings_bend_breathing_and_sway_without_a_jump() -> None:
    idle = IdleMotion(SETTINGS, seed=6)
    before = film(idle, face(0.0), 8.0)
    idle.configure(IdleSettings(breaths_per_min=7, sway_period_s=20))
    after = film(idle, face(0.0), 1.0, start_s=8.0)
    slow = [PoseParam.BREATHING, PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.BODY_Z]
    assert (np.abs(after[0] - before[-1])[slow] < 0.03).all()


def test_a_lid_closes_faster_than_it_opens() -> None:
    progress = np.linspace(0, 1, 1001)
    lid = np.array([lid_closure(float(p)) for p in progress])
    half = np.flatnonzero(lid >= 0.5)
    closing, opening = progress[half[0]], 1.0 - progress[half[-1]]
    assert closing < 0.75 * opening
    assert lid.max() == 1.0
    assert np.abs(np.diff(lid)).max() < 0.01
    assert lid_closure(-0.5) == lid_closure(0.0) == lid_closure(1.0) == lid_closure(3.0) == 0.0


def test_blink_pauses_out_of_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="exceeds"):
        IdleSettings(blink_every_min_s=6, blink_every_max_s=3)
