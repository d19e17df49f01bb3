"""The virtual camera shows the avatar before its background, and never disturbs the avatar."""

from __future__ import annotations

import builtins
import importlib.util
import logging
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.conftest import skip_loudly
from tests.support.daemon import wait_until
from tests.support.shown_avatar import drawing
from vtbridge.clock import MonotonicClock
from vtbridge.datatypes import Frame, U8Array
from vtbridge.errors import RuntimeUnavailable
from vtbridge.publish import virtual_camera
from vtbridge.publish.virtual_camera import VirtualCamera, open_pyvirtualcam, over

PATIENCE_S = 20.0
GREEN = np.full((48, 64, 3), (0, 255, 0), np.uint8)


class FakeCamera:
    """A device that keeps what it was sent and fails when it is told to."""

    device = "/dev/video42"

    def __init__(self) -> None:
        self.sent: list[U8Array] = []
        self.closed = 0
        self.gone = False
        self.hangs = threading.Event()
        self.goes_on = threading.Event()

    def send(self, frame: U8Array) -> None:
        if self.gone:
            raise RuntimeError("the device is gone")
        if self.hangs.is_set():
            self.goes_on.wait(PATIENCE_S)
        self.sent.append(frame.copy())

    def close(self) -> None:
        self.closed += 1


class Driver:
    """What opens cameras; it fails as long as there is a reason."""

    def __init__(self, *reasons: str) -> None:
        self.cameras: list[FakeCamera] = []
        self.attempts = 0
        self._reasons = list(reasons)

    def open(self) -> FakeCamera:
        self.attempts += 1
        if self._reasons:
            raise RuntimeUnavailable(self._reasons.pop(0))
        self.cameras.append(FakeCamera())
        return self.cameras[-1]


@pytest.fixture(autouse=True)
def _tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_camera, "RETRY_S", 0.01)


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def camera(driver: Driver) -> Iterator[VirtualCamera]:
    made = VirtualCamera(driver.open, GREEN, fps=200, clock=MonotonicClock())
    yield made
    for device in driver.cameras:
        device.goes_on.set()
    assert made.stop()
    assert made.failure is None


def opened(camera: VirtualCamera, driver: Driver) -> FakeCamera:
    camera.start()
    wait_until(lambda: bool(camera.device), PATIENCE_S, "the camera is open")
    return driver.cameras[-1]


def test_camera_shows_its_background_until_a_frame_comes(
    camera: VirtualCamera, driver: Driver
) -> None:
    device = opened(camera, driver)
    assert camera.device == "/dev/video42"
    wait_until(lambda: len(device.sent) >= 2, PATIENCE_S, "it sends")
    np.testing.assert_array_equal(device.sent[0], GREEN)
    camera.offer(Frame(drawing(3, 48, 48), 1))
    wait_until(lambda: (device.sent[-1] != GREEN).any(), PATIENCE_S, "the frame is shown")
    np.testing.assert_array_equal(device.sent[-1], over(drawing(3, 48, 48), GREEN))
    count = len(device.sent)
    wait_until(lambda: len(device.sent) > count + 2, PATIENCE_S, "it is sent again and again")
    assert (device.sent[-1] != GREEN).any()


def test_camera_that_hangs_never_holds_up_the_avatar(camera: VirtualCamera, driver: Driver) -> None:
    device = opened(camera, driver)
    device.hangs.set()
    sent = len(device.sent)
    for number in range(100):  # this would wait for ever
        camera.offer(Frame(drawing(number % 10, 32, 32), 1))
    device.hangs.clear()
    device.goes_on.set()
    newest = over(drawing(9, 32, 32), GREEN)
    wait_until(
        lambda: len(device.sent) > sent and np.array_equal(device.sent[-1], newest),
        PATIENCE_S,
        "the newest is shown",
    )


def test_camera_that_vanishes_is_opened_again(
    camera: VirtualCamera, driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    device = opened(camera, driver)
    with caplog.at_level(logging.WARNING):
        device.gone = True
        wait_until(lambda: len(driver.cameras) == 2, PATIENCE_S, "it is opened again")
    assert device.closed == 1
    assert "the device is gone" in caplog.text
    wait_until(lambda: bool(driver.cameras[1].sent), PATIENCE_S, "the new one is fed")
    assert camera.stop()
    assert [one.closed for one in driver.cameras] == [1, 1]


def test_same_trouble_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver("no driver", "no driver", "no driver", "busy")
    camera = VirtualCamera(driver.open, GREEN, fps=200, clock=MonotonicClock())
    with caplog.at_level(logging.WARNING):
        opened(camera, driver)
    assert camera.trouble == ""
    assert camera.stop()
    assert driver.attempts == 5
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage().partition(": ")[2] for record in told] == ["no driver", "busy"]


def test_frames_are_not_copied_while_there_is_no_camera(driver: Driver) -> None:
    camera = VirtualCamera(driver.open, GREEN, fps=200, clock=MonotonicClock())
    camera.offer(Frame(drawing(1), 1))
    assert camera._offered is None


def test_picture_is_blended_as_obs_does_it() -> None:
    background = np.random.default_rng(1).integers(0, 256, (48, 48, 3), np.uint8)
    picture = drawing(5, 48, 48)
    alpha = picture[..., 3:].astype(np.float64) / 255
    truth = picture[..., :3] + (1 - alpha) * background
    assert np.abs(over(picture, background) - truth).max() <= 1
    before = background.copy()
    over(picture, background)
    np.testing.assert_array_equal(background, before)


def test_character_stands_on_the_lower_edge_of_a_wide_picture() -> None:
    shown = over(np.full((32, 32, 4), 255, np.uint8), GREEN)
    assert (shown[:, 8:56] == 255).all()
    np.testing.assert_array_equal(shown[:, :8], GREEN[:, :8])
    np.testing.assert_array_equal(shown[:, 56:], GREEN[:, 56:])


def test_missing_package_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pyvirtualcam":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(RuntimeUnavailable, match=r"pip install vtbridge\[camera\]"):
        open_pyvirtualcam(64, 48, 30, "")


@pytest.mark.parametrize(("platform", "remedy"), [("linux", "v4l2loopback"), ("win32", "OBS 30")])
def test_missing_driver_is_told_with_the_systems_remedy(
    platform: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object, **more: object) -> None:
        raise RuntimeError("'obs' backend:\nno device")

    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=fail))
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(RuntimeUnavailable, match=f"'obs' backend: no device .*{remedy}"):
        open_pyvirtualcam(64, 48, 30, "")


def test_package_is_asked_for_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[tuple[object, ...], dict[str, object]]] = []

    def open_it(*given: object, **more: object) -> FakeCamera:
        asked.append((given, more))
        return FakeCamera()

    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=open_it))
    for device in ("", "/dev/video9"):
        open_pyvirtualcam(64, 48, 30, device)
    assert asked == [((64, 48, 30), {"device": None}), ((64, 48, 30), {"device": "/dev/video9"})]


def test_real_package_without_that_device_says_so() -> None:
    if importlib.util.find_spec("pyvirtualcam") is None:
        skip_loudly("pyvirtualcam is not installed (the extra camera)")
    with pytest.raises(RuntimeUnavailable, match=r"backend: .* \("):
        open_pyvirtualcam(64, 48, 30, "/dev/video-that-nobody-has")
