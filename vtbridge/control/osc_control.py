"""Commands over OSC: ``/vtbridge/calibrate``, ``/vtbridge/expression/smile``, and their state back.

On loopback; where other devices are named, on the network for those alone.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address

from pythonosc.osc_message_builder import OscMessageBuilder

from vtbridge.errors import PacketError, PortInUse
from vtbridge.osc import OscArgument, OscMessage, decode_packet
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

OscCommands = Mapping[str, Callable[[], None]]
Switch = Callable[[str, bool | None], None]
"""Takes the name behind the prefix, and on, off, or None = the other way.

Raises KeyError for a name that is unknown.
"""
Listener = Callable[[tuple[OscArgument, ...]], None]

_MAX_PEERS = 8
_LOOPBACK = IPv4Address("127.0.0.1")


class OscControl(asyncio.DatagramProtocol):
    """Listen, and run what an address names; unknown ones are counted.

    Args:
        commands: what whole addresses do.
        telemetry: counts ``control.rejected``, ``control.unknown`` and ``control.not_allowed``.
        switches: what addresses with these beginnings switch: ``/vtbridge/expression/``.
        listeners: what whole addresses tell, by their arguments; they raise PacketError for
            those that make no sense.
        allow: other devices that may command.
        feedback_port: where those who switch something are told its state; 0 = where they
            sent from.
    """

    def __init__(
        self,
        commands: OscCommands,
        telemetry: Telemetry,
        *,
        switches: Mapping[str, Switch] | None = None,
        listeners: Mapping[str, Listener] | None = None,
        allow: Iterable[IPv4Address] = (),
        feedback_port: int = 0,
    ) -> None:
        self._commands = commands
        self._telemetry = telemetry
        self._switches = dict(switches or {})
        self._listeners = dict(listeners or {})
        self._allowed = frozenset(allow)
        self._feedback_port = feedback_port
        self._peers: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._told: dict[str, bool] = {}
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def port(self) -> int:
        """The UDP port in use, 0 before ``start``."""
        if self._transport is None:
            return 0
        return int(self._transport.get_extra_info("sockname")[1])

    async def start(self, port: int) -> None:
        """Begin to listen on UDP ``port``, 0 for any free one.

        Raises:
            PortInUse: another program has the port.
        """
        host = "0.0.0.0" if self._allowed else str(_LOOPBACK)  # noqa: S104 - see the class
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=(host, port)
            )
        except OSError as error:
            raise PortInUse(
                f"UDP port {port} on {host} cannot be had ({error.strerror}); set another "
                "[control] osc_port, or 0 for any free one"
            ) from error

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Run every command in the packet; an argument of 0 is a button let go, not a command."""
        if not self._hears(addr[0]):
            self._telemetry.count("control.not_allowed")
            return
        try:
            messages = decode_packet(data)
        except PacketError as error:
            self._telemetry.count("control.rejected")
            log.debug("OSC control from %s:%d: %s", addr[0], addr[1], error)
            return
        for message in messages:
            command = self._commands.get(message.address)
            if message.address in self._listeners:
                self._listen(message)
            elif command is None:
                self._switch(message, addr)
            elif not message.arguments or message.arguments[0] not in (0, False):
                command()

    def tell(self, switched: Mapping[str, bool]) -> None:
        """Tell those who switch what is on: by whole address, only what has changed.

        To be called on the event loop.
        """
        changed = {address: on for address, on in switched.items() if self._told.get(address) != on}
        self._told = dict(switched)
        for peer in self._peers:
            self._send(changed, peer)

    def _hears(self, host: str) -> bool:
        address = IPv4Address(host)
        return address.is_loopback or address in self._allowed

    def _listen(self, message: OscMessage) -> None:
        try:
            self._listeners[message.address](message.arguments)
        except PacketError:
            self._telemetry.count("control.rejected")

    def _switch(self, message: OscMessage, sender: tuple[str, int]) -> None:
        prefix, slash, name = message.address.rpartition("/")
        switch = self._switches.get(prefix + slash)
        if switch is None:
            self._telemetry.count("control.unknown")
            return
        try:
            switch(name, _position(message))
        except KeyError:
            self._telemetry.count("control.unknown")
        except PacketError:
            self._telemetry.count("control.rejected")
        else:
            self._remember(sender)

    def _remember(self, sender: tuple[str, int]) -> None:
        peer = (sender[0], self._feedback_port or sender[1])
        if peer not in self._peers and peer != (str(_LOOPBACK), self.port):
            self._send(self._told, peer)
            self._peers[peer] = None
            while len(self._peers) > _MAX_PEERS:
                self._peers.popitem(last=False)
        elif peer in self._peers:
            self._peers.move_to_end(peer)

    def _send(self, switched: Mapping[str, bool], peer: tuple[str, int]) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        for address, on in switched.items():
            builder = OscMessageBuilder(address)
            builder.add_arg(float(on), "f")
            self._transport.sendto(builder.build().dgram, peer)


def _position(message: OscMessage) -> bool | None:
    """Return what a switch is set to, None = the other way.

    Raises:
        PacketError: the argument is neither a truth nor a finite number.
    """
    if not message.arguments:
        return None
    value = message.arguments[0]
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise PacketError(f"{message.address}: expected 0 or 1, got {value!r:.40}", reason="values")
    return bool(value)
