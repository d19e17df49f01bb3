from __future__ import annotations

import numpy as np
import pytest

from vtbridge.expressions.easing import MAX_SLOPE, Easing, eased, progress_of

PROGRESS = np.linspace(0, 1, 2001)


@pytest.mark.parametrize("easing", Easing)
def test_curve_rises_from_0_to_1_and_never_faster_than_it_says(easing: Easing) -> None:
    curve = np.array([eased(easing, float(u)) for u in PROGRESS])
    assert (curve[0], curve[-1]) == (0.0, 1.0)
    steps = np.diff(curve)
    assert (steps >= 0).all()
    slope = steps.max() / (PROGRESS[1] - PROGRESS[0])
    assert 0.98 * MAX_SLOPE[easing] < slope <= MAX_SLOPE[easing] * 1.0001


@pytest.mark.parametrize("easing", Easing)
def test_progress_is_found_again_from_the_share(easing: Easing) -> None:
    for u in PROGRESS[::40]:
        assert progress_of(easing, eased(easing, float(u))) == pytest.approx(u, abs=1e-7)


@pytest.mark.parametrize("easing", Easing)
def test_beyond_the_ends_nothing_changes(easing: Easing) -> None:
    assert (
        eased(easing, -3.0) == eased(easing, 0.0) == 0.0 == pytest.approx(progress_of(easing, -1.0))
    )
    assert (
        eased(easing, 7.0) == eased(easing, 1.0) == 1.0 == pytest.approx(progress_of(easing, 2.0))
    )
