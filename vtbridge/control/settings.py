"""Settings of the control interfaces; they listen on loopback unless told otherwise."""

from __future__ import annotations

from pydantic import Field

from vtbridge.control.vts.settings import VtsSettings
from vtbridge.settings import Address, StageSettings


class ControlSettings(StageSettings):
    """The web page and the OSC port that take commands."""

    http_port: int = Field(39580, ge=0, le=65535)
    """TCP port of the preview page on 127.0.0.1; 0 lets the system choose."""

    osc_enabled: bool = True
    """Take commands such as /vtbridge/calibrate over OSC."""

    osc_port: int = Field(39581, ge=0, le=65535)
    """UDP port of OSC commands on 127.0.0.1; 0 lets the system choose."""

    osc_allow: tuple[Address, ...] = ()
    """Tablets and other computers that may command over OSC too (192.168.1.20); then the port
    listens on the whole network, and hears nobody else."""

    keyboard: bool = False
    """Let keys trigger expressions from anywhere, also while a game has the keyboard: those named
    `key` in expressions.toml. Needs `pip install vtbridge[hotkeys]`; not on Wayland."""

    midi: str = Field("", max_length=200)
    """MIDI devices whose keys, pads and buttons trigger expressions: a part of their name, or `*`
    for all; empty = none. What they trigger is named `midi` in expressions.toml.
    `vtbridge expression midi` lists devices. Needs `pip install vtbridge[midi]`."""

    osc_feedback_port: int = Field(0, ge=0, le=65535)
    """UDP port to which whoever commands expressions is told their state (TouchOSC's receive
    port); 0 answers to where the command came from."""

    vts: VtsSettings = VtsSettings()
    """Stream Deck, Companion, Twitch tools: whatever is made for VTube Studio."""
