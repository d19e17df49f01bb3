from __future__ import annotations

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.render.live.governor import Cause, Governor, Rung, Step
from vtbridge.render.settings import Quality

FPS = 60.0
MS = 1_000_000
WINDOW_S = 1.5


class Machine:
    """A machine of a given speed under a governor, second by second."""

    def __init__(self, wanted: Quality, **cost_ms: float) -> None:
        self.now_ns = 5 * NS_PER_S
        self.cost_ms = {Quality(name): cost for name, cost in cost_ms.items()}
        self.drawing_ms = 3.0
        self.missed_share = 0.0
        self.governor = Governor(wanted, FPS, self.now_ns)
        self.steps: list[Step] = []

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / WINDOW_S)):
            rung = self.governor.rung
            beats = round(WINDOW_S * FPS / (2 if rung.halved else 1))
            self.governor.add_beats(beats, round(beats * self.missed_share))
            self.governor.add_drawing(round(self.drawing_ms * MS))
            cost_ns = round(self.cost_ms[rung.quality] * MS)
            for _ in range(max(1, round(WINDOW_S * NS_PER_S / cost_ns))):
                self.governor.add_fresh(cost_ns, rung.quality)
            self.now_ns += round(WINDOW_S * NS_PER_S)
            step = self.governor.decide(self.now_ns)
            if step is not None:
                self.steps.append(step)

    @property
    def causes(self) -> list[Cause]:
        return [step.cause for step in self.steps]

    @property
    def quality(self) -> Quality:
        return self.governor.rung.quality


def test_auto_is_exact_where_that_is_fluent() -> None:
    machine = Machine(Quality.AUTO, exact=30, balanced=12, fast=5)
    machine.run(60)
    assert machine.steps == []
    assert machine.quality is Quality.EXACT


def test_auto_is_balanced_where_exact_is_not_fluent_and_stays_so() -> None:
    machine = Machine(Quality.AUTO, exact=80, balanced=50, fast=25)
    machine.run(WINDOW_S)
    assert machine.quality is Quality.BALANCED, "the first window decides"
    machine.run(600)
    assert machine.causes == [Cause.NETWORKS], "what is known to be too slow is not tried again"
    assert not machine.governor.below_wanted, "this is what auto promises"


def test_exact_that_was_asked_for_is_kept_though_it_is_not_fluent() -> None:
    machine = Machine(Quality.EXACT, exact=120, balanced=50, fast=25)
    machine.run(600)
    assert machine.steps == []


def test_quality_falls_level_by_level_when_the_networks_starve() -> None:
    machine = Machine(Quality.EXACT, exact=400, balanced=200, fast=100)
    machine.run(8 * WINDOW_S)
    assert [step.rung.quality for step in machine.steps] == [Quality.BALANCED, Quality.FAST]
    assert machine.governor.below_wanted


def test_rate_is_halved_once_no_quality_helps() -> None:
    machine = Machine(Quality.FAST, exact=900, balanced=600, fast=300)
    machine.drawing_ms = 6
    machine.run(8 * WINDOW_S)
    assert [step.rung for step in machine.steps] == [Rung(Quality.FAST, halved=True)]
    machine.run(600)
    assert len(machine.steps) == 1, "and stays so"


def test_rate_is_kept_where_halving_it_would_save_next_to_nothing() -> None:
    machine = Machine(Quality.FAST, exact=900, balanced=600, fast=300)
    machine.drawing_ms = 3
    machine.run(600)
    assert machine.steps == []


def test_single_bad_window_changes_nothing() -> None:
    machine = Machine(Quality.AUTO, exact=30, balanced=12, fast=5)
    machine.run(10 * WINDOW_S)
    for _ in range(10):
        machine.missed_share = 0.5
        machine.run(WINDOW_S)
        machine.missed_share = 0.0
        machine.run(WINDOW_S)
    assert machine.steps == []


def test_late_frames_lower_the_quality_and_leave_what_that_saves_to_others() -> None:
    machine = Machine(Quality.EXACT, exact=40, balanced=15, fast=5)
    machine.run(4 * WINDOW_S)
    machine.missed_share = 0.2
    machine.run(2 * WINDOW_S)
    assert machine.steps == [Step(Rung(Quality.BALANCED, fresh_interval_ns=40 * MS), Cause.LATE)], (
        "not twice as many cheap fields"
    )
    machine.run(2 * WINDOW_S)
    assert machine.governor.rung == Rung(Quality.FAST, fresh_interval_ns=40 * MS)
    machine.run(2 * WINDOW_S)
    assert machine.governor.rung == Rung(Quality.FAST, halved=True, fresh_interval_ns=40 * MS)


def test_rest_between_fields_is_never_so_long_that_motion_stutters() -> None:
    machine = Machine(Quality.EXACT, exact=180, balanced=100, fast=40)
    machine.run(4 * WINDOW_S)
    machine.missed_share = 0.2
    machine.run(2 * WINDOW_S)
    assert machine.governor.rung.fresh_interval_ns <= NS_PER_S / 12 + 1


def test_late_frames_of_the_start_are_no_load() -> None:
    governor = Governor(Quality.EXACT, FPS, 0)
    governor.add_beats(90, 90)
    assert governor.decide(2 * NS_PER_S) is None


def test_slow_drawing_halves_the_rate_and_keeps_the_quality() -> None:
    machine = Machine(Quality.AUTO, exact=30, balanced=12, fast=5)
    machine.run(4 * WINDOW_S)
    machine.drawing_ms = 14
    machine.run(2 * WINDOW_S)
    assert machine.steps == [Step(Rung(Quality.EXACT, halved=True), Cause.DRAWING)]
    machine.drawing_ms = 12
    machine.run(60)
    assert machine.governor.rung.halved, "at the full rate it would be too slow again"
    machine.drawing_ms = 5
    machine.run(20)
    assert machine.governor.rung == Rung(Quality.EXACT)


