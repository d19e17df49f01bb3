"""Settings of the frames' way out."""

from __future__ import annotations

from pydantic import Field

from vtbridge.publish.segment import NAME_PATTERN
from vtbridge.settings import StageSettings


class PublishSettings(StageSettings):
    """The way out: the shared-memory segment that OBS and others read, and frames over TCP."""

    name: str = Field(default="vtbridge", pattern=f"^{NAME_PATTERN}$")
    """Name of the avatar, by which readers find it: 1 to 16 letters, digits, '-' or '_'. Two
    daemons on one machine need two names."""

    max_width: int = Field(default=512, ge=16, le=16384)
    """Width of the largest frame expected, pixels. A larger frame is published too, but readers
    have to reopen the segment once."""

    max_height: int = Field(default=512, ge=16, le=16384)
    """Height of the largest frame expected, pixels."""

    slot_count: int = Field(default=4, ge=2, le=16)
    """Frames held at once. More give slow readers more time for their copy and cost memory:
    width x height x 4 bytes each."""

    media_enabled: bool = True
    """Also serve straight-alpha frames over TCP on this computer, for an OBS Media Source: what
    `vtbridge obs setup` falls back to in an OBS without the script. Free while nobody connects."""

    media_port: int = Field(default=5601, ge=0, le=65535)
    """Port of the TCP frames; 0 lets the system choose one."""

    camera: bool = False
    """Also be a webcam of this computer, for calls: needs `pip install vtbridge[camera]` and a
    driver, on Linux v4l2loopback, elsewhere that of OBS. `vtbridge run --camera` does it once."""

    camera_device: str = ""
    """Which one, such as /dev/video9; empty takes the first that there is."""

    camera_background: str = "#00ff00"
    """What is behind the character, for a camera knows no transparency: a colour, or a picture's
    path, from this file's folder."""

    camera_width: int = Field(default=1280, ge=16, le=4096, multiple_of=2)
    """Width of the camera's picture, pixels; the character stands in the middle of its lower
    edge."""

    camera_height: int = Field(default=720, ge=16, le=4096, multiple_of=2)
    """Height of the camera's picture, pixels."""

    camera_fps: float = Field(default=30.0, ge=1, le=120)
    """Pictures a second of the camera."""
