"""Numbers between rotations: smooth, through the samples, also where rotations are tied."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import F32Array
from vtbridge.training.distill.rotation_spline import RotationSpline, fit_spline


def smooth(rotations: F32Array) -> F32Array:
    x = rotations.astype(np.float64)
    columns = [np.sin(2 * x[:, 0]) + x[:, 1] ** 2, x[:, 2] * x[:, 1], 3 * x[:, 5]]
    return np.stack(columns, 1).astype(np.float32)


def fitted(rotations: F32Array, numbers: F32Array) -> RotationSpline:
    spline = fit_spline(rotations, numbers, lambda: False)
    assert spline is not None
    return spline


@pytest.mark.parametrize("tied", [False, True], ids=["free", "tied"])
def test_unseen_rotations_are_near_the_truth(tied: bool) -> None:
    rng = np.random.default_rng(0)
    rotations = rng.uniform(-1, 1, (130, 6)).astype(np.float32)
    if tied:
        rotations[:, 3:5] = rotations[:, 1:3]
    known, unseen = rotations[:100], 0.7 * rotations[100:]
    error = fitted(known, smooth(known))(unseen) - smooth(unseen)
    assert np.sqrt(np.square(error).mean()) < (0.06 if tied else 0.15)


def test_a_linear_tail_goes_on_beyond_the_samples() -> None:
    rng = np.random.default_rng(1)
    rotations = rng.uniform(-0.5, 0.5, (60, 6)).astype(np.float32)
    numbers = (rotations @ rng.normal(0, 1, (6, 2))).astype(np.float32)
    beyond = np.full((1, 6), 1.0, np.float32)
    wanted = np.linalg.lstsq(rotations, numbers, rcond=None)[0].sum(axis=0)
    assert np.abs(fitted(rotations, numbers)(beyond)[0] - wanted).max() < 0.01


@pytest.mark.parametrize("count", [8, 9, 15])
def test_a_few_samples_already_make_a_spline_through_them(count: int) -> None:
    rng = np.random.default_rng(count)
    rotations = rng.uniform(-1, 1, (count, 6)).astype(np.float32)
    off = fitted(rotations, smooth(rotations))(rotations) - smooth(rotations)
    assert np.abs(off).max() < 0.3


def test_asked_to_stop_it_stops() -> None:
    rotations = np.random.default_rng(0).uniform(-1, 1, (30, 6)).astype(np.float32)
    assert fit_spline(rotations, smooth(rotations), lambda: True) is None
