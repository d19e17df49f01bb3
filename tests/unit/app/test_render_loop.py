from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.support.expressions import library_of
from vtbridge.app.render_loop import RenderLoop
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import F32Array, FaceFrame, Frame, FrameFlag, HeadPose
from vtbridge.expressions.engine import ExpressionEngine
from vtbridge.expressions.idle import IdleMotion
from vtbridge.expressions.settings import IdleSettings
from vtbridge.flow.slot import LatestSlot
from vtbridge.pose_params import PoseParam
from vtbridge.publish.vtbf import FrameReader, FrameWriter, HealthFlag
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.settings import Quality
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.telemetry import Telemetry

FPS = 50.0
WELL = LiveStatus(
    runtime="paint",
    quality=Quality.EXACT,
    fps=FPS,
    fresh_fps=FPS,
    networks_ms=1.0,
    added_delay_ms=0.0,
    below_wanted=False,
    failing=False,
    fallback=False,
    trouble="",
)


EXPRESSIONS = """
[expressions.smile]
fade_in_s = 0
values = { mouth_raised_corner = 1, head_y = 0 }
[expressions.agape]
fade_in_s = 0
values = { mouth_uuu = 1 }
when = "jawOpen > 0.5"
[expressions.alone]
values = { mouth_ooo = 1 }
when = "not tracked"
"""


class PaintedFrames:
    """Paints every pixel with the number of its frame; takes as long as it is told to."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.fps = FPS
        self.cost_s: Callable[[int], float] = lambda _: 0.005
        self.first = 1
        self.delay_ns = 0
        self.flags = FrameFlag.NONE
        self.now = WELL
        self.asked: list[F32Array] = []
        self.beats: list[tuple[int, int]] = []
        self.closed = False
        self.on_beat: Callable[[int], None] = lambda _: None

    def render(self, values: F32Array, t_ns: int) -> Frame | None:
        self.asked.append(values.copy())
        self.on_beat(len(self.asked))
        self.clock.advance(self.cost_s(len(self.asked)))
        if len(self.asked) < self.first:
            return None
        rgba = np.full((8, 8, 4), len(self.asked) % 256, np.uint8)
        return Frame(rgba, t_ns - self.delay_ns, self.flags)

    def note_beats(self, beats: int, missed: int) -> None:
        self.beats.append((beats, missed))

    def status(self) -> LiveStatus:
        return self.now

    def set_quality(self, quality: Quality) -> None:
        self.now = replace(self.now, quality=quality)

    def close(self) -> None:
        self.closed = True


class Bench:
    """A render loop on real parts, but for the networks and the clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(1000 * NS_PER_S)
        self.faces: LatestSlot[FaceFrame] = LatestSlot(history=64)
        self.frames: list[tuple[int, FrameFlag]] = []
        self.health: list[HealthFlag] = []
        self.telemetry = Telemetry(self.clock)
        self.live = PaintedFrames(self.clock)
        self.writer = FrameWriter.open("loop", max_width=8, max_height=8, directory=folder)
        self.reader = FrameReader.attach("loop", directory=folder)
        self.expressions = ExpressionEngine(library_of(EXPRESSIONS), seed=1)
        self.looks: Callable[[], bool] = lambda: True
        self.loop = RenderLoop(
            live=self.live,
            retargeter=Retargeter(RetargetSettings()),
            idle=IdleMotion(IdleSettings(), seed=1),
            expressions=self.expressions,
            faces=self.faces,
            writer=self.writer,
            sinks=[self.see],
            looks=lambda: self.looks(),
            fps=FPS,
            clock=self.clock,
            telemetry=self.telemetry,
        )

    def see(self, frame: Frame) -> None:
        self.frames.append((int(frame.rgba[0, 0, 0]), frame.flags))

    def run(self, beats: int) -> None:
        """Run the loop for so many beats, here and now."""

        def on_beat(number: int) -> None:
            status = self.reader.status()
            assert status is not None
            self.health.append(status.health)
            if number == beats:
                self.loop.stopping.set()

        self.live.on_beat = on_beat
        self.loop.serve()
        status = self.reader.status()
        assert status is not None
        self.health.append(status.health)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()
    assert not list(tmp_path.glob("vtbf-*"))


def test_each_beat_publishes_one_frame(bench: Bench) -> None:
    bench.run(11)
    assert [number for number, _ in bench.frames] == list(range(1, 12))
    assert bench.loop.frames == 11
    assert bench.loop.fps() == pytest.approx(FPS, rel=0.01)
    newest = bench.reader.read_newer(0, timeout_s=0)
    assert newest is not None
    assert newest.rgba[0, 0, 0] == 11
    assert bench.live.closed


