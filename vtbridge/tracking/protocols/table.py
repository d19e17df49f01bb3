"""The table of tracker protocols: one row each, nothing else to register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.formats import TextVersion
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
from vtbridge.tracking.senders.vmc import encode_vmc
from vtbridge.tracking.settings import InputSettings, TrackingSettings

Encoder = Callable[[FaceFrame], list[bytes]]
"""Writes one face as the datagrams of a protocol."""


class Wire(StrEnum):
    """What datagrams look like from outside; a port takes every protocol of its wire."""

    OSC = "osc"
    OTHER = "other"


class Evidence(StrEnum):
    """What a receiver was tried with; the words of the README's table."""

    REAL_SENDER = "a real sender"
    CAPTURE = "a capture of a real sender"
    SPECIFICATION = "the specification only"


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """How one protocol is set, made, sent and explained.

    Attributes:
        name: its table under ``[tracking]``, and what the command line calls it.
        title: what people call it.
        wire: a port that takes one OSC protocol takes them all.
        settings: returns its own table.
        create: makes a receiver of its datagrams.
        encoder: makes a writer of its datagrams, for ``vtbridge send`` and tests.
        setup: what to type where, with ``{address}`` and ``{port}`` of this computer.
        evidence: what the receiver was tried with.
        peer: returns the one device that it talks to, None if it waits for anyone.
    """

    name: str
    title: str
    wire: Wire
    settings: Callable[[TrackingSettings], InputSettings]
    create: Callable[[TrackingSettings], TrackerProtocol]
    encoder: Callable[[], Encoder]
    setup: str
    evidence: Evidence
    peer: Callable[[TrackingSettings], IPv4Address | None] = lambda settings: None


def _ifacialmocap(settings: TrackingSettings) -> TrackerProtocol:
    phone = settings.ifacialmocap.phone
    return IFacialMocapProtocol(
        None if phone is None else str(phone),
        ask_for_v2=settings.ifacialmocap.version is TextVersion.V2,
    )


PROTOCOLS: tuple[ProtocolRow, ...] = (
    ProtocolRow(
        name=VmcProtocol.name,
        title="VMC (VSeeFace, Warudo, VMagicMirror, XR Animator, Waidayo, ...)",
        wire=Wire.OSC,
        settings=lambda settings: settings.vmc,
        create=lambda settings: VmcProtocol(),
        encoder=lambda: encode_vmc,
        setup="switch on the VMC sender (OSC), address {address}, port {port}",
        evidence=Evidence.REAL_SENDER,
    ),
    ProtocolRow(
        name=IFacialMocapProtocol.name,
        title="iFacialMocap",
        wire=Wire.OTHER,
        settings=lambda settings: settings.ifacialmocap,
        create=_ifacialmocap,
        encoder=lambda: lambda face: [encode_ifacialmocap(face)],
        setup="put the address that the app shows into [tracking.ifacialmocap] phone",
        evidence=Evidence.CAPTURE,
        peer=lambda settings: settings.ifacialmocap.phone,
    ),
)
"""Where protocols share a port the first row that recognises a datagram takes it."""
