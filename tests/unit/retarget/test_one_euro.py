"""The filter calms a resting face, follows a moving one and lives on sample time."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA3
from vtbridge.retarget.one_euro import OneEuroFilter, pose_filter
from vtbridge.retarget.settings import FilterSettings, RetargetSettings, SmoothingSettings


def single(
    min_cutoff_hz: float = 1.0, beta: float = 0.0, speed_cutoff_hz: float = 1.0
) -> OneEuroFilter:
    return OneEuroFilter(np.array([min_cutoff_hz]), np.array([beta]), np.array([speed_cutoff_hz]))


def run(
    one_euro: OneEuroFilter, samples: list[float], fps: float, start_s: float = 1.0
) -> list[float]:
    return [
        float(one_euro.filter(np.array([x]), round((start_s + i / fps) * NS_PER_S))[0])
        for i, x in enumerate(samples)
    ]


def test_the_first_sample_passes_unchanged() -> None:
    assert run(single(), [0.7], 60) == [0.7]


def test_without_beta_it_is_the_textbook_low_pass() -> None:
    fps, cutoff_hz = 50.0, 2.0
    alpha = 1 / (1 + fps / (2 * np.pi * cutoff_hz))
    expected, value = [], 0.0
    for x in [0.0, 1.0, 1.0, 0.5]:
        value += alpha * (x - value)
        expected.append(value)
    got = run(single(min_cutoff_hz=cutoff_hz), [0.0, 1.0, 1.0, 0.5], fps)
    assert got == pytest.approx(expected, abs=1e-9)


def test_a_repeated_stamp_changes_nothing() -> None:
    one_euro = single()
    run(one_euro, [0.0, 0.2], 60)
    t_ns = round((1 + 1 / 60) * NS_PER_S)
    before = one_euro.value
    assert one_euro.filter(np.array([0.9]), t_ns) is before
    assert one_euro.filter(np.array([0.9]), t_ns - 1) is before


def test_a_long_gap_starts_at_the_new_value() -> None:
    one_euro = single()
    run(one_euro, [0.0] * 10, 60)
    assert run(one_euro, [0.8], 60, start_s=3.0) == [0.8]


def test_rest_is_calm_and_motion_is_quick() -> None:
    noise = np.random.default_rng(0).normal(0.5, 0.02, 600)
    calm = run(single(1.0, 2.0, 2.0), noise.tolist(), 60)
    assert np.std(calm[120:]) < 0.35 * np.std(noise)
    step = [0.0] * 60 + [1.0] * 60
    slow, quick = run(single(1.0, 0.0), step, 60), run(single(1.0, 2.0, 2.0), step, 60)
    assert next(i for i, x in enumerate(quick) if x > 0.9) < 60 + 8
    assert next(i for i, x in enumerate(slow) if x > 0.9) > 60 + 15


def test_a_burst_of_samples_does_not_blow_up_the_speed() -> None:
    one_euro = single(1.0, 5.0, 2.0)
    run(one_euro, [0.0] * 30, 60)
    t_ns = round(1.5 * NS_PER_S)
    values = [
        float(one_euro.filter(np.array([x]), t_ns + i)[0]) for i, x in enumerate([1.0, 0.0] * 50)
    ]
    assert np.isfinite(values).all()
    assert max(values) <= 1.0
    assert max(values) - min(values) < 0.001


def test_parts_have_their_own_strength() -> None:
    still = FilterSettings(min_cutoff_hz=0.01, beta=0)
    smooth = pose_filter(THA3, SmoothingSettings(head=still))
    smooth.filter(np.zeros(POSE_SIZE), NS_PER_S)
    values = smooth.filter(np.full(POSE_SIZE, 0.5), NS_PER_S + NS_PER_S // 30)
    heads = (PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.NECK_Z)
    assert all(values[param] < 0.01 for param in heads)
    assert all(values[param] > 0.05 for param in PoseParam if param not in heads)


def test_a_partly_given_table_keeps_the_other_values_of_its_part() -> None:
    smoothing = {"eyes": {"beta": 1.5}}
    eyes = RetargetSettings.model_validate({"smoothing": smoothing}).smoothing.eyes
    assert eyes == SmoothingSettings().eyes.model_copy(update={"beta": 1.5})


def test_without_settings_every_sample_passes_unchanged() -> None:
    open_filter = pose_filter(THA3, None)
    for i in range(5):
        sample = np.linspace(0, i / 4, POSE_SIZE)
        np.testing.assert_allclose(open_filter.filter(sample, NS_PER_S + i), sample, atol=1e-15)


def test_fresh_elements_start_anew_and_the_others_go_on() -> None:
    smooth = pose_filter(THA3, SmoothingSettings())
    zeros, ones = np.zeros(POSE_SIZE), np.ones(POSE_SIZE)
    fresh = np.zeros(POSE_SIZE, np.bool_)
    fresh[PoseParam.HEAD_X] = True
    smooth.filter(zeros, NS_PER_S)
    values = smooth.filter(ones, NS_PER_S + NS_PER_S // 60, fresh=fresh)
    assert values[PoseParam.HEAD_X] == 1.0
    assert (np.delete(values, PoseParam.HEAD_X) < 1.0).all()
    # It arrived without a speed: the next step is that of a value at rest.
    after = smooth.filter(zeros, NS_PER_S + NS_PER_S // 30)
    other = pose_filter(THA3, SmoothingSettings())
    other.filter(ones, NS_PER_S + NS_PER_S // 60)
    rested = other.filter(zeros, NS_PER_S + NS_PER_S // 30)
    assert after[PoseParam.HEAD_X] == rested[PoseParam.HEAD_X]
