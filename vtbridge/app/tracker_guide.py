"""What to type into each tracking app so that it reaches this computer."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import psutil

from vtbridge.tracking.protocols.table import ProtocolRow
from vtbridge.tracking.receivers.ports import by_tcp, listeners, reaches_lan, streams
from vtbridge.tracking.receivers.streams import accepting_ports
from vtbridge.tracking.receivers.udp import LOOPBACK
from vtbridge.tracking.settings import PhoneSettings, TrackingSettings

_VIRTUAL = ("docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "tun", "tap", "wg", "zt", "utun")
"""How the interfaces of containers, virtual machines and VPNs are called: no phone is there."""


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """One IPv4 address of this computer.

    Attributes:
        address: such as ``192.168.1.5``.
        name: of its network interface, ``this computer`` for loopback.
        reaches_phones: True if it is one of a local network.
    """

    address: str
    name: str
    reaches_phones: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """How one kind of tracker gets here.

    Attributes:
        protocol: its table under ``[tracking]``.
        title: what people call it.
        text: what to do in the app and in the settings.
        target: the same in a few words: ``192.168.1.5:11111``.
    """

    protocol: str
    title: str
    text: str
    target: str


def own_addresses(
    interfaces: Mapping[str, Sequence[Any]] | None = None,
) -> list[OwnAddress]:
    """Return this computer's IPv4 addresses, those that a phone can reach first.

    Args:
        interfaces: as ``psutil.net_if_addrs`` returns them; None = ask it.
    """
    if interfaces is None:
        interfaces = psutil.net_if_addrs()
    found = [
        _own_address(name, entry.address)
        for name, entries in interfaces.items()
        for entry in entries
        if entry.family == socket.AF_INET
    ]
    return sorted(
        found, key=lambda own: (not own.reaches_phones, own.name == _LOOPBACK_NAME, own.name)
    )


def instructions(settings: TrackingSettings, addresses: Sequence[OwnAddress]) -> list[Instruction]:
    """Return what to do for each enabled input, in the order of the protocols' table."""
    lan = next((own.address for own in addresses if own.reaches_phones), None)
    rows = [(row, listener.port) for listener in listeners(settings) for row in listener.homes]
    accepting = accepting_ports(settings)
    rows += [(row, accepting.get(row.name, ("", 0))[1]) for row in streams(settings)]
    return [
        Instruction(
            row.name,
            row.title,
            _instruction(row, port, settings, lan),
            _target(row, port, settings, lan),
        )
        for row, port in rows
    ]


def reach(settings: TrackingSettings, addresses: Sequence[OwnAddress], config_path: str) -> str:
    """Return who can send now, and which line changes that."""
    if settings.lan:
        return "Senders on the whole local network are heard (lan = true under [tracking])."
    lan = next((own.address for own in addresses if own.reaches_phones), _UNKNOWN_LAN)
    return (
        "Programs on this computer are heard, and phones whose address is set as `phone`. For "
        f"all others set lan = true under [tracking] in {config_path}, and let them send to {lan}."
    )


_LOOPBACK_NAME = "this computer"
_UNKNOWN_LAN = "this computer's address in your network"
_LAN_FIRST = " (first set lan = true)"


def _own_address(name: str, address: str) -> OwnAddress:
    parsed = IPv4Address(address)
    if parsed.is_loopback:
        return OwnAddress(address, _LOOPBACK_NAME, reaches_phones=False)
    is_lan = parsed.is_private and not parsed.is_link_local and not name.startswith(_VIRTUAL)
    return OwnAddress(address, name, reaches_phones=is_lan)


def _instruction(row: ProtocolRow, port: int, settings: TrackingSettings, lan: str | None) -> str:
    table = row.settings(settings)
    if isinstance(table, PhoneSettings) and table.phone is not None:
        way = "over TCP" if by_tcp(row, settings) else f"to UDP port {port}"
        return f"the phone at {table.phone} is asked to send {way}; open the app there"
    told_port = f"{port} over TCP" if by_tcp(row, settings) else port
    text = row.setup.format(address=_address(row, settings, lan), port=told_port)
    if "{address}" in row.setup and _wants_lan_first(row, settings):
        text += _LAN_FIRST
    advice = row.advice(settings)
    return f"{advice}; {text}" if advice else text


def _target(row: ProtocolRow, port: int, settings: TrackingSettings, lan: str | None) -> str:
    table = row.settings(settings)
    if isinstance(table, PhoneSettings):
        if table.phone is not None:
            return f"asks {table.phone}"
        if not by_tcp(row, settings):
            return f"set [tracking.{row.name}] phone"
    hint = _LAN_FIRST if _wants_lan_first(row, settings) else ""
    address = _address(row, settings, lan) if "{address}" in row.setup else LOOPBACK
    return f"{address}:{port}{hint}"


def _address(row: ProtocolRow, settings: TrackingSettings, lan: str | None) -> str:
    """Return the address of this computer that a row's sender can reach."""
    if row.on_phone:
        return lan or _UNKNOWN_LAN
    return lan if lan is not None and reaches_lan(row, settings) else LOOPBACK


def _wants_lan_first(row: ProtocolRow, settings: TrackingSettings) -> bool:
    return row.on_phone and not reaches_lan(row, settings)
