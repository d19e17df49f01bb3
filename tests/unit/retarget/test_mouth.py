"""The mouth solver finds the one minimum, as a general solver does."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import lsq_linear  # type: ignore[import-untyped]  # scipy ships no types

from vtbridge.retarget.mouth import MOUTH_SHAPES, solve_mouth_weights, vowels_from_lips

LIPS_FROM_WEIGHTS = np.array(MOUTH_SHAPES).T


def worst_difference(measurements: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    worst = 0.0
    for measured in measurements:
        expected = lsq_linear(LIPS_FROM_WEIGHTS, measured, (0.0, 1.0), method="bvls", tol=1e-12).x
        worst = max(worst, float(np.abs(expected - solve_mouth_weights(*measured)).max()))
    return worst


def test_agrees_with_bvls_on_10000_random_mouths() -> None:
    assert worst_difference(np.random.default_rng(7).random((10_000, 4))) < 1e-6


def test_agrees_with_bvls_on_the_borders_of_the_range() -> None:
    assert worst_difference(np.array(list(product((0.0, 0.25, 0.5, 1.0), repeat=4)))) < 1e-6


@pytest.mark.parametrize("index", range(4))
def test_a_pure_mouth_shape_is_recognised_as_itself(index: int) -> None:
    expected = np.eye(4)[index]
    assert solve_mouth_weights(*MOUTH_SHAPES[index]) == pytest.approx(expected, abs=1e-12)


def test_a_closed_mouth_shows_no_vowel() -> None:
    assert vowels_from_lips(0.0, 0.0, 0.0, 0.0) == (0.0, 0.0, 0.0, 0.0)


def test_funnel_decides_between_uuu_and_ooo() -> None:
    pursed = vowels_from_lips(0.5, 0.3, 0.25, 0.75)
    assert (pursed.uuu, pursed.ooo) == pytest.approx((1.0, 0.0))
    funnelled = vowels_from_lips(1.0, 0.5, 0.5, 0.4)
    assert (funnelled.uuu, funnelled.ooo) == pytest.approx((0.0, 1.0))
    between = vowels_from_lips(0.7, 0.4, 0.375, 0.6)
    assert between.uuu == pytest.approx(between.ooo)
    assert between.uuu > 0.3
