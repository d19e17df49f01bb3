"""The avatar as a webcam of this computer, before a background: for calls and browsers.

A sink of the daemon and no reader of the segment, so that it is there on systems that have no
segments yet. Its thread only ever sees a copy of the newest frame: a camera that hangs, fails
or vanishes costs the camera alone, and is opened again once it can be.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from vtbridge.clock import Clock
from vtbridge.datatypes import Frame, U8Array
from vtbridge.errors import RuntimeUnavailable
from vtbridge.flow.pacer import Pacer
from vtbridge.flow.service import ThreadService
from vtbridge.publish.fitting import place_in, scaled
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

RETRY_S = 5.0
"""Between attempts to open a camera that is not there."""


class Camera(Protocol):
    """A virtual camera that is open; pyvirtualcam's are like this."""

    @property
    def device(self) -> str:
        """What other programs know it by."""

    def send(self, frame: U8Array) -> None:
        """Show uint8 [H, W, 3] RGB; raises anything if it cannot."""

    def close(self) -> None:
        """Give the device back; called exactly once."""


OpenCamera = Callable[[], Camera]


class VirtualCamera(ThreadService):
    """Send the newest frame to a virtual camera at a steady rate.

    Attributes:
        device: what other programs know the camera by, empty while it is not open.
        trouble: why it is not open, empty while it is, or before the first attempt.

    Args:
        open_camera: opens it; called again after each failure.
        background: uint8 [H, W, 3] sRGB; its size is the camera's.
        fps: frames a second; the newest one is sent again where there is no newer.
        clock: the monotonic clock.
        telemetry: counts ``camera.sent`` and ``camera.failed``.
    """

    def __init__(
        self,
        open_camera: OpenCamera,
        background: U8Array,
        *,
        fps: float,
        clock: Clock,
        telemetry: Telemetry | None = None,
    ) -> None:
        super().__init__("camera")
        self.device = ""
        self.trouble = ""
        self._open_camera = open_camera
        self._background = background
        self._fps = fps
        self._clock = clock
        self._telemetry = telemetry or Telemetry(clock)
        self._lock = threading.Lock()
        self._offered: U8Array | None = None
        self._spare: U8Array | None = None
        self._has_newer = False

    def offer(self, frame: Frame) -> None:
        """Take a copy of ``frame``; never waits for the camera, and is free while it is closed."""
        if not self.device:
            return
        with self._lock:
            if self._offered is None or self._offered.shape != frame.rgba.shape:
                self._offered = np.empty_like(frame.rgba)
            np.copyto(self._offered, frame.rgba)
            self._has_newer = True

    def serve(self) -> None:
        """Keep the camera open and fed until stopped."""
        while not self.stopping.is_set():
            try:
                camera = self._open_camera()
            except Exception as error:  # noqa: BLE001 - drivers raise anything
                self._tell(error)
            else:
                self._feed(camera)
            self.stopping.wait(RETRY_S)

    def _feed(self, camera: Camera) -> None:
        """Send frames until stopped or until the camera fails."""
        pacer = Pacer(self._fps, self._clock)
        shown = self._background
        try:
            self.device, self.trouble = str(camera.device), ""
            log.info("the avatar is the camera %s", self.device)
            while not self.stopping.is_set():
                pacer.wait()
                newest = self._taken()
                if newest is not None:
                    shown = over(newest, self._background)
                camera.send(shown)
                self._telemetry.count("camera.sent")
        except Exception as error:  # noqa: BLE001 - drivers raise anything
            self._tell(error)
        finally:
            self.device = ""
            try:
                camera.close()
            except Exception:
                log.debug("the virtual camera did not close cleanly", exc_info=True)

    def _taken(self) -> U8Array | None:
        """Return the frame offered last, None if it was taken before; valid until the next call."""
        with self._lock:
            if not self._has_newer:
                return None
            self._offered, self._spare = self._spare, self._offered
            self._has_newer = False
            return self._spare

    def _tell(self, error: Exception) -> None:
        """Say once what is wrong, and again only if it becomes something else."""
        self._telemetry.count("camera.failed")
        trouble = str(error) or type(error).__name__
        if trouble != self.trouble:
            log.warning("no virtual camera, tried again every %g s: %s", RETRY_S, trouble)
        self.trouble = trouble


def over(premultiplied: U8Array, background: U8Array) -> U8Array:
    """Return a picture before a background, scaled to fit, in the middle of the lower edge.

    Args:
        premultiplied: uint8 [h, w, 4], premultiplied alpha.
        background: uint8 [H, W, 3].

    Returns:
        uint8 [H, W, 3] of one's own.
    """
    height, width = background.shape[:2]
    place = place_in((premultiplied.shape[1], premultiplied.shape[0]), width, height)
    character = scaled(premultiplied, place)
    shown = background.copy()
    behind = place.of(shown)
    # Encoded values are blended, as OBS and painting programs do.
    seen_through = cv2.cvtColor(255 - character[..., 3], cv2.COLOR_GRAY2RGB)
    passed = cv2.multiply(behind, seen_through, scale=1 / 255)
    behind[:] = cv2.add(cv2.cvtColor(character, cv2.COLOR_RGBA2RGB), passed)
    return shown


def open_pyvirtualcam(width: int, height: int, fps: float, device: str) -> Camera:
    """Return the system's virtual camera.

    Args:
        width: of its pictures, pixels.
        height: likewise.
        fps: what it tells other programs; the nearest that it knows.
        device: its name (``/dev/video9``), empty for the first that there is.

    Raises:
        RuntimeUnavailable: pyvirtualcam or the camera's driver is not installed, or another
            program feeds it; names the remedy.
    """
    import sys

    try:
        import pyvirtualcam
    except ImportError as error:
        raise RuntimeUnavailable(
            "pyvirtualcam is not installed; install it: pip install vtbridge[camera]"
        ) from error
    try:
        camera: Camera = pyvirtualcam.Camera(width, height, fps, device=device or None)
    except Exception as error:
        remedy = (
            "install and load the driver: sudo apt-get install v4l2loopback-dkms, then sudo "
            "modprobe v4l2loopback exclusive_caps=1 card_label=vtbridge"
            if sys.platform == "linux"
            else "install OBS 30 or later, start its virtual camera once, and leave it off"
        )
        reason = " ".join(str(error).split())
        raise RuntimeUnavailable(f"{reason} ({remedy})") from error
    return camera
