"""Which protocols can come over TCP, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from vtbridge.tracking.settings import (
    Fmv3Settings,
    IFacialMocapSettings,
    InputSettings,
    TrackingSettings,
)

FRAMERS: Mapping[str, Callable[[], StreamFramer]] = MappingProxyType(
    {"ifacialmocap": TextFramer, "fmv3": Fmv3Framer}
)
"""What cuts the bytes of one connection, by protocol."""


def accepting_port(table: InputSettings) -> int | None:
    """Return the TCP port to which a phone connects, None if this computer connects to it."""
    match table:
        case IFacialMocapSettings():
            return table.tcp_port
        case Fmv3Settings(phone=None):  # the stream is started on the phone
            return table.listen_port
    return None


def accepting_ports(settings: TrackingSettings) -> dict[str, Address]:
    """Return by protocol the TCP addresses to which phones connect."""
    found: dict[str, Address] = {}
    for row in streams(settings):
        port = accepting_port(row.settings(settings))
        if port is not None:
            found[row.name] = (ANY_ADDRESS if reaches_lan(row, settings) else LOOPBACK, port)
    return found


def open_stream(
    row: ProtocolRow,
    settings: TrackingSettings,
    channel: Channel,
    telemetry: Telemetry,
    clock: Clock,
) -> TcpReceiver:
    """Return the receiver of a row that is set to TCP, for ``channel``."""
    framer = FRAMERS[row.name]
    accepting = accepting_ports(settings).get(row.name)
    if accepting is not None:
        host, port = accepting
        return Acceptor(channel, framer, telemetry, clock, host=host, port=port)
    table = row.settings(settings)
    if not isinstance(table, Fmv3Settings):
        raise ValueError(f"{row.name} has no phone to connect to over TCP")
    return Dialer(channel, framer, telemetry, clock, phone=(str(table.phone), table.tcp_port))
