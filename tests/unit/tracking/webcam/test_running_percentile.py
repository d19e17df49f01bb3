"""Percentiles of the last minute, weighted by time."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.tracking.webcam.running_percentile import RunningPercentile

BIN = 1 / 64


def test_percentiles_of_even_values() -> None:
    measured = RunningPercentile(0.0, 1.0)
    for value in np.random.default_rng(1).uniform(0, 1, 3000):
        measured.add(float(value), 1e-4)
    for share in (0.1, 0.5, 0.9):
        assert measured.at(share, otherwise=-1) == pytest.approx(share, abs=0.03)


def test_long_moments_count_more() -> None:
    measured = RunningPercentile(0.0, 1.0)
    measured.add(0.2, 3.0)
    measured.add(0.8, 1.0)
    assert measured.at(0.5, otherwise=-1) == pytest.approx(0.2, abs=BIN)
    assert measured.at(0.9, otherwise=-1) == pytest.approx(0.8, abs=BIN)


def test_old_values_fade() -> None:
    measured = RunningPercentile(0.0, 1.0)
    for _ in range(600):
        measured.add(0.9, 0.1)
    for _ in range(500):
        measured.add(0.1, 0.1)
    assert measured.at(0.5, otherwise=-1) == pytest.approx(0.1, abs=BIN)


def test_before_anything_was_measured_it_says_what_was_expected() -> None:
    assert RunningPercentile(0.0, 1.0).at(0.5, otherwise=0.3) == 0.3
    expecting = RunningPercentile(0.0, 1.0, expected=0.6)
    assert expecting.at(0.5, otherwise=0.3) == pytest.approx(0.6, abs=BIN)
    expecting.add(0.2, 5.0)
    assert expecting.at(0.5, otherwise=0.3) == pytest.approx(0.2, abs=BIN)
    expecting.reset()
    assert expecting.at(0.5, otherwise=0.3) == pytest.approx(0.6, abs=BIN)


def test_values_out_of_bounds_count_as_the_bounds() -> None:
    measured = RunningPercentile(0.0, 1.0)
    measured.add(-5.0, 1.0)
    measured.add(7.0, 1.0)
    assert 0.0 <= measured.at(0.1, otherwise=-1) <= BIN
    assert 1 - BIN <= measured.at(0.9, otherwise=-1) <= 1.0
