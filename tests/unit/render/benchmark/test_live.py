"""What a display gets is counted beat by beat and compared at the moment that it shows."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import F32Array, Frame, FrameFlag, U8Array
from vtbridge.errors import InferenceError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.benchmark.live import SAMPLES, PosePath, judged, watch
from vtbridge.render.live.live_status import LiveStatus
from vtbridge.render.settings import Quality

FPS = 50.0
LATE_NS = 40_000_000


def grey_of(values: F32Array) -> U8Array:
    frame = np.full((16, 16, 4), 255, np.uint8)
    frame[..., :3] = round(200 * float(values[0]))
    return frame


class Display:
    """Shows each pose ``LATE_NS`` late, every other beat the same again; misses what it is told."""

    fps = FPS

    def __init__(self, clock: ManualClock, *, slow_every: int = 0, blind: bool = False) -> None:
        self._clock = clock
        self._slow_every = slow_every
        self._blind = blind
        self._poses: list[tuple[F32Array, int]] = []
        self._frame: Frame | None = None
        self.noted = (0, 0)

    def render(self, values: F32Array, t_ns: int) -> Frame | None:
        self._poses.append((values, t_ns))
        if self._slow_every and len(self._poses) % self._slow_every == 0:
            self._clock.advance(1.5 / FPS)
        if self._blind or len(self._poses) < 3:
            return None
        if self._frame is None or len(self._poses) % 2:
            shown, shown_ns = self._poses[-1 - round(LATE_NS / NS_PER_S * FPS)]
            self._frame = Frame(grey_of(shown), shown_ns)
            return self._frame
        return Frame(self._frame.rgba, self._frame.t_capture_ns, FrameFlag.REPEAT)

    def note_beats(self, beats: int, missed: int) -> None:
        self.noted = self.noted[0] + beats, self.noted[1] + missed

    def status(self) -> LiveStatus:
        return LiveStatus(
            runtime="scripted",
            quality=Quality.FAST,
            fps=FPS,
            fresh_fps=25.0,
            networks_ms=30.0,
            added_delay_ms=12.0,
            below_wanted=True,
            failing=self._blind,
            fallback=False,
            trouble="no networks" if self._blind else "",
        )


def swinging_path() -> PosePath:
    values = np.zeros((80, POSE_SIZE), np.float32)
    values[:, 0] = 0.1 + 0.6 * np.abs(np.linspace(-1, 1, 80))
    return PosePath(values, 20.0)


def silent(doing: str, done: int, total: int) -> None:
    """Hear how far it is."""


def test_beats_delay_and_changes_are_counted() -> None:
    clock = ManualClock()
    result, samples = watch(
        Display(clock), swinging_path(), fps=FPS, seconds=4, clock=clock, advanced=silent
    )
    assert result.beats == pytest.approx(200, abs=2)
    assert result.missed == 0
    assert result.shown_fps == pytest.approx(25, abs=0.5)
    assert result.delay_ms == pytest.approx(50, abs=0.2)  # every other one a beat older
    assert (result.fresh_fps, result.networks_ms, result.added_delay_ms) == (25, 30, 12)
    assert (result.quality, result.runtime) == ("fast", "scripted")
    assert len(samples) == SAMPLES


def test_missed_deadlines_are_counted_and_told_to_the_poser() -> None:
    clock = ManualClock()
    display = Display(clock, slow_every=10)
    result, _ = watch(display, swinging_path(), fps=FPS, seconds=4, clock=clock, advanced=silent)
    assert result.missed_percent == pytest.approx(10, abs=1)
    assert display.noted[1] == pytest.approx(0.1 * display.noted[0], abs=2)


def test_a_frame_is_compared_with_the_moment_that_it_shows() -> None:
    clock = ManualClock()
    _, samples = watch(
        Display(clock), swinging_path(), fps=FPS, seconds=4, clock=clock, advanced=silent
    )
    alike = judged(samples, grey_of)
    assert alike["box_psnr_db"] > 60
    late = judged(samples, lambda values: grey_of(values + np.float32(0.1)))
    assert late["box_psnr_db"] == pytest.approx(20 * np.log10(255 / 20), abs=0.3)
    assert late["worst_psnr_db"] <= late["box_psnr_db"]
    assert late["samples"] == SAMPLES


def test_showing_nothing_is_told_with_the_reason() -> None:
    clock = ManualClock()
    with pytest.raises(InferenceError, match="nothing was shown in 1 s: no networks"):
        watch(
            Display(clock, blind=True),
            swinging_path(),
            fps=FPS,
            seconds=1,
            clock=clock,
            advanced=silent,
        )


def test_between_recorded_poses_the_way_is_straight_and_the_path_loops() -> None:
    values = np.zeros((3, POSE_SIZE), np.float32)
    values[:, 0] = 0.0, 1.0, 0.5
    path = PosePath(values, 10.0)
    assert [round(float(path.at(t_s)[0]), 4) for t_s in (0, 0.05, 0.1, 0.15, 0.25, 0.3)] == [
        0.0,
        0.5,
        1.0,
        0.75,
        0.25,
        0.0,
    ]
    assert path.at(0.05).dtype == np.float32
