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
