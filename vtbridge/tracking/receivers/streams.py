"""Which protocols can come over TCP, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vtbridge.clock import Clock
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.stream import Fmv3Framer, StreamFramer, TextFramer
from vtbridge.tracking.protocols.table import ProtocolRow
from vtbridge.tracking.receivers.admission import Address
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.ports import reaches_lan, streams
from vtbridge.tracking.receivers.tcp import Acceptor, Dialer, TcpReceiver
from vtbridge.tracking.receivers.udp import ANY_ADDRESS, LOOPBACK
from vtbridge.tracking.settings import Fmv3Settings, IFacialMocapSettings, TrackingSettings


@dataclass(frozen=True, slots=True)
class StreamRow:
    """How a protocol's stream is made and cut.

    Attributes:
        framer: cuts the bytes of one connection.
        dials: True if this computer connects to the phone, False if the phone connects.
    """

    framer: Callable[[], StreamFramer]
    dials: bool


STREAMS: Mapping[str, StreamRow] = MappingProxyType(
    {
        "ifacialmocap": StreamRow(TextFramer, dials=False),
        "fmv3": StreamRow(Fmv3Framer, dials=True),
    }
)


def accepting_ports(settings: TrackingSettings) -> dict[str, Address]:
    """Return by protocol the TCP addresses to which phones connect."""
    found: dict[str, Address] = {}
    for row in streams(settings):
        table = row.settings(settings)
        if isinstance(table, IFacialMocapSettings | Fmv3Settings) and not STREAMS[row.name].dials:
            host = ANY_ADDRESS if reaches_lan(row, settings) else LOOPBACK
            found[row.name] = (host, table.tcp_port)
    return found


def open_stream(
    row: ProtocolRow,
    settings: TrackingSettings,
    channel: Channel,
    telemetry: Telemetry,
    clock: Clock,
) -> TcpReceiver:
    """Return the receiver of a row that is set to TCP, for ``channel``."""
    table, stream = row.settings(settings), STREAMS[row.name]
    if not isinstance(table, IFacialMocapSettings | Fmv3Settings) or table.phone is None:
        raise ValueError(f"{row.name} has no phone to hear over TCP")
    accepting = accepting_ports(settings).get(row.name)
    if accepting is None:
        phone = (str(table.phone), table.tcp_port)
        return Dialer(channel, stream.framer, telemetry, clock, phone=phone)
    return Acceptor(
        channel,
        stream.framer,
        telemetry,
        clock,
        host=accepting[0],
        port=accepting[1],
        phone=str(table.phone),
    )
