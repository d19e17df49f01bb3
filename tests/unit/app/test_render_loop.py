from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vtbridge.app.render_loop import RenderLoop
from vtbridge.clock import MonotonicClock
from vtbridge.datatypes import (
    F32Array,
    FaceFrame,
    Frame,
    FrameFlag,
    HeadPose,
    Picture,
    U8Array,
    read_only,
)
from vtbridge.errors import InferenceError
from vtbridge.expressions.idle import IdleMotion
from vtbridge.expressions.settings import IdleSettings
from vtbridge.flow.slot import LatestSlot
from vtbridge.pose_params import PoseParam
from vtbridge.publish.vtbf import FrameWriter
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.telemetry import Telemetry

PICTURE = Picture(read_only(np.zeros((8, 8, 4), np.uint8)), "nobody", "0" * 64)
FPS = 200.0


class PaintedPoser:
    """Paints every pixel with the number of its frame; fails when told to."""

    def __init__(self, fails: Callable[[int], bool] = lambda _: False) -> None:
        self.fails = fails
        self.asked: list[F32Array] = []
        self.closed = False
        self.repeated = False

    def describe(self) -> str:
        return "paint"

    def set_picture(self, picture: Picture) -> None:
        assert picture is PICTURE

    def render(self, values: F32Array) -> U8Array:
        self.asked.append(values.copy())
        if self.fails(len(self.asked)):
            raise InferenceError("the paint ran out")
        return np.full((8, 8, 4), len(self.asked) % 256, np.uint8)

    def render_float(self, values: F32Array) -> F32Array:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


class Bench:
    """A render loop on real parts, but for the poser."""

    def __init__(self, folder: Path, *posers: PaintedPoser) -> None:
        self.faces: LatestSlot[FaceFrame] = LatestSlot(history=64)
        self.frames: list[tuple[int, FrameFlag]] = []
        self.telemetry = Telemetry()
        waiting = list(posers)
        self.writer = FrameWriter.open("loop", max_width=8, max_height=8, directory=folder)
        self.loop = RenderLoop(
            open_poser=lambda: waiting.pop(0),
            picture=PICTURE,
            retargeter=Retargeter(RetargetSettings()),
            idle=IdleMotion(IdleSettings(), seed=1),
            faces=self.faces,
            writer=self.writer,
            sinks=[self.see],
            fps=FPS,
            clock=MonotonicClock(),
            telemetry=self.telemetry,
        )

    def see(self, frame: Frame) -> None:
        self.frames.append((int(frame.rgba[0, 0, 0]), frame.flags))

    def run_until(self, condition: Callable[[], bool]) -> None:
        self.loop.start()
        deadline = time.monotonic() + 20
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert self.loop.stop(timeout_s=10)
        self.writer.close()
        assert condition()


def test_failed_frame_repeats_the_last_one_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PaintedPoser(fails=lambda n: n == 4))
    bench.run_until(lambda: len(bench.frames) >= 6)
    numbers = [number for number, _ in bench.frames[:6]]
    assert numbers == [1, 2, 3, 3, 5, 6]
    repeated = [bool(flags & FrameFlag.REPEAT) for _, flags in bench.frames[:6]]
    assert repeated == [False, False, False, True, False, False]
    assert bench.loop.failure is None


def test_poser_that_keeps_failing_is_made_anew(tmp_path: Path) -> None:
    broken, sound = PaintedPoser(fails=lambda n: n > 2), PaintedPoser()
    bench = Bench(tmp_path, broken, sound)
    bench.run_until(lambda: len(sound.asked) >= 3)
    assert broken.closed
    assert len(broken.asked) == 5, "two frames, then three failures"
    assert [number for number, _ in bench.frames[:6]] == [1, 2, 2, 2, 2, 1]
    assert bench.telemetry.counters()["render.rebuilt"] == 1


def test_poser_that_never_recovers_ends_the_loop_with_its_error(tmp_path: Path) -> None:
    posers = [PaintedPoser(fails=lambda _: True) for _ in range(10)]
    bench = Bench(tmp_path, *posers)
    bench.run_until(lambda: bench.loop.failure is not None)
    assert isinstance(bench.loop.failure, InferenceError)
    assert bench.frames == [], "nothing was ever shown"
    assert all(poser.closed for poser in posers if poser.asked)


def test_every_face_between_two_beats_is_used(tmp_path: Path) -> None:
    poser = PaintedPoser()
    bench = Bench(tmp_path, poser)
    now_ns = MonotonicClock().now_ns()
    for age in range(60, 0, -1):  # a second of a phone's faces; the blink is not the newest
        blink = 1.0 if age in {2, 3, 4} else 0.0
        bench.faces.put(
            FaceFrame(
                now_ns - age * 16_000_000,
                blendshapes={"eyeBlinkLeft": blink, "eyeBlinkRight": blink},
                head=HeadPose(),
            )
        )
    bench.run_until(lambda: len(poser.asked) >= 1)
    assert poser.asked[0][PoseParam.EYE_WINK_LEFT] > 0.5, "the blink between was not lost"


def test_command_runs_on_the_render_thread_before_the_next_frame(tmp_path: Path) -> None:
    poser = PaintedPoser()
    bench = Bench(tmp_path, poser)
    asked_then: list[int] = []
    bench.loop.submit(lambda: asked_then.append(len(poser.asked)))
    bench.run_until(lambda: len(bench.frames) >= 2)
    assert asked_then == [0]


def test_silent_tracker_is_flagged_in_every_frame(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PaintedPoser())
    bench.run_until(lambda: len(bench.frames) >= 3)
    assert all(flags & FrameFlag.TRACKER_LOST for _, flags in bench.frames)


@pytest.fixture(autouse=True)
def _leave_nothing(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.glob("vtbf-*"))
