from __future__ import annotations

import pytest

from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.flow.pacer import Pacer


def test_beats_lie_on_a_fixed_grid() -> None:
    clock = ManualClock(0)
    pacer = Pacer(10, clock)
    beats = []
    for work_s in (0.01, 0.09, 0.0, 0.05):
        beats.append(pacer.wait())
        clock.advance(work_s)
    assert beats == [0, NS_PER_S // 10, 2 * NS_PER_S // 10, 3 * NS_PER_S // 10]
    assert pacer.missed == 0


def test_late_beats_are_skipped_and_counted_not_caught_up() -> None:
    clock = ManualClock(0)
    pacer = Pacer(10, clock)
    pacer.wait()
    late_ns = clock.advance(0.35)
    assert pacer.wait() == late_ns, "the next beat comes at once"
    assert pacer.missed == 2
    assert pacer.wait() == late_ns + NS_PER_S // 10, "and the grid starts there"


def test_beat_late_by_less_than_a_period_keeps_the_grid() -> None:
    clock = ManualClock(0)
    pacer = Pacer(10, clock)
    pacer.wait()
    clock.advance(0.13)
    assert pacer.wait() == NS_PER_S // 10
    assert pacer.wait() == 2 * NS_PER_S // 10
    assert pacer.missed == 0


@pytest.mark.parametrize("fps", [0, -1, 1001])
def test_impossible_rate_is_refused(fps: float) -> None:
    with pytest.raises(ValueError, match="fps must lie"):
        Pacer(fps, ManualClock())
