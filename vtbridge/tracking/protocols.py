"""The table of tracker protocols: one row each, nothing else to register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from vtbridge.tracking.formats import TextVersion
from vtbridge.tracking.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocol import TrackerProtocol
from vtbridge.tracking.settings import InputSettings, TrackingSettings
from vtbridge.tracking.vmc import VmcProtocol


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """How one protocol is set and made.

    Attributes:
        name: its table under ``[tracking]``, and what the command line calls it.
        settings: returns its own table.
        create: makes a receiver of its datagrams.
        peer: returns the one device that it talks to, None if it waits for anyone.
    """

    name: str
    settings: Callable[[TrackingSettings], InputSettings]
    create: Callable[[TrackingSettings], TrackerProtocol]
    peer: Callable[[TrackingSettings], IPv4Address | None]


def _ifacialmocap(settings: TrackingSettings) -> TrackerProtocol:
    phone = settings.ifacialmocap.phone
    return IFacialMocapProtocol(
        None if phone is None else str(phone),
        ask_for_v2=settings.ifacialmocap.version is TextVersion.V2,
    )


PROTOCOLS: tuple[ProtocolRow, ...] = (
    ProtocolRow(
        name=VmcProtocol.name,
        settings=lambda settings: settings.vmc,
        create=lambda settings: VmcProtocol(),
        peer=lambda settings: None,
    ),
    ProtocolRow(
        name=IFacialMocapProtocol.name,
        settings=lambda settings: settings.ifacialmocap,
        create=_ifacialmocap,
        peer=lambda settings: settings.ifacialmocap.phone,
    ),
)