def test_low_rate_is_not_halved_to_a_slide_show() -> None:
    governor = Governor(Quality.FAST, 20.0, 0)
    for window in range(1, 20):
        governor.add_fresh(900 * MS, Quality.FAST)
        governor.add_drawing(40 * MS)
        assert governor.decide(window * 2 * NS_PER_S) is None


def test_quality_returns_after_a_calm_when_the_load_is_gone() -> None:
    machine = Machine(Quality.AUTO, exact=30, balanced=12, fast=5)
    machine.run(4 * WINDOW_S)
    machine.cost_ms = {q: 4 * cost for q, cost in machine.cost_ms.items()}
    machine.run(2 * WINDOW_S)
    assert [step.rung.quality for step in machine.steps] == [Quality.BALANCED]
    machine.run(60)
    assert len(machine.steps) == 1, "under the same load exact is still 120 ms"
    machine.cost_ms = {q: cost / 4 for q, cost in machine.cost_ms.items()}
    machine.run(6.0)
    assert machine.steps[-1].rung == Rung(Quality.EXACT), (
        "its cost of now is told by that of the level below"
    )


def test_rate_returns_before_quality() -> None:
    machine = Machine(Quality.EXACT, exact=150, balanced=15, fast=5)
    machine.run(4 * WINDOW_S)
    machine.missed_share = 0.2
    machine.run(6 * WINDOW_S)
    assert machine.governor.rung.halved
    machine.missed_share = 0.0
    machine.steps.clear()
    machine.run(60)
    assert [(step.rung.quality, step.rung.halved) for step in machine.steps] == [
        (Quality.FAST, False),
        (Quality.BALANCED, False),
        (Quality.EXACT, False),
    ]
    assert machine.governor.rung == Rung(Quality.EXACT)


def test_better_rung_that_does_not_last_is_tried_less_and_less_often() -> None:
    machine = Machine(Quality.BALANCED, exact=40, balanced=40, fast=20)
    machine.run(4 * WINDOW_S)
    for _ in range(500):  # late whenever it is not at its lowest quality
        machine.missed_share = 0.2 if machine.quality is Quality.BALANCED else 0.0
        machine.run(WINDOW_S)
    assert 4 <= machine.causes.count(Cause.CALM) <= 10, "500 windows are 750 s"
    assert machine.causes[0] is Cause.LATE


def test_pose_that_never_ends_counts_as_a_slow_one() -> None:
    governor = Governor(Quality.EXACT, FPS, 0)
    step = governor.decide(2 * NS_PER_S, busy_ns=2 * NS_PER_S)
    assert step == Step(Rung(Quality.BALANCED), Cause.NETWORKS)


def test_still_picture_is_no_load() -> None:
    governor = Governor(Quality.EXACT, FPS, 0)
    for window in range(1, 40):
        governor.add_beats(90, 0)
        assert governor.decide(window * 2 * NS_PER_S) is None


def test_fields_of_the_level_before_do_not_count_for_the_present_one() -> None:
    machine = Machine(Quality.AUTO, exact=80, balanced=20, fast=5)
    machine.run(WINDOW_S)
    for _ in range(200):
        machine.governor.add_fresh(9_000 * MS, Quality.EXACT)
    machine.run(2 * WINDOW_S)
    assert machine.quality is Quality.BALANCED


@pytest.mark.parametrize("wanted", [Quality.BALANCED, Quality.FAST])
def test_quality_never_rises_over_what_was_asked_for(wanted: Quality) -> None:
    machine = Machine(wanted, exact=1, balanced=1, fast=1)
    machine.run(120)
    assert machine.quality is wanted


def test_another_wish_begins_at_its_best_rung() -> None:
    machine = Machine(Quality.FAST, exact=30, balanced=12, fast=5)
    machine.run(10)
    step = machine.governor.start(Quality.EXACT, machine.now_ns)
    assert step == Step(Rung(Quality.EXACT), Cause.WANTED)


def test_quick_poses_between_slow_ones_do_not_hide_them() -> None:
    governor = Governor(Quality.AUTO, FPS, 0)
    for _ in range(8):
        governor.add_fresh(150 * MS, Quality.EXACT)
        governor.add_fresh(5 * MS, Quality.EXACT)
        governor.add_fresh(5 * MS, Quality.EXACT)
    step = governor.decide(2 * NS_PER_S)
    assert step is not None
    assert step.rung.quality is Quality.BALANCED


def test_a_prepared_character_stays_what_it_is_however_slow() -> None:
    machine = Machine(Quality.BAKED, baked=400)
    machine.run(60)
    assert machine.quality is Quality.BAKED
    assert machine.governor.below_wanted == machine.governor.rung.halved


def test_a_prepared_character_halves_its_rate_when_frames_come_late_and_recovers() -> None:
    machine = Machine(Quality.BAKED, baked=8)
    told = []
    for seconds, missed_share in ((3, 0.0), (10, 0.2), (60, 0.0)):
        machine.missed_share = missed_share
        machine.run(seconds)
        told.append((machine.governor.rung.halved, machine.governor.below_wanted))
    assert told == [(False, False), (True, True), (False, False)]


def test_going_over_to_a_prepared_character_and_back_forgets_the_other_ladder() -> None:
    machine = Machine(Quality.EXACT, exact=900, balanced=60, fast=30, baked=8)
    shown = []
    for wanted in (Quality.EXACT, Quality.BAKED, Quality.FAST):
        machine.governor.start(wanted, machine.now_ns)
        machine.run(6)
        shown.append(machine.quality)
    assert shown == [Quality.BALANCED, Quality.BAKED, Quality.FAST]
