"""Commands over OSC on loopback: ``/vtbridge/calibrate``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from vtbridge.errors import PacketError, PortInUse
from vtbridge.osc import decode_packet
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

OscCommands = Mapping[str, Callable[[], None]]


class OscControl(asyncio.DatagramProtocol):
    """Listen on 127.0.0.1 and run what an address names; unknown ones are counted."""

    def __init__(self, commands: OscCommands, telemetry: Telemetry) -> None:
        self._commands = commands
        self._telemetry = telemetry
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
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=("127.0.0.1", port)
            )
        except OSError as error:
            raise PortInUse(
                f"UDP port {port} on 127.0.0.1 cannot be had ({error.strerror}); set another "
                "[control] osc_port, or 0 for any free one"
            ) from error

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Run every command in the packet; an argument of 0 is a button let go, not a command."""
        try:
            messages = decode_packet(data)
        except PacketError as error:
            self._telemetry.count("control.rejected")
            log.debug("OSC control from %s:%d: %s", addr[0], addr[1], error)
            return
        for message in messages:
            command = self._commands.get(message.address)
            if command is None:
                self._telemetry.count("control.unknown")
            elif not message.arguments or message.arguments[0] not in (0, False):
                command()
