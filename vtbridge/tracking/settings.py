"""What can be set about the inputs: the ``[tracking]`` table of config.toml."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from pydantic import Field

from vtbridge.settings import StageSettings
from vtbridge.tracking.formats import TextVersion


class InputSettings(StageSettings):
    """What every input has."""

    enabled: bool = True
    """Listen for this kind of tracker."""

    port: int = Field(default=39539, ge=1, le=65535)
    """UDP port to listen on."""


class VmcSettings(InputSettings):
    """VMC protocol: VSeeFace, Waidayo, XR Animator, VMagicMirror, Warudo and many others."""

    port: int = Field(default=39539, ge=1, le=65535)
    """UDP port; 39539 is what senders use unless told otherwise."""


class IFacialMocapSettings(InputSettings):
    """iFacialMocap on an iPhone, and programs that send its text format."""

    port: int = Field(default=49983, ge=1, le=65535)
    """UDP port; the app always answers to 49983."""

    phone: IPv4Address | None = None
    """Address that the app shows on the phone, such as 192.168.1.20. vtbridge then asks
    the phone to send, and this input listens to the local network for that phone only."""

    version: TextVersion = TextVersion.V2
    """Text format to ask for; v2 also carries negative values."""


class TrackingSettings(StageSettings):
    """Where face data may come from."""

    lan: bool = False
    """Listen to the whole local network instead of this computer only."""

    allow: tuple[IPv4Network, ...] = ()
    """Senders to listen to, as addresses or networks (192.168.1.20, 192.168.1.0/24);
    empty means any. The first one that speaks is kept until it falls silent."""

    release_s: float = Field(default=2.0, ge=0.5, le=60)
    """Seconds of silence after which another sender may take a port over."""

    takeover_s: float = Field(default=1.5, ge=0.5, le=60)
    """Seconds of silence after which another kind of tracker may take the face over."""

    vmc: VmcSettings = VmcSettings()
    """VMC protocol."""

    ifacialmocap: IFacialMocapSettings = IFacialMocapSettings()
    """iFacialMocap."""
