from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.support.live import ScriptedPoser, picture, pose
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.errors import RuntimeUnavailable
from vtbridge.flow.slot import LatestSlot
from vtbridge.render.fields import FrameFields
from vtbridge.render.live.cpu_budget import CpuBudget
from vtbridge.render.live.fields_pool import FieldsPool
from vtbridge.render.live.fields_worker import FieldsWorker, PoseRequest, Wish
from vtbridge.render.poser import Poser
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

MS = 1_000_000


class Bench:
    """A worker stepped by hand."""

    def __init__(
        self,
        poser: ScriptedPoser,
        *,
        buffers: int = 4,
        budget: CpuBudget | None = None,
        open_poser: Callable[[], Poser] | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.poses: LatestSlot[PoseRequest] = LatestSlot()
        self.telemetry = Telemetry(self.clock)
        self.worker = FieldsWorker(
            open_poser or (lambda: poser),
            Wish(picture(), Quality.EXACT),
            poses=self.poses,
            pool=FieldsPool(buffers),
            budget=budget or CpuBudget(1),
            clock=self.clock,
            telemetry=self.telemetry,
        )

    def ask(self, value: float) -> PoseRequest:
        now_ns = self.clock.now_ns()
        request = PoseRequest(pose(value), now_ns, now_ns - 5 * MS)
        self.poses.put(request)
        return request

    def step(self, value: float) -> PoseRequest:
        request = self.ask(value)
        self.worker.step()
        return request


def value_of(fields: FrameFields) -> float:
    return float(fields.morphed.flat[0])


def test_fields_carry_the_times_of_their_pose_and_survive_the_next_one() -> None:
    bench = Bench(ScriptedPoser())
    assert bench.worker.open()
    asked = [bench.step(0.1), bench.step(0.2)]
    fresh = list(bench.worker.fresh)
    assert [round(value_of(f.timed.fields), 3) for f in fresh] == [0.1, 0.2]
    assert [f.timed.moment_ns for f in fresh] == [request.moment_ns for request in asked]
    assert [f.timed.capture_ns for f in fresh] == [request.capture_ns for request in asked]


def test_only_the_newest_pose_is_computed() -> None:
    poser = ScriptedPoser()
    bench = Bench(poser)
    bench.worker.open()
    for value in (0.1, 0.2, 0.3):
        bench.ask(value)
    bench.worker.step()
    bench.worker.step()
    assert poser.asked == [pytest.approx(0.3)]


def test_pose_that_stayed_is_told_and_not_computed_again() -> None:
    poser = ScriptedPoser()
    bench = Bench(poser)
    bench.worker.open()
    bench.step(0.1)
    bench.clock.advance(1)
    again = bench.step(0.1)
    assert len(poser.asked) == 1
    assert bench.worker.same is not None
    timed, request = bench.worker.same
    assert timed is bench.worker.fresh[0].timed
    assert request is again


@pytest.mark.parametrize("quality", [Quality.BALANCED, Quality.FAST])
def test_still_pose_ripens_unless_quality_is_exact(quality: Quality) -> None:
    poser = ScriptedPoser()
    bench = Bench(poser)
    bench.worker.open()
    bench.worker.wish = Wish(bench.worker.wish.picture, quality)
    bench.step(0.1)
    bench.step(0.1)
    assert len(poser.asked) == 2


@pytest.mark.parametrize("changed", ["quality", "picture", "distrust"])
def test_still_pose_is_computed_again_once_it_would_look_different(changed: str) -> None:
    poser = ScriptedPoser()
    bench = Bench(poser)
    bench.worker.open()
    bench.step(0.1)
    wish = bench.worker.wish
    if changed == "quality":
        bench.worker.wish = Wish(wish.picture, Quality.BALANCED)
    elif changed == "picture":
        bench.worker.wish = Wish(picture("another"), wish.quality)
    else:
        bench.worker.distrust()
    bench.step(0.1)
    assert len(poser.asked) == 2
    newest = bench.worker.fresh[-1]
    assert newest.picture is bench.worker.wish.picture
    assert newest.quality is poser.quality is bench.worker.wish.quality
    assert poser.pictures[-1] is newest.picture


def test_display_that_does_not_come_round_gets_the_newest_fields() -> None:
    bench = Bench(ScriptedPoser(), buffers=2)
    bench.worker.open()
    for number in range(10):
        bench.step(number / 10)
    assert [round(value_of(f.timed.fields), 3) for f in bench.worker.fresh] == [0.8, 0.9]
    assert bench.telemetry.counters()["render.fields.dropped"] == 8


def test_fields_without_a_buffer_are_dropped_and_computed_again() -> None:
    poser = ScriptedPoser()
    bench = Bench(poser, buffers=1)
    bench.worker.open()
    bench.step(0.1)
    taken = bench.worker.fresh.popleft()  # the display holds the only buffer
    bench.step(0.2)
    assert not bench.worker.fresh
    taken.timed.release()
    bench.step(0.2)
    assert [round(value_of(f.timed.fields), 3) for f in bench.worker.fresh] == [0.2]


def test_buffers_are_made_once() -> None:
    pool = FieldsPool(2)
    poser = ScriptedPoser()
    first = pool.copy_of(poser.fields(pose(0.1)))
    assert first is not None
    pool.give_back(first)
    second = pool.copy_of(poser.fields(pose(0.2)))
    assert second is first
    assert pool.copy_of(poser.fields(pose(0.3))) is not None
    assert pool.copy_of(poser.fields(pose(0.4))) is None


def test_failure_is_told_and_the_next_pose_computed() -> None:
    bench = Bench(ScriptedPoser(fails=lambda number: number == 1))
    bench.worker.open()
    bench.step(0.1)
    assert [str(error) for error in bench.worker.errors] == ["scripted broke down"]
    assert not bench.worker.fresh
    bench.step(0.1)
    assert len(bench.worker.fresh) == 1


def test_what_it_is_busy_with_can_be_seen_from_outside() -> None:
    seen: list[int | None] = []

    def look(_: Quality) -> float:
        seen.append(bench.worker.since_ns)
        return 0.0

    clock = ManualClock()
    bench = Bench(ScriptedPoser(clock=clock, cost_s=look), clock=clock)
    look(Quality.EXACT)
    bench.worker.open()
    look(Quality.EXACT)
    bench.step(0.1)
    look(Quality.EXACT)
    now_ns = clock.now_ns()
    assert seen == [now_ns, None, now_ns, None], "opening counts from the start"


def test_networks_that_cannot_be_opened_say_why() -> None:
    def refuse() -> Poser:
        raise RuntimeUnavailable("no such device")

    bench = Bench(ScriptedPoser(), open_poser=refuse)
    assert not bench.worker.open()
    assert bench.worker.settled.is_set()
    assert [str(error) for error in bench.worker.errors] == ["no such device"]


def test_worker_rests_as_its_budget_and_its_wish_say() -> None:
    clock = ManualClock()
    poser = ScriptedPoser(clock=clock, cost_s=lambda _: 0.04)
    bench = Bench(poser, clock=clock, budget=CpuBudget(1, duty=0.5))
    bench.worker.open()
    assert bench.worker.rest_ns() == 0
    bench.step(0.1)
    assert bench.worker.rest_ns() == pytest.approx(40 * MS, abs=1), "as long as it computed"
    bench.worker.wish = Wish(bench.worker.wish.picture, Quality.EXACT, 100 * MS)
    assert bench.worker.rest_ns() == 60 * MS, "100 ms from begin to begin"
    clock.advance(1)
    assert bench.worker.rest_ns() == 0


def test_worker_leaves_the_room_that_is_wished_for_beyond_its_budget() -> None:
    clock = ManualClock()
    bench = Bench(ScriptedPoser(clock=clock, cost_s=lambda _: 0.04), clock=clock)
    bench.worker.open()
    bench.step(0.1)
    assert bench.worker.rest_ns() == 0
    bench.worker.wish = replace(bench.worker.wish, duty=0.25)
    assert bench.worker.rest_ns() == pytest.approx(120 * MS, abs=1)


def test_worker_that_was_given_up_hands_nothing_over() -> None:
    def give_up(_: Quality) -> float:
        bench.worker.stop(timeout_s=0)
        return 0.0

    clock = ManualClock()
    bench = Bench(ScriptedPoser(clock=clock, cost_s=give_up), clock=clock)
    bench.worker.open()
    bench.step(0.1)
    assert not bench.worker.fresh


def test_thread_computes_what_comes_until_it_is_stopped() -> None:
    poser = ScriptedPoser()
    bench = Bench(poser)
    bench.worker.start()
    assert bench.worker.warm.wait(20)
    for value in (0.1, 0.2):
        bench.worker.handled.clear()
        bench.ask(value)
        assert bench.worker.handled.wait(20)
    assert np.allclose(poser.asked, [0.0, 0.1, 0.2])
    assert bench.worker.stop(timeout_s=20)
    assert poser.closed


def test_time_of_the_networks_is_measured() -> None:
    clock = ManualClock()
    bench = Bench(ScriptedPoser(clock=clock, cost_s=lambda _: 0.05), clock=clock)
    bench.worker.open()
    bench.step(0.1)
    assert bench.worker.fresh[0].cost_ns == NS_PER_S // 20
    assert bench.telemetry.latencies()["render.fields"].count == 1


def test_fields_that_no_network_gives_are_not_handed_over() -> None:
    poser = ScriptedPoser()
    bench = Bench(poser)
    bench.worker.open()
    poser.alpha = 1e6
    bench.step(0.1)
    assert not bench.worker.fresh
    assert "scripted gave alpha" in str(bench.worker.errors[0])


def test_picture_is_there_before_the_first_real_pose() -> None:
    poser = ScriptedPoser()
    bench = Bench(poser)
    bench.worker.open()
    bench.worker.warm_up()
    assert bench.worker.warm.is_set()
    assert poser.asked == [0.0]
    assert len(bench.worker.fresh) == 1
    bench.step(0.1)
    assert len(bench.worker.fresh) == 2


def test_warming_up_that_fails_is_one_failure_like_any_other() -> None:
    bench = Bench(ScriptedPoser(fails=lambda number: number == 1))
    bench.worker.open()
    bench.worker.warm_up()
    assert bench.worker.warm.is_set()
    assert len(bench.worker.errors) == 1
    bench.step(0.1)
    assert len(bench.worker.fresh) == 1


def test_networks_take_their_self_test_again_at_rest_after_a_minute_and_in_motion_after_five() -> (
    None
):
    poser = ScriptedPoser()
    bench = Bench(poser)
    bench.worker.open()
    counts = []
    for wait_s, value in ((0, 0.1), (59, 0.1), (2, 0.1), (1, 0.1), (298, 0.2), (2, 0.3), (59, 0.4)):
        bench.clock.advance(wait_s)
        bench.step(value)
        counts.append(poser.rechecks)
    assert counts == [0, 0, 1, 1, 1, 2, 2]


def test_a_self_test_that_fails_is_told_once() -> None:
    poser = ScriptedPoser(turns_wrong=True)
    bench = Bench(poser)
    bench.worker.open()
    for _ in range(3):
        bench.step(0.1)
        bench.clock.advance(59)
    assert [str(error) for error in bench.worker.errors] == ["scripted has turned wrong"]
    assert bench.worker.since_ns is None
