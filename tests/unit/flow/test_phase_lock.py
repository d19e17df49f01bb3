from __future__ import annotations

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.flow.phase_lock import PhaseLock

NOW_NS = 100 * NS_PER_S
PERIOD_NS = 20_000_000
LIMIT_NS = PERIOD_NS // 100


def locked(tick_ns: int, interval_ns: int = PERIOD_NS) -> PhaseLock:
    lock = PhaseLock()
    lock.hear(tick_ns, interval_ns, NOW_NS)
    return lock


def test_nobody_heard_moves_nothing() -> None:
    assert PhaseLock().shift_ns(NOW_NS, PERIOD_NS, 0, NOW_NS) == 0


def test_beat_whose_frame_is_ready_in_time_stays() -> None:
    lock = locked(NOW_NS + 9_000_000)
    assert lock.shift_ns(NOW_NS, PERIOD_NS, 5_000_000, NOW_NS) == 0
    assert lock.shift_ns(NOW_NS + 7 * PERIOD_NS, PERIOD_NS, 5_000_000, NOW_NS) == 0


@pytest.mark.parametrize(
    ("tick_ms", "shift_ns"), [(4.1, 100_000), (3.9, -100_000), (12, LIMIT_NS), (16, -LIMIT_NS)]
)
def test_beat_moves_the_short_way_and_no_faster_than_a_hundredth(
    tick_ms: float, shift_ns: int
) -> None:
    lock = locked(NOW_NS + round(tick_ms * 1e6))
    assert lock.shift_ns(NOW_NS, PERIOD_NS, 0, NOW_NS) == shift_ns


@pytest.mark.parametrize("factor", [0.5, 2, 3, 1.001])
def test_grid_follows_multiples_of_the_rate(factor: float) -> None:
    assert locked(NOW_NS, round(PERIOD_NS * factor)).holds(PERIOD_NS, NOW_NS)


@pytest.mark.parametrize("factor", [0.8, 1.2, 1.5, 2.5])
def test_rates_that_do_not_fit_each_other_are_not_followed(factor: float) -> None:
    lock = locked(NOW_NS + 9_000_000, round(PERIOD_NS * factor))
    assert not lock.holds(PERIOD_NS, NOW_NS)
    assert lock.shift_ns(NOW_NS, PERIOD_NS, 0, NOW_NS) == 0


def test_tick_of_long_ago_is_forgotten() -> None:
    lock = locked(NOW_NS)
    assert lock.holds(PERIOD_NS, NOW_NS + 4 * NS_PER_S)
    assert not lock.holds(PERIOD_NS, NOW_NS + 6 * NS_PER_S)


@pytest.mark.parametrize("interval_ns", [0, -1, 999_999, NS_PER_S + 1])
def test_impossible_interval_is_refused(interval_ns: int) -> None:
    with pytest.raises(ValueError, match="interval"):
        PhaseLock().hear(NOW_NS, interval_ns, NOW_NS)


def test_tick_of_another_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="another clock"):
        PhaseLock().hear(NOW_NS + 2 * NS_PER_S, PERIOD_NS, NOW_NS)
