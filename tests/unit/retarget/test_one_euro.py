"""The filter calms a resting face, follows a moving one and lives on sample time."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.retarget.one_euro import OneEuroFilter, PeakHold, pose_filter
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
    smooth = pose_filter(SmoothingSettings(head=still))
    smooth.filter(np.zeros(POSE_SIZE), NS_PER_S)
    values = smooth.filter(np.full(POSE_SIZE, 0.5), NS_PER_S + NS_PER_S // 30)
    heads = (PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.NECK_Z)
    assert all(values[param] < 0.01 for param in heads)
    assert all(values[param] > 0.05 for param in PoseParam if param not in heads)


def test_a_partly_given_table_keeps_the_other_values_of_its_part() -> None:
    smoothing = {"eyes": {"beta": 1.5}}
    eyes = RetargetSettings.model_validate({"smoothing": smoothing}).smoothing.eyes
    assert eyes == SmoothingSettings().eyes.model_copy(update={"beta": 1.5})


def held(values: list[float], *, fps: int = 60, hold_s: float = 0.1) -> list[float]:
    peak_hold, shown = PeakHold(("blink", "absent"), hold_s, threshold=0.75), []
    for i, x in enumerate(values):
        given = {"blink": x, "other": x}
        got = peak_hold.held(given, NS_PER_S + round(i / fps * NS_PER_S))
        assert given == {"blink": x, "other": x}
        assert got == {"blink": got["blink"], "other": x}
        shown.append(got["blink"])
    return shown


def test_a_blink_of_one_sample_is_shown_for_the_hold_time() -> None:
    shown = held([0.0] * 5 + [1.0] + [0.0] * 20)
    assert shown == [0.0] * 5 + [1.0] * 7 + [0.0] * 14


def test_an_opening_lid_is_not_held_at_every_step() -> None:
    values = [1.0] * 20 + [1.0 - i / 60 for i in range(60)]
    shown = held(values)
    assert shown[21:27] == [1.0] * 6
    assert shown[27:] == values[27:]  # from 0.88 on, still above what is worth holding


def test_half_closed_lids_follow_at_once() -> None:
    values = [0.3, 0.6, 0.7, 0.5, 0.6, 0.2]
    assert held(values) == values
