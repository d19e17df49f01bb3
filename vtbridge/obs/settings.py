"""Settings of the connection to OBS and of what is shown there."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from vtbridge.settings import StageSettings


class Look(StrEnum):
    """How half-transparent pixels mix with what lies behind them."""

    GAMMA = "gamma"
    OBS = "obs"
    LINEAR = "linear"


class Away(StrEnum):
    """What the source shows while no daemon runs."""

    HOLD = "hold"
    TRANSPARENT = "transparent"
    PLACEHOLDER = "placeholder"


class Placement(StrEnum):
    """Where the avatar stands on the canvas."""

    FIT = "fit"
    BOTTOM = "bottom"
    KEEP = "keep"


class ObsSettings(StageSettings):
    """OBS, reached over its WebSocket server, and how the avatar stands there."""

    enabled: bool = False
    """Whether the daemon connects to OBS and keeps the scene set up."""

    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    """Name or address of the machine on which OBS runs."""

    port: int = Field(4455, ge=1, le=65535)
    """Port of OBS's WebSocket server (Tools > WebSocket Server Settings)."""

    timeout_s: float = Field(5.0, ge=0.1, le=60)
    """Seconds to wait for an answer of OBS before the connection is given up."""

    scene: str = Field("vtbridge", min_length=1, max_length=200)
    """Scene that holds the avatar; made if it is missing."""

    source: str = Field("vtbridge avatar", min_length=1, max_length=200)
    """Name of the avatar's source in OBS; made if it is missing."""

    placement: Placement = Placement.BOTTOM
    """Where a new source is put: fit (whole canvas, centred), bottom (whole canvas, standing on
    its lower edge) or keep (as OBS puts it). A source that exists stays where the user moved it."""

    look: Look = Look.GAMMA
    """Half-transparent pixels: gamma (as browsers), obs (as OBS shows images) or linear."""

    idle_when_hidden: bool = True
    """Let the networks rest while no scene, preview or projector of OBS shows the avatar and
    nobody else watches it. Tracking goes on, and the avatar moves again from the beginning of
    the transition to it. Never while OBS is not connected or has no source of the avatar."""

    away: Away = Away.HOLD
    """Without a daemon the source shows: hold (the last frame), transparent or placeholder."""
