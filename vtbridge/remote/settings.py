"""Settings of two computers that share the work."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address

from pydantic import Field

from vtbridge.settings import Address, StageSettings

DEFAULT_PORT = 39590


class Role(StrEnum):
    """What this computer does."""

    BOTH = "both"
    """Tracks and renders: one computer does it all."""
    TRACKER = "tracker"
    """Tracks, and sends poses to the other."""
    RENDERER = "renderer"
    """Renders and publishes the poses of the other."""


class RemoteSettings(StageSettings):
    """Two computers: one tracks, the other renders and streams."""

    role: Role = Role.BOTH
    """both, tracker (the computer with the camera or phone) or renderer (the one with OBS)."""

    renderer: str = Field("", max_length=253)
    """Of a tracker: address or name of the computer that renders, such as 192.168.1.20."""

    port: int = Field(DEFAULT_PORT, ge=0, le=65535)
    """UDP port of the renderer, the same on both; 0 lets the system choose, on the renderer."""

    listen: Address = IPv4Address("0.0.0.0")  # noqa: S104 - the role asks for the network
    """Of a renderer: the address to listen on; nobody without the key is heard."""

    allow: tuple[Address, ...] = ()
    """Of a renderer: the computers that may send; empty = any that has the key."""

    rate: float = Field(60.0, ge=10, le=120)
    """Poses a second that a tracker sends, Hz."""

    max_delay_ms: float = Field(150.0, ge=20, le=500)
    """The longest that a renderer holds poses back so that a bad network does not show,
    milliseconds; on a good one it is about one pose."""
