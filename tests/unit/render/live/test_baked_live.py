"""A prepared character on the display's own thread."""

from __future__ import annotations

import numpy as np

from tests.support.baking import picture_of
from tests.support.recording_runtime import pose
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import F32Array, FrameFlag, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render.live.baked_live import BakedLive
from vtbridge.render.poser import Poser
from vtbridge.render.settings import Quality
from vtbridge.telemetry import Telemetry

FPS = 60.0


class StandInPoser:
    size = 512
    repeated = False

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.cost_s = 0.008
        self.fails = False
        self.closed = 0
        self._last = b""

    def describe(self) -> str:
        return "baked 36.5 dB CPU"

    def render(self, values: F32Array) -> U8Array:
        if self.fails:
            raise InferenceError("not finite")
        self.repeated = values.tobytes() == self._last
        self._last = values.tobytes()
        if not self.repeated:
            self.clock.advance(self.cost_s)
        return np.full((512, 512, 4), int(100 * values.max()), np.uint8)

    def close(self) -> None:
        self.closed += 1


class Stage:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.poser = StandInPoser(self.clock)
        poser: Poser = self.poser  # type: ignore[assignment]  # as much of one as is asked
        self.telemetry = Telemetry(self.clock)
        self.live = BakedLive(
            poser, picture_of(), fps=FPS, clock=self.clock, telemetry=self.telemetry
        )

    def run(self, seconds: float, *, missed_share: float = 0.0) -> None:
        """Let beats go by."""
        end_ns = self.clock.now_ns() + round(seconds * NS_PER_S)
        beat = 0
        while self.clock.now_ns() < end_ns:
            beat += 1
            next_ns = self.clock.now_ns() + round(NS_PER_S / self.live.fps)
            self.live.render(pose(mouth_aaa=beat % 90 / 100), next_ns)
            self.clock.sleep_until(next_ns)
            self.live.note_beats(1, int(beat % 10 < 10 * missed_share))


def test_each_beat_shows_its_own_pose_at_once() -> None:
    stage = Stage()
    for value in (0.2, 0.5):
        frame = stage.live.render(pose(mouth_aaa=value), 77)
        assert frame is not None
        assert frame.rgba.max() == round(100 * value)
        assert (frame.t_capture_ns, frame.flags) == (77, FrameFlag.NONE)


def test_a_pose_at_rest_is_told_as_a_repeat() -> None:
    stage = Stage()
    stage.live.render(pose(mouth_aaa=0.2), 1)
    frame = stage.live.render(pose(mouth_aaa=0.2), 2)
    assert frame is not None
    assert (frame.t_capture_ns, frame.flags) == (2, FrameFlag.REPEAT)


def test_status_tells_what_it_costs_and_how_often() -> None:
    stage = Stage()
    stage.run(3)
    status = stage.live.status()
    assert status.quality is Quality.BAKED
    assert status.runtime == "baked 36.5 dB CPU"
    assert (status.fps, status.networks_ms, status.added_delay_ms) == (60.0, 8.0, 0.0)
    assert 55 <= status.fresh_fps <= 61
    assert not status.below_wanted
    assert not status.failing


def test_a_machine_that_misses_beats_is_given_half_of_them_and_later_all_again() -> None:
    stage = Stage()
    told = []
    for seconds, missed_share in ((3, 0.0), (8, 0.3), (60, 0.0)):
        stage.run(seconds, missed_share=missed_share)
        told.append((stage.live.fps, stage.live.status().below_wanted))
    assert told == [(60.0, False), (30.0, True), (60.0, False)]
    assert stage.telemetry.counters()["render.governor.late"] == 1


def test_a_frame_that_fails_leaves_the_last_one_and_says_so() -> None:
    stage = Stage()
    first = stage.live.render(pose(mouth_aaa=0.2), 1)
    stage.poser.fails = True
    frames = [stage.live.render(pose(mouth_aaa=0.5), 2) for _ in range(2)]
    assert first is not None
    for frame in frames:
        assert frame is not None
        assert frame.rgba is first.rgba
        assert (frame.t_capture_ns, frame.flags) == (1, FrameFlag.REPEAT)
    assert (stage.live.status().failing, stage.live.status().trouble) == (True, "not finite")
    assert stage.telemetry.counters()["render.failed"] == 2
    stage.poser.fails = False
    stage.live.render(pose(mouth_aaa=0.5), 3)
    assert not stage.live.status().failing


def test_before_any_frame_the_still_picture_stands_in() -> None:
    stage = Stage()
    stage.poser.fails = True
    frame = stage.live.render(pose(), 5)
    assert frame is not None
    assert FrameFlag.PLACEHOLDER in frame.flags
    assert frame.rgba.shape == (512, 512, 4)


def test_another_quality_changes_nothing_and_closing_gives_the_model_back() -> None:
    stage = Stage()
    stage.live.set_quality(Quality.EXACT)
    assert stage.live.status().quality is Quality.BAKED
    stage.live.close()
    assert stage.poser.closed == 1
