"""Settings of the control interfaces; all of them listen on loopback only."""

from __future__ import annotations

from pydantic import Field

from vtbridge.settings import StageSettings


class ControlSettings(StageSettings):
    """The web page and the OSC port that take commands."""

    http_port: int = Field(39580, ge=0, le=65535)
    """TCP port of the preview page on 127.0.0.1; 0 lets the system choose."""

    osc_enabled: bool = True
    """Take commands such as /vtbridge/calibrate over OSC."""

    osc_port: int = Field(39581, ge=0, le=65535)
    """UDP port of OSC commands on 127.0.0.1; 0 lets the system choose."""
