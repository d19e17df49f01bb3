"""A character left alone breathes, blinks and sways; one that is driven only breathes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
from pydantic import ValidationError

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array, Pose
from vtbridge.expressions.idle import IdleMotion, lid_closure
from vtbridge.expressions.settings import IdleSettings
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA1

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


def covering(covered: set[PoseParam], level: float = 0.5, presence: float = 1.0) -> Pose:
    coverage = np.array([float(param in covered) for param in PoseParam], np.float32)
    return Pose(np.full(POSE_SIZE, level, np.float32), 5, presence, coverage)


MOUTH = {param for param in PoseParam if param.group == "mouth"}


@pytest.mark.parametrize("when_lost", ["idle", "neutral", "freeze"])
def test_what_no_tracker_covers_lives_whatever_happens_to_a_lost_face(
    when_lost: Literal["idle", "neutral", "freeze"],
) -> None:
    """A microphone drives the mouth; the rest blinks, sways and looks around."""
    idle = IdleMotion(IdleSettings(when_lost=when_lost), seed=2)
    values = film(idle, covering(MOUTH), 60.0)
    alone = film(IdleMotion(SETTINGS, seed=2), face(0.0), 60.0)
    rest = [param for param in PoseParam if param not in MOUTH]
    np.testing.assert_allclose(values[:, rest], alone[:, rest], atol=1e-6)
    assert (values[:, sorted(MOUTH)] == 0.5).all()
    assert len(blink_starts_s(values)) > 8
    assert idle.apply(covering(MOUTH), ns(60)).t_ns == 5


def test_coverage_blends_each_parameter_by_itself() -> None:
    coverage = np.linspace(0, 1, POSE_SIZE, dtype=np.float32)
    pose = Pose(np.full(POSE_SIZE, 0.25, np.float32), 5, 0.5, coverage)
    shown = IdleMotion(SETTINGS, seed=4).apply(pose, ns(1))
    alone = IdleMotion(SETTINGS, seed=4).apply(face(0.0), ns(1)).values
    expected = alone + (0.25 - alone) * 0.5 * coverage
    breathing = PoseParam.BREATHING
    np.testing.assert_allclose(
        np.delete(shown.values, breathing), np.delete(expected, breathing), atol=1e-6
    )
    assert shown.coverage is coverage


def test_a_lost_face_freezes_or_rests_only_where_it_was_covered() -> None:
    lost = covering(MOUTH, presence=0.0)
    frozen = IdleMotion(IdleSettings(when_lost="freeze"), seed=2)
    assert (film(frozen, lost, 5.0)[:, sorted(MOUTH)] == 0.5).all()
    resting = IdleMotion(IdleSettings(when_lost="neutral"), seed=2)
    values = film(resting, lost, 30.0)
    assert not values[:, sorted(MOUTH)].any()
    assert len(blink_starts_s(values)) > 3


def test_an_idle_blink_over_relaxed_eyes_does_not_close_them_twice() -> None:
    relaxed = {PoseParam.EYE_RELAXED_LEFT, PoseParam.EYE_RELAXED_RIGHT}
    values = film(IdleMotion(SETTINGS, seed=2), covering(relaxed, 0.3), 30.0)
    closed = values[:, PoseParam.EYE_WINK_LEFT] + values[:, PoseParam.EYE_RELAXED_LEFT]
    assert 0.99 < closed.max() <= 1.0 + 1e-6


def test_thas_first_version_blinks_and_sways_too() -> None:
    idle = IdleMotion(SETTINGS, seed=2)
    lost = Pose(np.zeros(THA1.size, np.float32), 5, 0.0, schema=THA1)
    values = np.array([idle.apply(lost, ns(i / 30)).values for i in range(900)])
    assert values.shape == (900, 6)
    assert values[:, THA1.index["left_eye"]].max() > 0.9
    assert np.ptp(values[:, THA1.index["head_y"]]) > 0.05
    assert not values[:, THA1.index["mouth"]].any()  # closed, though drawn open
    assert idle.apply(lost, ns(31)).schema is THA1


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
