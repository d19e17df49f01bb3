"""Open the virtual camera that the settings ask for."""

from __future__ import annotations

from functools import partial

from vtbridge.clock import Clock
from vtbridge.publish.settings import PublishSettings
from vtbridge.publish.virtual_camera import VirtualCamera, open_pyvirtualcam
from vtbridge.telemetry import Telemetry
from vtbridge.video.background import open_background


def open_camera(settings: PublishSettings, clock: Clock, telemetry: Telemetry) -> VirtualCamera:
    """Return the camera of ``settings``; the device itself is opened once it is started.

    Raises:
        ConfigError: its background is neither a colour nor a picture that can be read.
    """
    width, height, fps = settings.camera_width, settings.camera_height, settings.camera_fps
    background = open_background(
        settings.camera_background, width, height, option="[publish] camera_background ="
    )
    return VirtualCamera(
        partial(open_pyvirtualcam, width, height, fps, settings.camera_device),
        background,
        fps=fps,
        clock=clock,
        telemetry=telemetry,
    )
