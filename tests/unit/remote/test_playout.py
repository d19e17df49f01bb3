"""Poses over a bad network: evenly shown, never backwards, no jumps, no more delay than needed."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.remote.playout import CATCH_UP, Playout

SEND_NS = NS_PER_S // 60
SHOW_NS = NS_PER_S // 60
AHEAD_NS = 12345 * NS_PER_S
"""By how much the sender's clock is ahead of ours."""
SPEED = 2 * math.pi
"""The most that ``wave`` moves a second."""


def wave(t_ns: float) -> float:
    return math.sin(2 * math.pi * t_ns / NS_PER_S)


def arrivals(
    seconds: float, *, loss: float, jitter_s: float, seed: int, doubled: float = 0.0
) -> list[tuple[int, int]]:
    """Return (arrival, sent) of a network, in the order of arrival; clocks are our own."""
    rng = random.Random(seed)
    came = []
    for step in range(round(seconds * 60)):
        sent_ns = step * SEND_NS
        for _ in range(2 if rng.random() < doubled else 1):
            if rng.random() >= loss:
                late_ns = round((0.004 + rng.random() * jitter_s) * NS_PER_S)
                came.append((sent_ns + late_ns, sent_ns))
    return sorted(came)


def shown(
    came: list[tuple[int, int]], playout: Playout, *, until_ns: int, value: Callable[[float], float]
) -> Iterator[tuple[int, float, int, bool]]:
    """Yield (now, value shown, its moment by our clock, jumped) for each frame."""
    waiting = list(came)
    for now_ns in range(SHOW_NS // 3, until_ns, SHOW_NS):
        while waiting and waiting[0][0] <= now_ns:
            arrival_ns, sent_ns = waiting.pop(0)
            playout.add(sent_ns + AHEAD_NS, np.array([value(sent_ns)]), arrival_ns)
        found = playout.at(now_ns)
        if found is not None:
            yield now_ns, float(found[0][0]), found[1], found[2]


@pytest.mark.parametrize("seed", range(5))
def test_thirty_percent_lost_and_fifty_milliseconds_of_jitter_make_no_jump(seed: int) -> None:
    playout = Playout(0.15)
    came = arrivals(10, loss=0.3, jitter_s=0.05, doubled=0.1, seed=seed)
    frames = list(shown(came, playout, until_ns=10 * NS_PER_S, value=wave))
    steps = [abs(after[1] - before[1]) for before, after in itertools.pairwise(frames)]
    assert max(steps) <= SPEED * (1 + CATCH_UP) * SHOW_NS / NS_PER_S + 1e-9
    moments = [frame[2] for frame in frames if frame[0] > NS_PER_S]
    # The fastest way may be learned anew by at most the jitter; the pose itself never turns back.
    assert all(after >= before - 50_000_000 for before, after in itertools.pairwise(moments))
    assert not any(frame[3] for frame in frames)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_shown_is_what_was_done_a_moment_ago(seed: int) -> None:
    playout = Playout(0.15)
    came = arrivals(10, loss=0.3, jitter_s=0.05, seed=seed)
    frames = [
        frame
        for frame in shown(came, playout, until_ns=10 * NS_PER_S, value=wave)
        if frame[0] > 2 * NS_PER_S
    ]
    behind_ms = [(now_ns - moment_ns) / 1e6 for now_ns, _, moment_ns, _ in frames]
    assert np.percentile(behind_ms, 99) <= 160
    # Straight lines between poses of a wave with lost ones between: within 12 % of it.
    errors = [abs(value - wave(moment_ns - 4_000_000)) for _, value, moment_ns, _ in frames]
    assert np.percentile(errors, 95) < 0.12


def test_good_network_costs_hardly_more_than_one_pose() -> None:
    playout = Playout(0.15)
    came = arrivals(5, loss=0, jitter_s=0.002, seed=1)
    list(shown(came, playout, until_ns=5 * NS_PER_S, value=wave))
    assert playout.delay_ms < 1.3 * SEND_NS / 1e6
    assert playout.late <= 0.06 * len(came)


def test_doubled_poses_are_counted_and_change_nothing() -> None:
    playout = Playout(0.15)
    playout.add(AHEAD_NS, np.array([1.0]), 100)
    playout.add(AHEAD_NS, np.array([2.0]), 200)
    found = playout.at(300)
    assert found is not None
    assert found[0][0] == 1.0
    assert playout.repeated == 1


def test_older_pose_that_comes_late_turns_nothing_back() -> None:
    playout = Playout(0.05)
    for step in (0, 1, 4):
        playout.add(step * SEND_NS, np.array([float(step)]), step * SEND_NS)
    values = []
    for now_ns in range(4 * SEND_NS, 12 * SEND_NS, SHOW_NS // 2):
        found = playout.at(now_ns)
        assert found is not None
        values.append(float(found[0][0]))
        playout.add(2 * SEND_NS, np.array([-99.0]), now_ns)
    assert values == sorted(values)
    assert playout.late > 0


def test_silence_holds_the_last_pose_and_a_long_one_ends_with_a_told_jump() -> None:
    playout = Playout(0.15)
    came = [(t_ns, t_ns) for t_ns in range(0, NS_PER_S, SEND_NS)]
    came += [(t_ns, t_ns) for t_ns in range(2 * NS_PER_S, 3 * NS_PER_S, SEND_NS)]
    frames = list(shown(came, playout, until_ns=3 * NS_PER_S, value=lambda t_ns: t_ns / NS_PER_S))
    held = {value for now_ns, value, _, _ in frames if 1.2 * NS_PER_S < now_ns < 2 * NS_PER_S}
    assert len(held) == 1
    assert held.pop() == pytest.approx(1.0, abs=0.02)
    jumps = [(before, after) for before, after in itertools.pairwise(frames) if after[3]]
    assert len(jumps) == 1
    assert all(
        after[3] or after[1] - before[1] <= (1 + CATCH_UP) * SHOW_NS / NS_PER_S + 1e-9
        for before, after in itertools.pairwise(frames)
    )


def test_delay_never_exceeds_its_bound() -> None:
    playout = Playout(0.06)
    came = arrivals(5, loss=0.2, jitter_s=0.25, seed=2)
    list(shown(came, playout, until_ns=5 * NS_PER_S, value=wave))
    assert playout.delay_ms <= 60


def test_flood_of_poses_is_not_kept() -> None:
    playout = Playout(0.15)
    for step in range(5000):
        playout.add(step * 1000, np.array([0.0]), step * 1000)
    assert playout.kept <= 256


def ramp(t_ns: float) -> float:
    return t_ns / NS_PER_S


def test_short_silence_is_caught_up_slowly() -> None:
    playout = Playout(0.15)
    came = [(sent_ns, sent_ns) for sent_ns in range(0, 3 * NS_PER_S, SEND_NS)]
    came = [pair for pair in came if not NS_PER_S < pair[0] < 1.25 * NS_PER_S]
    frames = list(shown(came, playout, until_ns=3 * NS_PER_S, value=ramp))
    steps = [after[1] - before[1] for before, after in itertools.pairwise(frames)]
    assert max(steps) == pytest.approx((1 + CATCH_UP) * SHOW_NS / NS_PER_S, rel=0.01)
    assert steps[-1] == pytest.approx(SHOW_NS / NS_PER_S, rel=0.1), "caught up at last"


@pytest.mark.parametrize("seed", range(3))
def test_motion_hardly_ever_stands_still_on_a_bad_network(seed: int) -> None:
    playout = Playout(0.15)
    came = arrivals(10, loss=0.3, jitter_s=0.05, seed=seed)
    frames = list(shown(came, playout, until_ns=10 * NS_PER_S, value=ramp))[120:]
    steps = [after[1] - before[1] for before, after in itertools.pairwise(frames)]
    assert sum(step < 0.2 * SHOW_NS / NS_PER_S for step in steps) < 0.05 * len(steps)
