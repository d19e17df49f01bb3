from __future__ import annotations

from itertools import pairwise

import pytest

from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.flow.pacer import Pacer

TENTH_NS = NS_PER_S // 10


class TardyClock(ManualClock):
    """Wakes the sleeper a while after the time it asked for."""

    def __init__(self, tardy_s: float) -> None:
        super().__init__(0)
        self._tardy_s = tardy_s

    def sleep_until(self, t_ns: int) -> None:
        super().sleep_until(t_ns)
        self.advance(self._tardy_s)


def test_beats_lie_on_a_fixed_grid() -> None:
    clock = ManualClock(0)
    pacer = Pacer(10, clock)
    beats = []
    for work_s in (0.01, 0.09, 0.0, 0.05):
        beats.append(pacer.wait())
        clock.advance(work_s)
    assert beats == [0, TENTH_NS, 2 * TENTH_NS, 3 * TENTH_NS]
    assert (pacer.beats, pacer.missed) == (3, 0)


def test_late_beats_are_skipped_and_counted_not_caught_up() -> None:
    clock = ManualClock(0)
    pacer = Pacer(10, clock)
    pacer.wait()
    late_ns = clock.advance(0.35)
    assert pacer.wait() == late_ns, "the next beat comes at once"
    assert pacer.missed == 3, "at 0.1, 0.2 and 0.3 s there was no new frame"
    assert pacer.beats == 3
    assert pacer.wait() == late_ns + TENTH_NS, "and the grid starts there"


def test_beat_late_by_less_than_a_period_keeps_the_grid() -> None:
    clock = ManualClock(0)
    pacer = Pacer(10, clock)
    pacer.wait()
    clock.advance(0.13)
    assert pacer.wait() == TENTH_NS
    assert pacer.late_ns == 3 * TENTH_NS // 10
    assert pacer.wait() == 2 * TENTH_NS
    assert pacer.late_ns == 0
    assert (pacer.beats, pacer.missed) == (2, 1), "the frame of the first beat came too late"


def test_lateness_of_the_sleep_itself_is_told() -> None:
    pacer = Pacer(10, TardyClock(0.002))
    pacer.wait()
    pacer.wait()
    assert pacer.late_ns == 2_000_000
    assert pacer.missed == 0, "the work was done in time all the same"


def test_another_rate_holds_from_the_next_beat_on() -> None:
    pacer = Pacer(10, ManualClock(0))
    pacer.wait()
    pacer.set_fps(5)
    assert [pacer.wait(), pacer.wait()] == [2 * TENTH_NS, 4 * TENTH_NS]
    pacer.set_fps(10)
    assert pacer.wait() == 5 * TENTH_NS


def test_locked_grid_ends_its_work_just_before_the_consumers_ticks() -> None:
    clock = ManualClock(NS_PER_S)
    pacer = Pacer(60, clock)
    interval_ns = pacer.period_ns
    tick_ns = clock.now_ns() + 9_000_000
    waits_ms = []
    for _ in range(200):
        pacer.lock(tick_ns, interval_ns)
        pacer.wait()
        clock.advance(0.005)
        waits_ms.append((tick_ns - clock.now_ns()) % interval_ns / 1e6)
        tick_ns += interval_ns
    assert pacer.locked
    assert 3.0 < waits_ms[-1] < 5.0
    assert pacer.missed == 0, "on the way there no frame is lost"


def test_locked_grid_moves_slowly() -> None:
    clock = ManualClock(NS_PER_S)
    pacer = Pacer(50, clock)
    pacer.wait()
    beats = []
    for _ in range(30):
        pacer.lock(clock.now_ns(), 20_000_000)
        beats.append(pacer.wait())
    steps_ms = [(after - before) / 1e6 for before, after in pairwise(beats)]
    assert all(19.79 <= step <= 20.21 for step in steps_ms)
    assert any(step != 20 for step in steps_ms)


def test_grid_follows_a_consumer_of_slightly_another_rate() -> None:
    clock = ManualClock(NS_PER_S)
    pacer = Pacer(60, clock)
    interval_ns = round(NS_PER_S / 59.94)
    first_ns = clock.now_ns()
    waits_ms = []
    for _ in range(1200):
        tick_ns = first_ns + (clock.now_ns() - first_ns) // interval_ns * interval_ns
        pacer.lock(tick_ns, interval_ns)
        pacer.wait()
        clock.advance(0.005)
        waits_ms.append((tick_ns - clock.now_ns()) % interval_ns / 1e6)
    assert max(waits_ms[600:]) - min(waits_ms[600:]) < 1.0


def test_grid_runs_free_once_the_consumer_is_silent() -> None:
    clock = ManualClock(NS_PER_S)
    pacer = Pacer(50, clock)
    pacer.lock(clock.now_ns(), 20_000_000)
    pacer.wait()
    locked = [pacer.locked]
    clock.advance(6.0)
    locked.append(pacer.locked)
    assert locked == [True, False]
    beat_ns = pacer.wait()
    assert pacer.wait() == beat_ns + 20_000_000


def test_missed_beat_leaves_a_locked_grid_where_it_is() -> None:
    clock = ManualClock(0)
    pacer = Pacer(10, clock)
    pacer.lock(4_000_000, TENTH_NS)
    pacer.wait()
    clock.advance(0.35)
    beat_ns = pacer.wait()
    assert abs(beat_ns - 3 * TENTH_NS) <= TENTH_NS // 100


@pytest.mark.parametrize("fps", [0, -1, 1001])
def test_impossible_rate_is_refused(fps: float) -> None:
    with pytest.raises(ValueError, match="fps must lie"):
        Pacer(fps, ManualClock())
    with pytest.raises(ValueError, match="fps must lie"):
        Pacer(10, ManualClock()).set_fps(fps)