def test_before_the_first_frame_only_the_heart_beats(bench: Bench) -> None:
    bench.live.first = 4
    bench.run(6)
    assert [number for number, _ in bench.frames] == [4, 5, 6]
    assert [bool(health & HealthFlag.READY) for health in bench.health[1:]] == [
        *(False, False, False),
        *(True, True, True),
    ]


def test_missed_deadlines_are_counted_and_told_to_who_can_help(bench: Bench) -> None:
    bench.live.cost_s = lambda number: 0.05 if number == 5 else 0.005
    bench.run(10)
    assert bench.loop.missed == 2, "it was late for the second beat, and never saw the first"
    assert sum(missed for _, missed in bench.live.beats) == bench.loop.missed
    assert sum(beats for beats, _ in bench.live.beats) == bench.loop.beats
    counters = bench.telemetry.counters()
    assert (counters["pace.missed"], counters["pace.beats"]) == (2, bench.loop.beats)
    assert bench.telemetry.latencies()["pace.late"].count > 0


def test_rate_that_the_machine_cannot_bear_is_halved_and_returns(bench: Bench) -> None:
    stamps = []

    def halve(number: int) -> float:
        stamps.append(bench.clock.now_ns())
        bench.live.fps = FPS / 2 if 5 <= number < 10 else FPS
        return 0.001

    bench.live.cost_s = halve
    bench.run(15)
    gaps_ms = [round((after - before) / 1e6) for before, after in pairwise(stamps)]
    assert gaps_ms == [20] * 4 + [40] * 5 + [20] * 5


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, HealthFlag.READY),
        ({"failing": True}, HealthFlag.INFERENCE_FAILED),
        ({"below_wanted": True}, HealthFlag.READY | HealthFlag.SLOW),
        ({"fallback": True}, HealthFlag.READY | HealthFlag.RUNTIME_FALLBACK),
    ],
)
def test_readers_can_see_what_is_wrong(
    bench: Bench, changes: dict[str, bool], flags: HealthFlag
) -> None:
    bench.live.now = replace(WELL, **changes)  # type: ignore[arg-type]
    bench.run(3)
    assert bench.health[-1] == flags | HealthFlag.TRACKER_LOST


@pytest.mark.parametrize(
    "flag", [HealthFlag.INPUT_DOWN, HealthFlag.OBS_UNREACHABLE, HealthFlag.RECORDER_OFF]
)
@pytest.mark.parametrize("looked_at", [True, False])
def test_readers_can_see_what_is_wrong_elsewhere_until_it_is_well_again(
    bench: Bench, flag: HealthFlag, looked_at: bool
) -> None:
    bench.run(1)
    bench.looks = lambda: looked_at
    for around in (flag, HealthFlag.NONE):
        bench.loop.health_around = around
        bench.loop._beat(0)  # the beat alone: the loop is served once
        status = bench.reader.status()
        assert status is not None
        assert status.health == HealthFlag.READY | HealthFlag.TRACKER_LOST | around
        assert bench.loop.health == status.health


def test_repeated_frames_are_counted(bench: Bench) -> None:
    bench.live.flags = FrameFlag.REPEAT
    bench.run(10)
    assert bench.telemetry.counters()["render.repeated"] == 10
    assert all(flags & FrameFlag.REPEAT for _, flags in bench.frames)


def test_age_of_a_frame_is_that_of_the_face_it_shows(bench: Bench) -> None:
    bench.live.delay_ns = 100_000_000
    bench.faces.put(FaceFrame(bench.clock.now_ns() - 1_000_000, head=HeadPose()))
    bench.run(1)
    assert bench.telemetry.latencies()["face_to_frame"].p50_ms == pytest.approx(106, rel=0.06)


def test_every_face_between_two_beats_is_used(bench: Bench) -> None:
    now_ns = bench.clock.now_ns()
    for age in range(60, 0, -1):  # a second of a phone's faces; the blink is not the newest
        blink = 1.0 if age in {2, 3, 4} else 0.0
        bench.faces.put(
            FaceFrame(
                now_ns - age * 16_000_000,
                blendshapes={"eyeBlinkLeft": blink, "eyeBlinkRight": blink},
                head=HeadPose(),
            )
        )
    bench.run(1)
    assert bench.live.asked[0][PoseParam.EYE_WINK_LEFT] > 0.5, "the blink between was not lost"
    assert not bench.frames[0][1] & FrameFlag.TRACKER_LOST


