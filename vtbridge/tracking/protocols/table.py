"""The table of tracker protocols: one row each, nothing else to register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.formats import TextVersion
from vtbridge.tracking.protocols.face_cap import FaceCapProtocol
from vtbridge.tracking.protocols.facemotion3d import Facemotion3dProtocol
from vtbridge.tracking.protocols.fmv3 import Fmv3Protocol
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.livelink import LiveLinkProtocol
from vtbridge.tracking.protocols.mediapipe_osc import MediaPipeOscProtocol
from vtbridge.tracking.protocols.openseeface import OpenSeeFaceProtocol
from vtbridge.tracking.protocols.phiz import PhizProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.visage import VisageProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.protocols.vrcft import VrcftProtocol
from vtbridge.tracking.protocols.vts_phone import VtsPhoneProtocol
from vtbridge.tracking.protocols.zig_sim import ZigSimProtocol
from vtbridge.tracking.senders.face_cap import encode_face_cap
from vtbridge.tracking.senders.facemotion3d import encode_facemotion3d
from vtbridge.tracking.senders.fmv3 import Fmv3Encoder
from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
from vtbridge.tracking.senders.livelink import LiveLinkEncoder
from vtbridge.tracking.senders.mediapipe_osc import encode_mediapipe_osc
from vtbridge.tracking.senders.openseeface import encode_openseeface
from vtbridge.tracking.senders.phiz import encode_phiz
from vtbridge.tracking.senders.visage import encode_visage
from vtbridge.tracking.senders.vmc import encode_vmc
from vtbridge.tracking.senders.vrcft import encode_vrcft
from vtbridge.tracking.senders.vts_phone import encode_vts_phone
from vtbridge.tracking.senders.zig_sim import encode_zig_sim
from vtbridge.tracking.settings import InputSettings, PhoneSettings, TrackingSettings

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
        on_phone: True if what sends runs on a phone, which never reaches loopback.
        advice: returns what to change in the settings first, empty if nothing.
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
    on_phone: bool = False
    advice: Callable[[TrackingSettings], str] = lambda settings: ""


def _ifacialmocap(settings: TrackingSettings) -> TrackerProtocol:
    return IFacialMocapProtocol(
        _host(settings.ifacialmocap),
        ask_for_v2=settings.ifacialmocap.version is TextVersion.V2,
        transport=settings.ifacialmocap.transport,
    )


def _fmv3(settings: TrackingSettings) -> TrackerProtocol:
    table = settings.fmv3
    port = table.tcp_port if table.transport == "tcp" else table.udp_port
    return Fmv3Protocol(_host(table), phone_port=port, transport=table.transport)


def _announce_first(settings: TrackingSettings) -> str:
    if settings.vrcft.oscquery:
        return ""
    return "set [tracking.vrcft] oscquery = true, or it sends little or nothing"


def _host(table: PhoneSettings) -> str | None:
    return None if table.phone is None else str(table.phone)


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
        name=VrcftProtocol.name,
        title="VRCFaceTracking (headsets), EyeTrackVR",
        wire=Wire.OSC,
        settings=lambda settings: settings.vrcft,
        create=lambda settings: VrcftProtocol(ask_for_all=settings.vrcft.oscquery),
        encoder=lambda: encode_vrcft,
        setup="on this computer: in VRCFaceTracking's settings, OSC, address 127.0.0.1, "
        "port {port}",
        evidence=Evidence.SPECIFICATION,
        advice=_announce_first,
    ),
    ProtocolRow(
        name=VisageProtocol.name,
        title="Visage",
        wire=Wire.OSC,
        settings=lambda settings: settings.visage,
        create=lambda settings: VisageProtocol(),
        encoder=lambda: encode_visage,
        setup="type {address}:{port} into the app's one field",
        evidence=Evidence.SPECIFICATION,
        on_phone=True,
    ),
    ProtocolRow(
        name=PhizProtocol.name,
        title="Phiz",
        wire=Wire.OSC,
        settings=lambda settings: settings.phiz,
        create=lambda settings: PhizProtocol(),
        encoder=lambda: encode_phiz,
        setup="run Phiz's OSC app on this computer, give it the code that phizmocap.dev/capture "
        "shows, port {port}",
        evidence=Evidence.SPECIFICATION,
    ),
    ProtocolRow(
        name=ZigSimProtocol.name,
        title="ZIG SIM Pro",
        wire=Wire.OSC,
        settings=lambda settings: settings.zig_sim,
        create=lambda settings: ZigSimProtocol(),
        encoder=lambda: encode_zig_sim,
        setup="choose the command ARKit with tracking type FACE; in the app's settings UDP, OSC, "
        "IP address {address}, port {port}",
        evidence=Evidence.SPECIFICATION,
        on_phone=True,
    ),
    ProtocolRow(
        name=FaceCapProtocol.name,
        title="Face Cap",
        wire=Wire.OSC,
        settings=lambda settings: settings.face_cap,
        create=lambda settings: FaceCapProtocol(),
        encoder=lambda: encode_face_cap,
        setup="in the app's live mode (OSC), address {address}, port {port}",
        evidence=Evidence.SPECIFICATION,
        on_phone=True,
    ),
    ProtocolRow(
        name=MediaPipeOscProtocol.name,
        title="MediaPipe-OSC, Project Babble",
        wire=Wire.OSC,
        settings=lambda settings: settings.mediapipe_osc,
        create=lambda settings: MediaPipeOscProtocol(),
        encoder=lambda: encode_mediapipe_osc,
        setup="set the program's OSC address to {address} and its port to {port}",
        evidence=Evidence.CAPTURE,
    ),
    ProtocolRow(
        name=Fmv3Protocol.name,
        title="iFacialMocap 1.5.3 and Facemotion3d 1.4.6 or later (v3)",
        wire=Wire.OTHER,
        settings=lambda settings: settings.fmv3,
        create=_fmv3,
        encoder=Fmv3Encoder,
        setup="put the address that the app shows into [tracking.fmv3] phone; or choose v3 as "
        "the app's sending protocol and start it there, address {address}, port {port}",
        evidence=Evidence.SPECIFICATION,
        peer=lambda settings: settings.fmv3.phone,
        on_phone=True,
    ),
    ProtocolRow(
        name=Facemotion3dProtocol.name,
        title="Facemotion3d",
        wire=Wire.OTHER,
        settings=lambda settings: settings.facemotion3d,
        create=lambda settings: Facemotion3dProtocol(_host(settings.facemotion3d)),
        encoder=lambda: encode_facemotion3d,
        setup="put the address that the app shows into [tracking.facemotion3d] phone; if nothing "
        "comes, set port = 49993 there",
        evidence=Evidence.SPECIFICATION,
        peer=lambda settings: settings.facemotion3d.phone,
        on_phone=True,
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
        on_phone=True,
    ),
    ProtocolRow(
        name=VtsPhoneProtocol.name,
        title="VTube Studio on an iPhone, MeowFace on Android",
        wire=Wire.OTHER,
        settings=lambda settings: settings.vts_phone,
        create=lambda settings: VtsPhoneProtocol(
            _host(settings.vts_phone), port=settings.vts_phone.port
        ),
        encoder=lambda: encode_vts_phone,
        setup='switch on "3rd Party PC Clients" in the app\'s settings, and put the address that '
        "it shows into [tracking.vts_phone] phone",
        evidence=Evidence.SPECIFICATION,
        peer=lambda settings: settings.vts_phone.phone,
        on_phone=True,
    ),
    ProtocolRow(
        name=LiveLinkProtocol.name,
        title="Live Link Face",
        wire=Wire.OTHER,
        settings=lambda settings: settings.livelink,
        create=lambda settings: LiveLinkProtocol(),
        encoder=LiveLinkEncoder,
        setup="in the app's settings, Live Link, add the target {address}, port {port}",
        evidence=Evidence.REAL_SENDER,
        on_phone=True,
    ),
    ProtocolRow(
        name=OpenSeeFaceProtocol.name,
        title="OpenSeeFace",
        wire=Wire.OTHER,
        settings=lambda settings: settings.openseeface,
        create=lambda settings: OpenSeeFaceProtocol(),
        encoder=lambda: encode_openseeface,
        setup="on this computer: run facetracker --ip 127.0.0.1 --port {port}",
        evidence=Evidence.CAPTURE,
    ),
)
"""Where protocols share a port the first row that recognises a datagram takes it."""
