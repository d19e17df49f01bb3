from __future__ import annotations

import logging
from itertools import pairwise

import numpy as np
import pytest

from tests.support.live import (
    SIDE,
    FlatCompositor,
    ScriptedPoser,
    ScriptedSource,
    Stage,
    grey,
    picture,
    pose,
)
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import FrameFlag
from vtbridge.errors import RuntimeUnavailable
from vtbridge.render.live.cpu_budget import CpuBudget
from vtbridge.render.live.fields_worker import FieldsWorker
from vtbridge.render.live.live_poser import LivePoser
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

MS = 1_000_000


def stage(*posers: ScriptedPoser | RuntimeUnavailable, quality: Quality = Quality.EXACT) -> Stage:
    return Stage(ScriptedSource(*posers), ManualClock(), quality)


def show(on: Stage, beats: int, *, every: int = 1, start: float = 0.0) -> list[int]:
    """Show ``beats`` of a pose rising by .01 a beat; the networks answer every so many beats."""
    shown = []
    for beat in range(beats):
        frame = on.beat(start + beat / 100)
        if (beat + 1) % every == 0:
            on.worker.step()
        shown.append(-1 if frame is None else grey(frame))
    return shown


def test_nothing_is_shown_before_the_first_fields() -> None:
    on = stage(ScriptedPoser())
    assert on.beat(0.1) is None
    on.worker.step()
    assert grey(on.beat(0.2)) == 10


def test_display_never_computes() -> None:
    poser = ScriptedPoser()
    on = stage(poser)
    for _ in range(20):
        on.beat(0.1)
    assert poser.asked == []


def test_slow_networks_are_shown_as_even_motion() -> None:
    on = stage(ScriptedPoser())
    shown = show(on, 100, every=4)
    assert len(set(shown[20:60])) == 40, "every beat shows something of its own"
    steps = np.diff(shown[20:])
    assert set(steps.tolist()) == {1}
    assert on.live.status().added_delay_ms > 0
    assert on.live.status().fresh_fps == pytest.approx(on.fps / 4, rel=0.05)


def test_frame_tells_when_what_it_shows_was_captured() -> None:
    on = stage(ScriptedPoser())
    first_ns = on.clock.now_ns()
    for beat in range(100):
        frame = on.beat(beat / 100)
        if beat % 4 == 3:
            on.worker.step()
        if beat > 20:
            assert frame is not None
            shown_beat = (frame.t_capture_ns - first_ns) * on.fps / NS_PER_S
            assert grey(frame) == pytest.approx(shown_beat, abs=0.6)


def test_networks_that_keep_up_are_shown_without_added_delay() -> None:
    on = stage(ScriptedPoser())
    show(on, 60)
    assert on.live.status().added_delay_ms == 0
    frame = on.beat(0.9)
    on.worker.step()
    frame = on.beat(0.95)
    assert grey(frame) == 90, "the pose of the beat before"


def test_picture_holds_when_the_networks_stop() -> None:
    on = stage(ScriptedPoser())
    show(on, 40, every=4)
    held = [on.beat(0.4) for _ in range(60)]
    assert len({grey(frame) for frame in held[-40:]}) == 1
    assert all(frame is not None and frame.flags & FrameFlag.REPEAT for frame in held[-40:])
    assert not on.live.status().failing, "slow is not broken"


def test_repeat_is_flagged_exactly_when_nothing_changed() -> None:
    on = stage(ScriptedPoser())
    frames = []
    for beat in range(80):
        frame = on.beat(0.5 if 30 <= beat < 60 else beat / 100)
        on.worker.step()
        if frame is not None:
            frames.append((grey(frame), bool(frame.flags & FrameFlag.REPEAT)))
    for (before, _), (now, repeated) in pairwise(frames):
        assert repeated == (now == before)


def test_frame_handed_out_is_not_drawn_over_by_a_failure() -> None:
    poser = ScriptedPoser(gives=lambda value: float("nan") if value > 0.5 else value)
    on = stage(poser)
    show(on, 10, start=0.1)
    good = on.beat(0.6)
    assert good is not None
    kept = good.rgba.copy()
    on.worker.step()
    after = on.beat(0.6)
    assert after is not None
    assert np.array_equal(after.rgba, kept)
    assert after.flags & FrameFlag.REPEAT


