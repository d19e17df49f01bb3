"""Knowing what comes next, smoothing delays nothing and keeps what is quick."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.app.animate.smooth import F64Array, I64Array, bridged, zero_phase
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA3
from vtbridge.retarget.one_euro import pose_filter
from vtbridge.retarget.settings import SmoothingSettings

SETTINGS = SmoothingSettings()
PARAMS = [
    PoseParam.EYE_WINK_LEFT,
    PoseParam.MOUTH_AAA,
    PoseParam.HEAD_Y,
    PoseParam.IRIS_ROTATION_Y,
    PoseParam.BODY_Z,
]


def at_rate(count: int, fps: float = 30.0) -> I64Array:
    return np.round(np.arange(count) * 1e9 / fps).astype(np.int64)


def live(values: F64Array, t_ns: I64Array) -> F64Array:
    one_euro = pose_filter(THA3, SETTINGS)
    return np.stack([one_euro.filter(v, int(t)) for v, t in zip(values, t_ns, strict=True)])


def delay(motion: F64Array, smoothed: F64Array) -> float:
    """Return by how many samples ``smoothed`` comes later, found by correlation."""
    shifts = range(-10, 11)
    inner = slice(20, -20)
    scores = [float((motion[inner] * np.roll(smoothed, -s)[inner]).sum()) for s in shifts]
    return shifts[int(np.argmax(scores))]


@pytest.mark.parametrize("param", PARAMS, ids=lambda param: param.label)
def test_motion_is_not_delayed(param: PoseParam) -> None:
    t_ns = at_rate(300)
    values = np.zeros((300, POSE_SIZE))
    rng = np.random.default_rng(7)
    swings = sum(np.sin(2 * np.pi * f * t_ns / 1e9 + rng.uniform(0, 6)) for f in (0.7, 1.3, 2.1))
    values[:, param] = swings / 3
    assert delay(values[:, param], zero_phase(values, t_ns, SETTINGS)[:, param]) == 0


def test_live_filter_does_delay_what_this_one_does_not() -> None:
    t_ns = at_rate(300)
    values = np.zeros((300, POSE_SIZE))
    values[:, PoseParam.BODY_Z] = np.sin(2 * np.pi * 1.3 * t_ns / 1e9)
    assert delay(values[:, PoseParam.BODY_Z], live(values, t_ns)[:, PoseParam.BODY_Z]) >= 1


def test_blink_of_one_picture_closes_the_eye_in_that_picture() -> None:
    t_ns = at_rate(60)
    values = np.zeros((60, POSE_SIZE))
    values[30, PoseParam.EYE_WINK_LEFT] = 1
    lid = zero_phase(values, t_ns, SETTINGS)[:, PoseParam.EYE_WINK_LEFT]
    assert lid.argmax() == 30
    assert lid[30] > 0.9
    assert max(lid[28], lid[32]) < 0.1


def test_trembling_rest_is_calmer_than_live() -> None:
    t_ns = at_rate(400)
    values = 0.3 + np.random.default_rng(2).normal(0, 0.02, (400, POSE_SIZE))
    for param in PARAMS:
        calm = np.abs(np.diff(zero_phase(values, t_ns, SETTINGS)[50:-50, param], 2)).mean()
        assert calm < 0.9 * np.abs(np.diff(live(values, t_ns)[50:-50, param], 2)).mean()


def test_still_face_stays_exactly_where_it_is() -> None:
    t_ns = at_rate(40)
    values = np.tile(np.linspace(-0.5, 0.9, POSE_SIZE), (40, 1))
    np.testing.assert_array_equal(zero_phase(values, t_ns, SETTINGS), values)


def test_uneven_times_count() -> None:
    """Half of the pictures left out changes little of what the others show."""
    t_ns = at_rate(300, 60)
    values = np.zeros((300, POSE_SIZE))
    values[:, PoseParam.HEAD_Y] = np.sin(2 * np.pi * t_ns / 1e9)
    kept = np.sort(np.random.default_rng(4).choice(300, 200, replace=False))
    every = zero_phase(values, t_ns, SETTINGS)[kept, PoseParam.HEAD_Y]
    some = zero_phase(values[kept], t_ns[kept], SETTINGS)[:, PoseParam.HEAD_Y]
    assert np.abs(every - some)[10:-10].max() < 0.1


def test_short_gap_is_crossed_on_a_straight_line() -> None:
    values = np.zeros((8, POSE_SIZE))
    values[5:] = 1.0
    known = np.array([True, True, True, False, False, True, True, True])
    filled = bridged(values, known, at_rate(8, 20), 0.3)
    np.testing.assert_allclose(filled[:, 0], [0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1])


def test_long_gap_stays_as_it_was() -> None:
    values = np.arange(8.0)[:, None] * np.ones(POSE_SIZE)
    known = np.array([True, False, False, False, False, False, False, True])
    np.testing.assert_array_equal(bridged(values, known, at_rate(8, 20), 0.3), values)


def test_gap_at_either_end_stays_as_it_was() -> None:
    values = np.arange(5.0)[:, None] * np.ones(POSE_SIZE)
    known = np.array([False, True, True, True, False])
    np.testing.assert_array_equal(bridged(values, known, at_rate(5), 0.3), values)
