"""A webcam is asked for what the settings want, and its trouble is told with a remedy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from vtbridge.datatypes import U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.webcam import camera
from vtbridge.tracking.webcam.camera import OpenCvCamera, open_camera


class FakeCapture:
    """What ``cv2.VideoCapture`` is used for."""

    opens = True
    picture: U8Array | None = None
    made: ClassVar[list[FakeCapture]] = []

    def __init__(self, number: int, backend: int) -> None:
        self.number = number
        self.asked: dict[int, float] = {}
        self.released = 0
        self.made.append(self)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opens

    def set(self, key: int, value: float) -> bool:
        self.asked[key] = value
        return True

    def read(self) -> tuple[bool, U8Array | None]:
        return self.picture is not None, self.picture

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> type[FakeCapture]:
    class Capture(FakeCapture):
        made: ClassVar[list[FakeCapture]] = []

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    return Capture


@pytest.mark.parametrize(
    ("width", "height", "mjpeg"), [(640, 480, False), (1280, 720, True), (320, 240, False)]
)
def test_size_and_rate_are_asked_for(
    capture: type[FakeCapture], width: int, height: int, mjpeg: bool
) -> None:
    OpenCvCamera(3, 30.0, width)
    (made,) = capture.made
    assert made.number == 3
    assert made.asked[cv2.CAP_PROP_FRAME_WIDTH] == width
    assert made.asked[cv2.CAP_PROP_FRAME_HEIGHT] == height
    assert made.asked[cv2.CAP_PROP_FPS] == 30.0
    # A camera's plain pictures of more than 640x480 do not fit through USB 2 at 30 fps.
    assert (cv2.CAP_PROP_FOURCC in made.asked) == mjpeg


def test_pictures_are_rgb_and_none_once_the_camera_is_gone(capture: type[FakeCapture]) -> None:
    opened = OpenCvCamera(0, 30.0, 640)
    capture.picture = np.full((2, 3, 3), (10, 20, 30), np.uint8)
    rgb = opened.read()
    assert rgb is not None
    assert rgb[0, 0].tolist() == [30, 20, 10]
    capture.picture = None
    assert opened.read() is None
    opened.close()
    assert capture.made[0].released == 1


def test_taken_camera_is_given_back_and_named(capture: type[FakeCapture]) -> None:
    capture.opens = False
    with pytest.raises(VtbridgeError, match=r"webcam 2 cannot be opened: end other programs"):
        OpenCvCamera(2, 30.0, 640)
    assert capture.made[0].released == 1


@pytest.mark.skipif(sys.platform != "linux", reason="device files are Linux's")
def test_absent_camera_names_the_ones_there_are(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(camera, "device_files", lambda: [Path("/dev/video0"), Path("/dev/video4")])
    with pytest.raises(VtbridgeError, match=r"no webcam 987 .*to one of 0, 4"):
        open_camera(987, 30.0, 640)
    monkeypatch.setattr(camera, "device_files", list)
    with pytest.raises(VtbridgeError, match="this computer has no webcam"):
        open_camera(987, 30.0, 640)
    assert capfd.readouterr() == ("", "")  # OpenCV itself would write to the terminal
