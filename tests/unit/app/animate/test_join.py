"""Times of the output are the source's, tick by tick, and always rise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from vtbridge.app.animate.join import timing_of

NTSC = Fraction(30000, 1001)


def stamps(*seconds: float) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.round(np.array(seconds) * 1e9).astype(np.int64)


@pytest.mark.parametrize("base", [Fraction(1, 30000), Fraction(1, 90000), Fraction(1001, 30000000)])
def test_source_ticks_are_met_exactly_for_hours(base: Fraction) -> None:
    per_picture = 1 / NTSC / base
    assert per_picture.denominator == 1
    ticks = np.arange(400_000, dtype=np.int64) * int(per_picture)
    t_ns = np.round(ticks * (float(base) * 1e9)).astype(np.int64)
    timing = timing_of(t_ns, 0.0, NTSC, base)
    np.testing.assert_array_equal(timing.ticks, ticks)
    assert timing.last_ticks == per_picture
    assert timing.time_base == base


def test_part_of_a_video_begins_at_zero() -> None:
    timing = timing_of(stamps(5.0, 5.04, 5.08), 5.0, Fraction(25), Fraction(1, 12800))
    assert timing.ticks.tolist() == [0, 512, 1024]
    assert [timing.duration(index) for index in range(3)] == [512, 512, 512]


def test_uneven_times_are_kept() -> None:
    timing = timing_of(stamps(0.1, 0.2, 1.0, 1.001), 0.0, Fraction(25), Fraction(1, 1000))
    assert timing.ticks.tolist() == [100, 200, 1000, 1001]
    assert [timing.duration(index) for index in range(4)] == [100, 800, 1, 40]


def test_times_within_one_tick_are_told_apart() -> None:
    timing = timing_of(
        stamps(0.0, 0.0101, 0.0102, 0.0103, 0.02), 0.0, Fraction(25), Fraction(1, 1000)
    )
    assert timing.ticks.tolist() == [0, 10, 11, 12, 20]


@pytest.mark.parametrize("base", [None, Fraction(1, 25), Fraction(1, 90000)])
def test_coarse_or_unknown_ticks_become_fine_ones(base: Fraction | None) -> None:
    assert timing_of(stamps(0.0, 0.04), 0.0, Fraction(25), base).ticks.tolist() == [0, 3600]
