"""The daemon opens its inputs without holding anything else up, and leaves none behind."""

from __future__ import annotations

import asyncio
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest

from tests.support.blank_frames import BlankFrames
from vtbridge.app import opened_character
from vtbridge.app.daemon import Daemon
from vtbridge.app.status import RunSummary
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import F32Array, FaceFrame, Frame, Picture, U8Array, read_only
from vtbridge.errors import PortInUse
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import Inputs

PATIENCE_S = 20.0
PICTURE = Picture(read_only(np.zeros((8, 8, 4), np.uint8)), "nobody", "0" * 64)


class Input(ThreadService):
    """Notes what becomes of it."""

    def __init__(self) -> None:
        super().__init__("input")
        self.served = False

    def serve(self) -> None:
        self.served = True
        self.stopping.wait()


class SlowSources:
    """Inputs that are not open before someone lets them, as with a port that is taken."""

    def __init__(self, trouble: PortInUse | None = None) -> None:
        self.begun = threading.Event()
        self.may_open = threading.Event()
        self.input = Input()
        self._trouble = trouble

    def __call__(self, faces: LatestSlot[FaceFrame], telemetry: Telemetry, clock: Clock) -> Inputs:
        self.begun.set()
        assert self.may_open.wait(PATIENCE_S), "nothing else went on meanwhile"
        if self._trouble is not None:
            raise self._trouble
        inputs = Inputs()
        inputs.add(self.input)
        return inputs

    async def opening(self) -> None:
        """Return while they are being opened."""
        while not self.begun.is_set():
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def no_networks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(opened_character, "open_live_poser", lambda *_, **__: BlankFrames())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def daemon_of(sources: SlowSources, **publish: object) -> Daemon:
    name = f"t{uuid.uuid4().hex[:8]}"
    config = Config.model_validate(
        {
            "publish": {"name": name, "media_enabled": False, **publish},
            "control": {"http_port": 0, "osc_enabled": False},
        }
    )
    return Daemon(config, PICTURE, sources, keep_calibration=False)


def test_daemon_goes_on_while_its_inputs_wait_for_a_port() -> None:
    sources = SlowSources()

    async def run() -> RunSummary:
        running = asyncio.create_task(daemon_of(sources).run(seconds=0.0))
        await sources.opening()
        sources.may_open.set()  # by the same loop, which therefore is not held up
        return await running

    assert asyncio.run(run()).runtime == "blank"
    assert sources.input.served
    assert not sources.input.alive


@pytest.mark.parametrize("trouble", [None, PortInUse("taken")])
def test_inputs_that_open_after_the_end_are_closed(trouble: PortInUse | None) -> None:
    sources = SlowSources(trouble)

    async def run() -> None:
        running = asyncio.create_task(daemon_of(sources).run())
        await sources.opening()
        running.cancel()
        asyncio.get_running_loop().call_later(0.01, sources.may_open.set)
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert not sources.input.served
    assert sources.input.stopping.is_set() is (trouble is None)


def test_trouble_with_the_inputs_ends_the_run() -> None:
    sources = SlowSources(PortInUse("taken"))
    sources.may_open.set()
    with pytest.raises(PortInUse, match="taken"):
        asyncio.run(daemon_of(sources).run())


def test_camera_shows_what_the_avatar_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    class WhiteFrames(BlankFrames):
        def render(self, values: F32Array, t_ns: int) -> Frame:
            return Frame(np.full((8, 8, 4), 255, np.uint8), t_ns)

    class Camera:
        device = "nowhere"
        shown = threading.Event()
        closed = False

        def send(self, frame: U8Array) -> None:
            assert frame.shape == (16, 32, 3)
            if (frame[:, 8:24] == 255).all() and not frame[:, :8].any():
                self.shown.set()

        def close(self) -> None:
            self.closed = True

    camera, sources = Camera(), SlowSources()
    sources.may_open.set()
    monkeypatch.setattr(opened_character, "open_live_poser", lambda *_, **__: WhiteFrames())
    monkeypatch.setattr("vtbridge.app.camera.open_pyvirtualcam", lambda *_: camera)
    settings = {"camera_width": 32, "camera_height": 16, "camera_background": "#000"}
    daemon = daemon_of(sources, camera=True, **settings)

    async def run() -> None:
        running = asyncio.create_task(daemon.run(seconds=PATIENCE_S))
        while not (camera.shown.is_set() or running.done()):
            await asyncio.sleep(0.01)
        daemon._stop.set()
        await running

    asyncio.run(run())
    assert camera.shown.is_set()
    assert camera.closed
