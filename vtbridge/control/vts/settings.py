"""Settings of the server that speaks VTube Studio's API."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from vtbridge.settings import StageSettings


class Consent(StrEnum):
    """What becomes of a plugin that asks for the first time."""

    ASK = "ask"
    """You are asked: `vtbridge plugins allow`."""
    ALWAYS = "always"
    """Allowed, unless it is a web page: those are always asked for."""
    NEVER = "never"
    """Refused; those that were allowed before go on."""


class VtsSettings(StageSettings):
    """VTube Studio's API: plugins for it trigger expressions and move the avatar."""

    enabled: bool = False
    """Let plugins made for VTube Studio control the avatar; `vtbridge run --vts` does so once."""

    port: int = Field(8001, ge=0, le=65535)
    """TCP port, where plugins look for VTube Studio; 0 lets the system choose."""

    new_plugins: Consent = Consent.ASK
    """ask: nothing new gets in before `vtbridge plugins allow`. always: programs of this computer
    get in unasked, web pages do not. never: only those that were allowed before."""

    discovery: bool = True
    """Tell plugins the port by UDP 47779, as VTube Studio does."""

    network: bool = False
    """Hear other computers too, as VTube Studio does, and tell them the port. The connection is
    not encrypted: only in a network whose every member you trust."""