def test_command_runs_on_the_render_thread_before_the_next_frame(bench: Bench) -> None:
    asked_then: list[int] = []
    bench.loop.submit(lambda: asked_then.append(len(bench.live.asked)))
    bench.run(2)
    assert asked_then == [0]


def test_silent_tracker_is_flagged_in_every_frame(bench: Bench) -> None:
    bench.run(3)
    assert all(flags & FrameFlag.TRACKER_LOST for _, flags in bench.frames)


def test_frames_are_ready_just_before_the_consumers_ticks(bench: Bench) -> None:
    tick_ns = bench.clock.now_ns() + 13_000_000
    waits_ms = []

    def tell(number: int) -> float:
        bench.loop.lock_phase(tick_ns + number * 20_000_000, 20_000_000)
        bench.clock.advance(0.006)
        waits_ms.append((tick_ns - bench.clock.now_ns()) % 20_000_000 / 1e6)
        return 0.0

    bench.live.cost_s = tell
    bench.run(200)
    assert bench.loop.locked
    assert 3.0 < waits_ms[-1] < 5.0


def test_loop_closes_its_poser_even_when_it_ends_by_an_error(bench: Bench) -> None:
    def explode() -> None:
        raise RuntimeError("bang")

    bench.loop.submit(explode)
    with pytest.raises(RuntimeError, match="bang"):
        bench.loop.serve()
    assert bench.live.closed


def test_expressions_are_laid_over_idle_motion_too(bench: Bench) -> None:
    bench.expressions.trigger("smile")
    bench.run(200)
    last = bench.live.asked[-1]
    assert last[PoseParam.MOUTH_RAISED_CORNER_LEFT] == 1.0
    assert last[PoseParam.HEAD_Y] == 0.0, "whatever idle motion does"
    assert len({float(asked[PoseParam.NECK_Z]) for asked in bench.live.asked}) > 100, "alive"
    assert bench.telemetry.latencies()["expressions"].count == 200


def test_conditions_see_the_tracked_face_until_it_is_lost(bench: Bench) -> None:
    def face(number: int) -> float:
        if number < 30:
            shapes = {"jawOpen": 0.9}
            bench.faces.put(FaceFrame(bench.clock.now_ns(), "vmc:x", blendshapes=shapes))
        return 0.005

    bench.live.cost_s = face
    bench.run(150)
    agape = np.array([asked[PoseParam.MOUTH_UUU] for asked in bench.live.asked])
    alone = np.array([asked[PoseParam.MOUTH_OOO] for asked in bench.live.asked])
    assert agape[25] == 1.0
    assert alone[25] == 0.0
    assert agape[-1] == 0.0
    assert alone[-1] == 1.0


def test_while_nobody_looks_the_networks_rest_and_the_heart_beats(bench: Bench) -> None:
    looked, heartbeats = [], []

    def looks() -> bool:
        looked.append(bench.clock.now_ns())
        status = bench.reader.status()
        assert status is not None
        heartbeats.append(status.heartbeat_ns)
        return not 5 <= len(looked) <= 60

    bench.looks = looks
    bench.expressions.trigger("smile")
    bench.run(8)
    # The first frame is made in any case; then 4 looks, 56 beats of rest, 3 more frames.
    assert len(bench.live.asked) == 8
    assert bench.telemetry.counters()["render.rested"] == 56
    assert len(set(heartbeats[5:61])) == 56
    assert all(health & HealthFlag.READY for health in bench.health[1:])
    assert bench.loop.beats == 8 + 56 - 1


def test_what_happened_while_it_rested_is_in_the_first_frame_after(bench: Bench) -> None:
    looked = 0

    def looks() -> bool:
        nonlocal looked
        looked += 1
        if looked == 3:
            bench.expressions.trigger("smile")
            bench.faces.put(FaceFrame(bench.clock.now_ns(), blendshapes={"jawOpen": 1.0}))
        return looked == 1 or looked > 40

    bench.looks = looks
    bench.run(3)
    assert bench.live.asked[1][PoseParam.MOUTH_RAISED_CORNER_LEFT] < 0.5
    assert bench.live.asked[2][PoseParam.MOUTH_RAISED_CORNER_LEFT] == 1
    assert bench.loop.tracked


def test_age_of_a_face_is_told_where_obs_takes_its_frame(bench: Bench) -> None:
    bench.faces.put(FaceFrame(t_ns=bench.clock.now_ns(), source="test", tracked=True))
    bench.run(2)
    bench.loop.lock_phase(bench.clock.now_ns() + 5_000_000, NS_PER_S // 60)
    told = bench.telemetry.latencies()
    assert told["face_to_obs"].count == 1
    assert told["face_to_obs"].max_ms == told["face_to_frame"].max_ms + 5
