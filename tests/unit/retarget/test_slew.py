"""No parameter moves faster than it may, and where it is depends on time alone."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA3
from vtbridge.retarget.settings import FilterSettings, SmoothingSettings
from vtbridge.retarget.slew import SlewLimit

SMOOTHING = SmoothingSettings(head=FilterSettings(max_speed=2), eyes=FilterSettings(max_speed=10))
ZEROS, ONES = np.zeros(POSE_SIZE), np.ones(POSE_SIZE)


def ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def started(smoothing: SmoothingSettings | None = SMOOTHING) -> SlewLimit:
    slew = SlewLimit(THA3, smoothing)
    slew.toward(ZEROS, ns(1))
    return slew


def test_the_first_target_is_reached_at_once() -> None:
    np.testing.assert_array_equal(SlewLimit(THA3, SMOOTHING).toward(ONES, ns(1)), ONES)


def test_each_part_moves_at_its_own_speed_and_stops_at_the_target() -> None:
    slew = started()
    value = slew.toward(ONES, ns(1.05))
    assert value[PoseParam.HEAD_X] == pytest.approx(0.1)
    assert value[PoseParam.EYE_SURPRISED_LEFT] == pytest.approx(0.5)
    np.testing.assert_allclose(slew.toward(ONES, ns(2)), ONES)
    np.testing.assert_allclose(slew.toward(-ONES, ns(10)), -ONES)


def test_it_does_not_matter_how_often_it_was_asked() -> None:
    rng = np.random.default_rng(0)
    often, rarely = started(), started()
    for i in range(20):
        target = rng.uniform(-1, 1, POSE_SIZE)
        for step in range(1, 8):
            value = often.toward(target, ns(1 + i * 0.1 + step * 0.1 / 7))
        np.testing.assert_allclose(rarely.toward(target, ns(1.1 + i * 0.1)), value, atol=1e-7)


def test_time_that_does_not_advance_moves_nothing() -> None:
    slew = started()
    for t_s in (1.0, 0.5):
        np.testing.assert_array_equal(slew.toward(ONES, ns(t_s)), ZEROS)


def test_from_one_kind_of_closed_to_another_the_eye_stays_exactly_closed() -> None:
    slew = SlewLimit(THA3, SMOOTHING)
    wink, mixed = ZEROS.copy(), ZEROS.copy()
    wink[PoseParam.EYE_WINK_LEFT] = 1.0
    mixed[[PoseParam.EYE_HAPPY_WINK_LEFT, PoseParam.EYE_RELAXED_LEFT]] = 0.5
    slew.toward(wink, ns(1))
    lids = [PoseParam.EYE_WINK_LEFT, PoseParam.EYE_HAPPY_WINK_LEFT, PoseParam.EYE_RELAXED_LEFT]
    before = wink
    for i in range(1, 12):
        value = slew.toward(mixed, ns(1 + i / 100))
        assert value[lids].sum() == pytest.approx(1.0)
        assert np.abs(value - before).max() <= 0.1 + 1e-9
        before = value
    np.testing.assert_allclose(value, mixed)


def test_what_nobody_saw_is_put_at_its_target() -> None:
    slew = started()
    free = np.zeros(POSE_SIZE, np.bool_)
    free[PoseParam.HEAD_X] = True
    slew.release(ONES, free)
    value = slew.toward(ONES, ns(1.05))
    assert value[PoseParam.HEAD_X] == 1.0
    assert value[PoseParam.HEAD_Y] == pytest.approx(0.1)


def test_without_settings_nothing_is_limited() -> None:
    np.testing.assert_array_equal(started(None).toward(ONES, ns(1)), ONES)


def test_new_settings_go_on_where_the_old_ones_stand() -> None:
    older, newer = started(), SlewLimit(THA3, SmoothingSettings())
    older.toward(ONES, ns(1.05))
    newer.inherit(older)
    value = newer.toward(ONES, ns(1.06))
    assert 0.1 < value[PoseParam.HEAD_X] < 0.25
