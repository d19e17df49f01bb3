"""Which ports the settings ask for, which protocols each takes, and from whom."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow, Wire
from vtbridge.tracking.receivers.udp import ANY_ADDRESS, LOOPBACK
from vtbridge.tracking.settings import TrackingSettings

_THIS_COMPUTER = IPv4Network("127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Listener:
    """One UDP port.

    Attributes:
        host: address to listen on.
        port: its number.
        homes: the protocols that are set to this port.
        guests: OSC protocols of other ports, which an OSC port takes too.
    """

    host: str
    port: int
    homes: tuple[ProtocolRow, ...]
    guests: tuple[ProtocolRow, ...] = ()

    @property
    def rows(self) -> tuple[ProtocolRow, ...]:
        """All it takes, homes first."""
        return self.homes + self.guests


def listeners(settings: TrackingSettings) -> list[Listener]:
    """Return the UDP ports of all enabled inputs, in the order of the protocols' table."""
    homes: dict[int, list[ProtocolRow]] = {}
    enabled = [row for row in _enabled(settings) if not by_tcp(row, settings)]
    for row in enabled:
        homes.setdefault(row.settings(settings).port, []).append(row)
    return [
        Listener(
            host=ANY_ADDRESS if any(reaches_lan(row, settings) for row in rows) else LOOPBACK,
            port=port,
            homes=tuple(rows),
            guests=tuple(row for row in enabled if row.wire is Wire.OSC and row not in rows)
            if any(row.wire is Wire.OSC for row in rows)
            else (),
        )
        for port, rows in homes.items()
    ]


def streams(settings: TrackingSettings) -> list[ProtocolRow]:
    """Return the enabled inputs that come over TCP."""
    return [row for row in _enabled(settings) if by_tcp(row, settings)]


def by_tcp(row: ProtocolRow, settings: TrackingSettings) -> bool:
    """Return whether a row is set to TCP."""
    return getattr(row.settings(settings), "transport", "udp") == "tcp"


def reaches_lan(row: ProtocolRow, settings: TrackingSettings) -> bool:
    """Return whether a row listens to other computers: all of them, or its one device."""
    peer = row.peer(settings)
    return settings.lan if peer is None else not peer.is_loopback


def allowed(row: ProtocolRow, settings: TrackingSettings) -> tuple[IPv4Network, ...]:
    """Return who may send a row's datagrams; empty = anyone who reaches the port.

    Programs on this computer always may, but where a phone is named it alone may.
    """
    peer = row.peer(settings)
    if peer is not None:
        return (IPv4Network(peer),)
    return (_THIS_COMPUTER, *settings.allow) if settings.allow else ()


def _enabled(settings: TrackingSettings) -> list[ProtocolRow]:
    return [row for row in PROTOCOLS if row.settings(settings).enabled]
