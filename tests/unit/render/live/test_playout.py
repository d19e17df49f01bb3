from __future__ import annotations

import random
from itertools import pairwise

import pytest

from vtbridge.render.live.playout import FARTHEST_NS, MAX_ADDED_NS, Playout

MS = 1_000_000
BEAT = 16_666_667


def play(
    costs_ms: list[float], beats: int, *, beat_ns: int = BEAT
) -> tuple[Playout, list[tuple[int, int, int]]]:
    """Return what each beat showed: its time, the newest moment there was, the moment shown.

    The networks begin each pose at a beat, as the real ones do.
    """
    playout = Playout(beat_ns)
    shown = []
    costs = iter(costs_ms * 10_000)
    newest: int | None = None
    moment, ready = 0, round(next(costs) * MS)
    for beat in range(beats):
        now = beat * beat_ns
        if now >= ready:
            playout.arrived(moment, newest, now)
            newest = moment
            moment, ready = now, now + round(next(costs) * MS)
        if newest is not None:
            shown.append((now, newest, playout.moment_ns(newest, now)))
    return playout, shown


def steps(shown: list[tuple[int, int, int]]) -> list[float]:
    moments = [moment for _, _, moment in shown]
    return [(after - before) / BEAT for before, after in pairwise(moments)]


@pytest.mark.parametrize("cost_ms", [30, 45, 66, 90, 110])
def test_motion_is_even_though_fields_come_seldom(cost_ms: float) -> None:
    _, shown = play([cost_ms], 600)
    assert all(0.99 < step < 1.01 for step in steps(shown[300:]))


@pytest.mark.parametrize("cost_ms", [30, 45, 66, 90])
def test_added_delay_is_about_one_interval_of_the_fields(cost_ms: float) -> None:
    playout, shown = play([cost_ms], 600)
    interval_ns = shown[-1][1] - next(n for _, n, _ in reversed(shown) if n != shown[-1][1])
    assert 0 < playout.added_delay_ns <= interval_ns
    now, _, moment = shown[-1]
    assert now - moment == pytest.approx(playout.delay_ns, abs=MS)


def test_networks_that_keep_up_add_no_delay() -> None:
    playout, shown = play([9.0], 100)
    assert playout.keeps_up
    assert playout.added_delay_ns == 0
    assert all(moment == newest for _, newest, moment in shown[20:])


def test_jitter_of_the_networks_does_not_become_jitter_of_motion() -> None:
    rng = random.Random(3)
    costs = [rng.uniform(45, 75) for _ in range(300)]
    _, shown = play(costs, 900)
    late = steps(shown[300:])
    held = sum(step == 0.0 for step in late)
    assert held <= 0.05 * len(late)
    assert sum(0.8 < step < 1.25 for step in late) >= 0.9 * len(late)


def test_pose_time_never_runs_backwards_nor_ahead_of_the_fields() -> None:
    rng = random.Random(5)
    costs = [rng.choice([5, 20, 60, 250, 900]) for _ in range(300)]
    _, shown = play([float(cost) for cost in costs], 2000)
    assert all(step >= 0 for step in steps(shown))
    assert all(moment <= newest for _, newest, moment in shown)


@pytest.mark.parametrize("cost_ms", [150.0, 300.0, 700.0])
def test_delay_is_bounded_however_slow_the_networks_are(cost_ms: float) -> None:
    playout, shown = play([cost_ms], 2000)
    assert playout.delay_ns <= (cost_ms + 20) * MS + MAX_ADDED_NS
    assert all(newest - moment <= FARTHEST_NS for _, newest, moment in shown)
    assert playout.added_delay_ns <= FARTHEST_NS


def test_stall_is_made_up_for_quickly_and_smoothly() -> None:
    _, shown = play([50.0] * 40 + [2000.0] + [50.0] * 200, 500)
    late = steps(shown)
    stall = next(i for i in range(20, len(late)) if all(s == 0 for s in late[i : i + 60]))
    resumed = next(i for i in range(stall, len(late)) if late[i] > 0)
    behind = [now - moment for now, _, moment in shown]
    assert behind[resumed + 45] < 200 * MS, "three quarters of a second later it is over"
    left = max(newest - moment for _, newest, moment in shown[resumed : resumed + 10])
    assert left > 150 * MS, "and the last of it is not jumped over"


def test_recovery_to_quick_networks_drops_the_delay() -> None:
    playout, shown = play([60.0] * 30 + [8.0] * 400, 500)
    assert playout.keeps_up
    assert shown[-1][1] == shown[-1][2]


def test_halved_rate_is_judged_by_its_own_beats() -> None:
    playout = Playout(BEAT)
    playout.set_period(2 * BEAT)
    for number in range(1, 30):
        playout.arrived(number * 2 * BEAT, (number - 1) * 2 * BEAT, (number + 1) * 2 * BEAT)
    assert playout.keeps_up


def test_longer_delay_is_built_up_by_slower_motion_not_by_a_halt() -> None:
    playout = Playout(BEAT)
    for number in range(1, 30):
        playout.arrived(number * BEAT, (number - 2) * BEAT, (number + 1) * BEAT)
    now = 31 * BEAT
    first = playout.moment_ns(now, now)
    for _ in range(20):  # each would have needed half a second more
        playout.arrived(30 * BEAT, 0, now)
    second = playout.moment_ns(now + BEAT, now + BEAT)
    assert second - first == pytest.approx(0.75 * BEAT, abs=MS)


def test_pose_time_stays_where_it_was_when_the_newest_fields_are_taken_away() -> None:
    playout = Playout(BEAT)
    shown = playout.moment_ns(10 * BEAT, 11 * BEAT)
    assert playout.moment_ns(5 * BEAT, 12 * BEAT) == shown


def test_slow_fields_among_quick_ones_do_not_halt_motion() -> None:
    playout, shown = play([20.0, 20.0, 20.0, 90.0], 900)
    assert all(step > 0 for step in steps(shown[300:]))
    assert playout.added_delay_ns < MAX_ADDED_NS
