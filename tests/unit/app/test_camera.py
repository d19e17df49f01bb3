"""The settings decide about the camera's size, rate and background."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.app import camera as app_camera
from vtbridge.app.camera import open_camera
from vtbridge.clock import ManualClock
from vtbridge.config.load import load_config
from vtbridge.errors import ConfigError
from vtbridge.publish.settings import PublishSettings
from vtbridge.telemetry import Telemetry


def test_camera_is_opened_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def refuse(*given: object) -> None:
        asked.append(given)
        raise OSError("none here")

    monkeypatch.setattr(app_camera, "open_pyvirtualcam", refuse)
    settings = PublishSettings(
        camera_width=640, camera_height=360, camera_fps=25, camera_device="/dev/video9"
    )
    camera = open_camera(settings, ManualClock(), Telemetry())
    with pytest.raises(OSError, match="none here"):
        camera._open_camera()
    assert asked == [(640, 360, 25, "/dev/video9")]
    assert camera._background.shape == (360, 640, 3)


def test_background_that_is_neither_names_its_setting() -> None:
    settings = PublishSettings(camera_background="nothing.png")
    with pytest.raises(ConfigError, match=r"\[publish\] camera_background = nothing\.png"):
        open_camera(settings, ManualClock(), Telemetry())


def test_background_picture_is_found_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "room.png").touch()
    (tmp_path / "config.toml").write_text('[publish]\ncamera_background = "room.png"\n')
    background = load_config(tmp_path / "config.toml").publish.camera_background
    assert background == str(tmp_path / "room.png")