@pytest.mark.parametrize("broken", ["raises", "gives NaN"])
def test_failed_pose_leaves_the_last_frame_and_is_told(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    poser = (
        ScriptedPoser(fails=lambda number: number == 20)
        if broken == "raises"
        else ScriptedPoser(gives=lambda value: float("nan") if 0.185 < value < 0.195 else value)
    )
    on = stage(poser)
    with caplog.at_level(logging.WARNING):
        shown = show(on, 40)
    assert [value for value in shown if value >= 0] == sorted(v for v in shown if v >= 0)
    assert shown[-1] == 38
    assert on.telemetry.counters()["render.failed"] == 1
    assert [r.message for r in caplog.records if "could not be rendered" in r.message]
    assert not on.live.status().failing, "the next pose was shown"
    assert on.source.blamed == []


def test_unfit_fields_of_a_still_pose_are_tried_once_and_computed_again() -> None:
    answers = iter([float("nan"), 0.7])
    poser = ScriptedPoser(gives=lambda _: next(answers))
    on = stage(poser)
    on.beat(0.1)
    on.worker.step()
    for _ in range(10):
        on.beat(0.1)
    assert on.telemetry.counters()["render.failed"] == 1, "not once a beat"
    on.worker.step()
    assert grey(on.beat(0.1)) == 70


def test_networks_that_keep_failing_are_loaded_anew_then_replaced() -> None:
    broken = [
        ScriptedPoser("broken", fails=lambda number: number > 5),
        ScriptedPoser("broken again", fails=lambda _: True),
    ]
    sound = ScriptedPoser("sound")
    on = stage(*broken, sound)
    shown = show(on, 9)
    assert len(on.workers) == 2, "three failures"
    assert on.workers[0].stopping.is_set()
    assert on.source.blamed == [], "a lost device deserves a second chance"
    assert on.live.status().failing
    on.open()
    shown += show(on, 4)
    assert len(on.workers) == 3
    assert len(on.source.blamed) == 1
    on.open()
    shown += show(on, 10, start=0.2)
    assert shown[-1] == 28
    status = on.live.status()
    assert (status.runtime, status.fallback, status.failing) == ("sound", True, False)
    assert min(shown[1:]) >= 0, "all the while there was a frame"


def test_hanging_networks_are_left_behind_and_the_next_runtime_opened() -> None:
    hanging, sound = ScriptedPoser("hanging"), ScriptedPoser("sound")
    on = stage(hanging, sound)
    show(on, 20)
    on.worker.since_ns = on.clock.now_ns()  # a pose that never ends
    frames = [on.beat(0.3) for _ in range(round(2.9 * on.fps))]
    assert len(on.workers) == 1
    frames += [on.beat(0.3) for _ in range(round(0.2 * on.fps))]
    assert len(on.workers) == 2
    assert all(frame is not None for frame in frames), "frames went on all the while"
    assert "hanging has not answered for 3.0 s" in on.source.blamed[0]
    assert on.telemetry.counters()["render.hung"] == 1
    assert on.live.status().failing
    on.open()
    shown = show(on, 10, start=0.4)
    assert shown[-1] == 48
    assert not on.live.status().failing


def test_slow_networks_are_not_taken_for_hanging_ones() -> None:
    clock = ManualClock()
    slow = ScriptedPoser(clock=clock, cost_s=lambda _: 1.0)
    on = Stage(ScriptedSource(slow), clock)
    for _ in range(3):
        on.beat(clock.now_ns() / 1e12)
        on.worker.step()
    on.beat(0.9)
    on.worker.since_ns = clock.now_ns()
    for _ in range(round(15 * on.fps)):
        on.beat(0.9)
    assert len(on.workers) == 1


def test_what_a_hanging_worker_says_at_last_is_not_heard() -> None:
    on = stage(ScriptedPoser("hanging"), ScriptedPoser("sound"))
    show(on, 20)
    old = on.worker
    old.since_ns = on.clock.now_ns()
    for _ in range(round(3.5 * on.fps)):
        on.beat(0.3)
    on.open()
    shown = show(on, 10, start=0.4)
    old.step()
    shown += show(on, 5, start=0.5)
    assert shown[-1] == 53


def test_loading_that_never_ends_is_left_behind_too() -> None:
    on = stage(ScriptedPoser(fails=lambda number: number > 0), ScriptedPoser("sound"))
    show(on, 5)  # three failures: loading anew begins
    assert len(on.workers) == 2
    for _ in range(181):
        on.clock.advance(1)
        on.beat(0.1)
        assert on.live.status().quality is Quality.EXACT, "loading is no load"
    assert len(on.workers) == 3
    assert on.source.blamed


def test_dead_worker_is_replaced() -> None:
    on = stage(ScriptedPoser(), ScriptedPoser("anew"))
    show(on, 10)
    on.worker.failure = MemoryError("no room")
    on.beat(0.2)
    assert len(on.workers) == 2
    assert "no room" in on.live.status().trouble
    on.open()
    assert show(on, 5, start=0.3)[-1] == 33


def test_with_nothing_left_the_frame_stays_and_opening_is_tried_again_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = [RuntimeUnavailable("no runtime can be used") for _ in range(4)]
    on = stage(ScriptedPoser(fails=lambda number: number > 5), *refusals, ScriptedPoser("back"))
    show(on, 9)
    waits = []
    with caplog.at_level(logging.ERROR):
        for _ in refusals:
            assert not on.open()
            before, begin_ns = len(on.workers), on.clock.now_ns()
            while len(on.workers) == before:
                frame = on.beat(0.2)
                assert frame is not None
                assert frame.flags & FrameFlag.REPEAT
            waits.append((on.clock.now_ns() - begin_ns) / NS_PER_S)
    assert waits == pytest.approx([1, 2, 4, 8], abs=0.1)
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1, "said once"
    assert "no runtime can be used" in on.live.status().trouble
    on.open()
    assert show(on, 50, start=0.3)[-1] == 78
    assert on.live.status().trouble == ""


def test_drawing_stands_in_until_there_is_a_first_frame() -> None:
    on = stage(ScriptedPoser(fails=lambda _: True), ScriptedPoser(fails=lambda _: True))
    show(on, 2)
    frame = on.beat(0.1)
    assert frame is not None
    assert frame.flags & FrameFlag.PLACEHOLDER
    assert frame.rgba.shape == (SIDE, SIDE, 4)
    assert grey(frame) == 255, "the white drawing"


def test_first_opening_that_fails_is_the_callers_to_tell() -> None:
    on = stage(RuntimeUnavailable("nothing runs here"))
    with pytest.raises(RuntimeUnavailable, match="nothing runs here"):
        on.live.wait_until_open()


def test_first_opening_that_works_tells_its_runtime() -> None:
    on = stage(ScriptedPoser("openvino f32 CPU"))
    on.worker.warm_up()
    on.live.wait_until_open()
    assert on.live.status().runtime == "openvino f32 CPU"
    assert grey(on.beat(0.7)) == 0, "and the neutral pose is there at once"


def test_quality_falls_and_is_seen_to_when_the_networks_are_slow() -> None:
    clock = ManualClock()
    cost = {Quality.EXACT: 0.1, Quality.BALANCED: 0.05, Quality.FAST: 0.02}
    poser = ScriptedPoser(clock=clock, cost_s=cost.__getitem__)
    on = Stage(ScriptedSource(poser), clock, Quality.AUTO)
    for beat in range(200):
        on.beat(beat / 1000)
        on.worker.step()
    assert poser.quality is Quality.BALANCED
    status = on.live.status()
    assert (status.quality, status.below_wanted) == (Quality.BALANCED, False)
    assert status.networks_ms > 0
    assert on.telemetry.counters()["render.governor.networks"] == 1


def test_another_quality_can_be_wanted_while_it_runs() -> None:
    poser = ScriptedPoser()
    on = stage(poser)
    show(on, 5)
    on.live.set_quality(Quality.FAST)
    show(on, 5, start=0.1)
    assert poser.quality is Quality.FAST
    assert on.live.status().quality is Quality.FAST


def test_room_asked_for_is_left_whatever_the_quality() -> None:
    on = stage(ScriptedPoser())
    on.live.leave_room(0.5)
    show(on, 2)
    assert on.worker.wish.duty == 0.5
    on.live.set_quality(Quality.FAST)
    show(on, 2, start=0.1)
    assert on.worker.wish.duty == 0.5
    on.live.leave_room(1.0)
    show(on, 2, start=0.2)
    assert on.worker.wish.duty == 1.0


def test_halved_rate_is_what_the_display_is_told() -> None:
    on = stage(ScriptedPoser(), quality=Quality.FAST)
    on.fps = 25
    for beat in range(400):
        on.live.note_beats(1, beat % 2)
        on.beat(beat / 1000)
        on.worker.step()
    assert on.live.fps == 25.0
    assert on.live.status().below_wanted
    for beat in range(40):
        on.beat(0.4 + beat / 100)
        on.worker.step()
    assert on.live.status().added_delay_ms == 0, "every beat that is left has fields of its own"


def test_another_picture_is_shown_whole_or_not_at_all() -> None:
    made: list[FlatCompositor] = []

    def open_compositor() -> FlatCompositor:
        made.append(FlatCompositor())
        return made[-1]

    poser, clock = ScriptedPoser(), ManualClock()
    workers: list[FieldsWorker] = []
    live = LivePoser(
        ScriptedSource(poser),
        picture("first"),
        open_compositor=open_compositor,
        quality=Quality.EXACT,
        size=SIDE,
        fps=50,
        budget=CpuBudget(1),
        clock=clock,
        telemetry=Telemetry(clock),
        start=workers.append,
    )
    workers[0].open()

    def beat(value: float) -> int:
        frame = live.render(pose(value), clock.now_ns())
        clock.advance(0.02)
        return -1 if frame is None else grey(frame)

    for value in (0.1, 0.2, 0.3):
        beat(value)
        beat(value)
        workers[0].step()
    second = picture("second")
    live.set_picture(second)
    assert made[1].picture is second
    assert 20 < beat(0.4) < 31
    assert made[1].drawn == [], "still the first"
    workers[0].step()
    assert beat(0.5) == 40
    assert made[1].drawn == [40], "and nothing of the first was drawn with it"
    assert poser.pictures[-1] is second


def test_closing_twice_is_closing() -> None:
    on = stage(ScriptedPoser())
    on.live.close()
    on.live.close()
    assert on.worker.stopping.is_set()
    on.beat(0.1)
    assert len(on.workers) == 1


def test_networks_that_hang_again_and_again_are_given_up_before_memory_is() -> None:
    on = stage(*(ScriptedPoser(f"runtime {number}") for number in range(9)))
    for _ in range(4):
        show(on, 5)
        on.worker.since_ns = on.clock.now_ns()
        for _ in range(round(3.2 * on.fps)):
            on.beat(0.3)
        on.open()
    for _ in range(3000):
        frame = on.beat(0.4)
    assert len(on.workers) == 4
    assert frame is not None
    assert "restart vtbridge" in on.live.status().trouble


def test_first_pose_may_take_long_without_being_taken_for_load() -> None:
    clock = ManualClock()
    costs = iter([5.0])
    poser = ScriptedPoser(clock=clock, cost_s=lambda _: next(costs, 0.01))
    on = Stage(ScriptedSource(poser), clock, Quality.AUTO)
    on.beat(0.0)
    on.worker.since_ns = clock.now_ns()
    for beat in range(100):
        on.beat(beat / 1000)
    for beat in range(200):
        on.worker.step()
        on.beat(beat / 1000)
    assert on.live.status().quality is Quality.EXACT
    assert 0 < on.live.status().networks_ms < 100


def test_networks_that_turned_wrong_are_replaced_at_once() -> None:
    wrong, right = ScriptedPoser("wrong", turns_wrong=True), ScriptedPoser("right")
    on = stage(wrong, right)
    on.beat(0.2)
    on.worker.step()
    on.clock.advance(61)
    on.beat(0.2)
    on.worker.step()
    on.beat(0.2)
    assert on.source.blamed == ["wrong has turned wrong"]
    assert len(on.workers) == 2
    on.open()
    assert show(on, 20, start=0.3)[-1] > 30
    assert on.live.status().fallback
