"""The webcam's thread keeps time, drops what is late, and survives what goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.small_videos import grey_index, grey_picture, write_video
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import FaceFrame, U8Array
from vtbridge.errors import VtbridgeError, WeightsError
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.settings import WebcamSettings
from vtbridge.tracking.source_status import SourceState
from vtbridge.tracking.webcam.source import WebcamSource, place_of, source_name
from vtbridge.tracking.webcam.tracker import FaceTracker

FPS = 25
COUNT = 8
FRAME_NS = NS_PER_S // FPS
PATIENCE_S = 60.0


class GreyTracker(FaceTracker):
    """Tells the picture's number as the jaw's opening; number 0 has no face."""

    def __init__(self, during: Callable[[int], object] = lambda index: None) -> None:
        self.resets = 0
        self._during = during

    def reset(self) -> None:
        self.resets += 1

    def track(self, rgb: U8Array, t_ns: int, source: str = "webcam") -> FaceFrame:
        index = grey_index(rgb)
        self._during(index)
        return FaceFrame(t_ns, source, tracked=index > 0, blendshapes={"jawOpen": index / 100})


def index_of(face: FaceFrame) -> int:
    return round(face.blendshapes["jawOpen"] * 100)


class FakeCamera:
    """Gives the pictures it was made with, then says that it is gone."""

    def __init__(self, clock: ManualClock, pictures: list[U8Array]) -> None:
        self.closed = 0
        self._clock = clock
        self._pictures = list(pictures)

    def read(self) -> U8Array | None:
        self._clock.advance(1 / FPS)
        return self._pictures.pop(0) if self._pictures else None

    def close(self) -> None:
        self.closed += 1


class Bench:
    """A source, its clock, and what came out of it."""

    def __init__(
        self,
        settings: WebcamSettings,
        open_tracker: Callable[[], FaceTracker] = GreyTracker,
        open_camera: Callable[[int, float, int], FakeCamera] | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.telemetry = Telemetry(self.clock)
        self.faces: list[FaceFrame] = []
        self.on_face: Callable[[FaceFrame], object] = lambda face: None
        more = {} if open_camera is None else {"open_camera": open_camera}
        self.source = WebcamSource(
            settings,
            open_tracker,
            self._take,
            self.telemetry,
            self.clock,
            first_retry_s=0.0,
            **more,
        )

    def _take(self, face: FaceFrame) -> None:
        self.faces.append(face)
        self.on_face(face)

    def stop_after(self, faces: int) -> None:
        self.on_face = lambda face: len(self.faces) >= faces and self.source.stop()

    @property
    def indices(self) -> list[int]:
        return [index_of(face) for face in self.faces]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "me.mp4", [grey_picture(i) for i in range(COUNT)], fps=FPS)


def test_video_plays_once_at_its_own_rate(clip: Path) -> None:
    bench = Bench(WebcamSettings(device=str(clip), loop=False))
    start_ns = bench.clock.now_ns()
    bench.source.serve()
    assert bench.indices == list(range(COUNT))
    assert [face.t_ns - start_ns for face in bench.faces] == [i * FRAME_NS for i in range(COUNT)]
    assert {face.source for face in bench.faces} == {"webcam:me.mp4"}
    assert bench.clock.now_ns() - start_ns == COUNT * FRAME_NS
    assert bench.telemetry.counters() == {
        "tracking.webcam.pictures": COUNT,
        "tracking.webcam.no_face": 1,
    }


def test_looped_video_goes_on_without_a_gap(clip: Path) -> None:
    tracker = GreyTracker()
    bench = Bench(WebcamSettings(device=str(clip)), lambda: tracker)
    bench.stop_after(2 * COUNT + 3)
    start_ns = bench.clock.now_ns()
    bench.source.serve()
    assert bench.indices == [*range(COUNT), *range(COUNT), 0, 1, 2]
    assert [face.t_ns - start_ns for face in bench.faces] == [
        i * FRAME_NS for i in range(2 * COUNT + 3)
    ]
    assert tracker.resets == 1


@pytest.mark.parametrize(("fps", "expected"), [(12.5, [0, 2, 4, 6]), (6.25, [0, 4])])
def test_more_pictures_than_wanted_are_left_out(
    clip: Path, fps: float, expected: list[int]
) -> None:
    bench = Bench(WebcamSettings(device=str(clip), loop=False, fps=fps))
    bench.source.serve()
    assert bench.indices == expected


def test_slow_tracker_drops_pictures_and_keeps_the_time(clip: Path) -> None:
    clock = ManualClock()
    tracker = GreyTracker(lambda index: clock.advance(2.5 / FPS))
    bench = Bench(WebcamSettings(device=str(clip), loop=False), lambda: tracker, clock=clock)
    start_ns = clock.now_ns()
    bench.source.serve()
    assert bench.indices[0] == 0
    assert len(bench.faces) < COUNT / 2 + 1
    for face in bench.faces:
        # Never shown early, and late by less than a picture.
        assert 0 <= face.t_ns - start_ns - index_of(face) * FRAME_NS <= FRAME_NS
    dropped = bench.telemetry.counters()["tracking.webcam.dropped"]
    assert dropped == COUNT - len(bench.faces)


def test_status_follows_the_video(clip: Path) -> None:
    bench = Bench(WebcamSettings(device=str(clip), loop=False))
    states = []
    bench.on_face = lambda face: states.append(bench.source.status().state)
    assert bench.source.status().state is SourceState.WAITING
    bench.source.serve()
    assert states == [SourceState.NO_FACE, *[SourceState.LIVE] * (COUNT - 1)]
    status = bench.source.status()
    assert status.fps == pytest.approx(FPS)
    assert status.jitter_ms == pytest.approx(0.0, abs=1e-6)
    bench.clock.advance(3.0)
    status = bench.source.status()
    assert status.state is SourceState.SILENT
    assert (status.fps, status.jitter_ms) == (0.0, 0.0)
    assert (status.source, status.place, status.packets) == ("webcam:me.mp4", "me.mp4", COUNT)
    assert status.last_ns == bench.faces[-1].t_ns
    assert status.face == bench.faces[-1]
    assert status.trouble is None


def test_missing_video_is_told_and_tried_again(tmp_path: Path, clip: Path) -> None:
    late = tmp_path / "late.mp4"
    bench = Bench(WebcamSettings(device=str(late), loop=False))
    told = []

    def open_tracker() -> FaceTracker:
        return GreyTracker(lambda index: told.append(bench.source.status().trouble))

    tries = []

    def reset() -> None:
        tries.append(bench.source.status())
        if len(tries) == 3:
            clip.rename(late)

    tracker = open_tracker()
    tracker.reset = reset  # type: ignore[method-assign]
    bench.source._open_tracker = lambda: tracker
    bench.source.serve()
    assert tries[1].state is SourceState.BLOCKED
    assert "late.mp4 does not exist: check the path" in str(tries[1].trouble)
    assert bench.indices == list(range(COUNT))
    assert told == [None] * COUNT


def test_missing_model_is_told_until_it_is_pulled(clip: Path) -> None:
    tries: list[str | None] = []

    def open_tracker() -> FaceTracker:
        tries.append(bench.source.status().trouble)
        if len(tries) < 3:
            raise WeightsError("run `vtbridge weights pull face-landmarker`")
        return GreyTracker()

    bench = Bench(WebcamSettings(device=str(clip), loop=False), open_tracker)
    bench.source.serve()
    remedy = "run `vtbridge weights pull face-landmarker`"
    assert tries == [None, remedy, remedy]
    assert bench.indices == list(range(COUNT))
    assert bench.source.status().trouble is None


def test_trouble_is_logged_once(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    tries = []

    def open_tracker() -> FaceTracker:
        tries.append(1)
        if len(tries) < 9:
            raise WeightsError("the model is missing")
        return GreyTracker()

    bench = Bench(WebcamSettings(device=str(clip), loop=False), open_tracker)
    bench.source.serve()
    assert [r.message for r in caplog.records if r.levelname == "WARNING"] == [
        "the model is missing (tried again in the background)"
    ]


def infos(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "INFO"]


def test_video_is_introduced_with_its_size_and_rate(
    clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "vtbridge")
    height, width, _ = grey_picture(0).shape
    Bench(WebcamSettings(device=str(clip), loop=False)).source.serve()
    assert infos(caplog) == ["opening me.mp4", f"me.mp4: {width}x{height} at {FPS} fps"]


def test_camera_is_introduced_once_with_the_size_and_rate_that_it_really_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "vtbridge")
    clock = ManualClock()
    rgb = grey_picture(1)
    height, width, _ = rgb.shape

    class EndlessCamera(FakeCamera):
        def read(self) -> U8Array | None:
            self._pictures.append(rgb)
            return super().read()

    settings = WebcamSettings(device=0, fps=10, width=1280)
    camera = EndlessCamera(clock, [])
    bench = Bench(settings, open_camera=lambda *_: camera, clock=clock)
    bench.stop_after(50)  # at most ten a second
    bench.source.serve()
    assert infos(caplog) == ["opening webcam 0", f"webcam 0: {width}x{height} at {FPS} fps"]


def test_camera_that_is_missing_is_opened_in_the_log_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "vtbridge")
    tries = []

    def open_camera(number: int, fps: float, width: int) -> FakeCamera:
        tries.append(number)
        if len(tries) == 5:
            bench.source.stop()
        raise VtbridgeError("there is no webcam 0: plug it in")

    bench = Bench(WebcamSettings(device=0), open_camera=open_camera)
    bench.source.serve()
    assert infos(caplog) == ["opening webcam 0"]


def test_camera_is_asked_for_what_the_settings_say() -> None:
    clock = ManualClock()
    asked = []

    def open_camera(number: int, fps: float, width: int) -> FakeCamera:
        asked.append((number, fps, width))
        return FakeCamera(clock, [grey_picture(i) for i in range(COUNT)] * 50)

    settings = WebcamSettings(device=2, fps=FPS, width=1280)
    bench = Bench(settings, open_camera=open_camera, clock=clock)
    bench.stop_after(1)
    bench.source.serve()
    assert asked == [(2, FPS, 1280)]
    assert bench.faces[0].source == "webcam:2"


def test_unplugged_camera_is_told_given_back_and_opened_again() -> None:
    clock = ManualClock()
    cameras: list[FakeCamera] = []
    troubles = []

    def open_camera(number: int, fps: float, width: int) -> FakeCamera:
        troubles.append(bench.source.status().trouble)
        if len(cameras) == 1 and len(troubles) == 2:
            raise VtbridgeError("there is no webcam 0: plug it in")
        cameras.append(FakeCamera(clock, [grey_picture(3 + len(cameras))]))
        return cameras[-1]

    bench = Bench(WebcamSettings(device=0), open_camera=open_camera, clock=clock)
    bench.stop_after(2)
    bench.source.serve()
    assert bench.indices == [3, 4]
    assert troubles[0] is None
    assert "webcam 0 gives no more pictures: plug it in again" in str(troubles[1])
    assert troubles[2] == "there is no webcam 0: plug it in"
    assert [camera.closed for camera in cameras] == [1, 1]


def test_only_the_newest_picture_of_a_camera_is_tracked() -> None:
    clock = ManualClock()
    read_all = threading.Event()

    class Camera(FakeCamera):
        def read(self) -> U8Array | None:
            rgb = super().read()
            if not self._pictures:
                read_all.set()
            return rgb

    # While the first picture is tracked, the camera gives all the others.
    tracker = GreyTracker(lambda index: read_all.wait(PATIENCE_S))
    bench = Bench(
        WebcamSettings(device=0, fps=120),
        lambda: tracker,
        lambda *_: Camera(clock, [grey_picture(i) for i in range(1, 9)]),
        clock,
    )
    bench.on_face = lambda face: index_of(face) == 8 and bench.source.stop()
    bench.source.serve()
    assert bench.indices[-1] == 8
    assert len(bench.faces) <= 2
    assert bench.telemetry.counters()["tracking.webcam.dropped"] >= 6


def test_stopping_ends_the_thread_while_a_long_picture_is_shown(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "slow.mkv", [grey_picture(1), grey_picture(2)], times=[0.0, 1000.0]
    )

    class StuckClock(ManualClock):
        def sleep_until(self, t_ns: int) -> None:
            bench.source.stopping.wait(0.01)  # time stands still

    bench = Bench(WebcamSettings(device=str(path)), clock=StuckClock())
    first = threading.Event()
    bench.on_face = lambda face: first.set()
    bench.source.start()
    assert first.wait(PATIENCE_S)
    assert bench.source.stop(timeout_s=PATIENCE_S)
    assert bench.source.failure is None
    assert bench.indices == [1]


def test_devices_have_names_without_folders() -> None:
    assert source_name(0) == source_name("0") == "webcam:0"
    assert place_of("1") == "webcam 1"
    assert source_name("/home/me/clips/me.mp4") == "webcam:me.mp4"
    assert place_of("/home/me/clips/me.mp4") == "me.mp4"
