"""A webcam behind OpenCV: opened with the size asked for, its trouble told with a remedy."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol

import numpy as np

from vtbridge.datatypes import U8Array
from vtbridge.errors import VtbridgeError

_PLAIN_WIDTH = 640
"""Up to here cameras send plain pictures at full rate; more needs their MJPEG over USB 2."""


class Camera(Protocol):
    """An open webcam; ``close`` is called exactly once."""

    def read(self) -> U8Array | None:
        """Wait for the next picture, uint8 [H, W, 3] RGB; None if the camera is gone."""

    def close(self) -> None:
        """Give the camera back."""


class OpenCvCamera:
    """A webcam by its number; see ``open_camera``."""

    def __init__(self, number: int, fps: float, width: int) -> None:
        import cv2

        self._capture = cv2.VideoCapture(number, _backend())
        if not self._capture.isOpened():
            self._capture.release()
            raise VtbridgeError(_cannot_be_opened(number))
        if width > _PLAIN_WIDTH:
            mjpeg = cv2.VideoWriter.fourcc(*"MJPG")
            self._capture.set(cv2.CAP_PROP_FOURCC, mjpeg)
        height = width * 3 // 4 if width <= _PLAIN_WIDTH else width * 9 // 16
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self._capture.set(cv2.CAP_PROP_FPS, fps)
        # Pictures that wait in the driver are delay; where this is unknown, it changes nothing.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def read(self) -> U8Array | None:
        """Wait for the next picture; None if the camera is gone."""
        import cv2

        worked, bgr = self._capture.read()
        if not worked or bgr is None:
            return None
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)

    def close(self) -> None:
        """Give the camera back."""
        self._capture.release()


def open_camera(number: int, fps: float, width: int) -> Camera:
    """Open a webcam; it gives the nearest size and rate that it has.

    Args:
        number: 0 is the first.
        fps: pictures a second to ask for.
        width: pixels to ask for.

    Raises:
        VtbridgeError: it is not there, forbidden or taken; the message tells the remedy.
    """
    if sys.platform == "linux":
        _check_device_file(number)
    return OpenCvCamera(number, fps, width)


def device_files() -> list[Path]:
    """Return the webcams that Linux knows, ``/dev/video0`` and so on."""
    return sorted(Path("/dev").glob("video[0-9]*"), key=lambda path: (len(path.name), path.name))


def _check_device_file(number: int) -> None:
    """Tell apart what OpenCV does not, and keep it from complaining on the terminal."""
    path = Path(f"/dev/video{number}")
    if not path.exists():
        there = ", ".join(each.name.removeprefix("video") for each in device_files())
        raise VtbridgeError(
            f"there is no webcam {number} ({path}): plug it in, or set tracking.webcam.device "
            + (f"to one of {there}" if there else "to a video file; this computer has no webcam")
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise VtbridgeError(
            f"webcam {number} may not be opened: {path} is for the group `video`; run "
            "`sudo usermod -aG video $USER` and log in again"
        )


def _backend() -> int:
    """Return the operating system's own API, which opens faster and keeps the order stable."""
    import cv2

    match sys.platform:
        case "linux":
            return cv2.CAP_V4L2
        case "darwin":
            return cv2.CAP_AVFOUNDATION
        case "win32":
            return cv2.CAP_DSHOW
        case _:
            return cv2.CAP_ANY


def _cannot_be_opened(number: int) -> str:
    allowed = ", allow vtbridge's terminal the camera in the system's privacy settings"
    return (
        f"webcam {number} cannot be opened: end other programs that use it"
        f"{'' if sys.platform == 'linux' else allowed}, or set tracking.webcam.device to another"
    )
