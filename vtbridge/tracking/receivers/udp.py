"""One thread a UDP port, from datagrams to faces, however many protocols share the port.

A plain blocking receive with a large buffer: a thread per datagram lost up to 79 % of
a VMC stream in single messages, this loses nothing.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections import OrderedDict
from collections.abc import Sequence

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.errors import PacketError, PortInUse
from vtbridge.flow.service import ThreadService
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.protocol import QUIET_NS, Greeting
from vtbridge.tracking.receivers.admission import Address
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.port_holder import holder_of_port
from vtbridge.tracking.source_status import SourceStatus

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - chosen only where the settings ask for the LAN
RECEIVE_BUFFER_BYTES = 4 << 20
_LONGEST_DATAGRAM = 65_535
_IDLE_TIMEOUT_S = 0.2
_QUIET_TIMEOUT_S = QUIET_NS / NS_PER_S
_CHORES_INTERVAL_NS = NS_PER_S // 10
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 10.0
_SENDERS_REMEMBERED = 64


class UdpReceiver(ThreadService):
    """Receive on one port; survives whatever arrives and a lost network.

    Attributes:
        told: set where the user knows already that the port cannot be had.

    Args:
        channels: what the port takes, those that live here before the guests. The first that
            recognises a datagram takes it, unless another that does awaits its sender.
        telemetry: gets ``tracking.*`` counters.
        clock: the time of arrival.
        host: address to listen on.
        port: UDP port to listen on, 0 = any free one.
        guests: how many channels at the end are shown only once something came for them.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        telemetry: Telemetry,
        clock: Clock,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        guests: int = 0,
    ) -> None:
        homes = tuple(channels[: len(channels) - guests])
        super().__init__(f"tracking-{'-'.join(channel.name for channel in homes)}")
        self.host = host
        self.port = port
        self._channels = tuple(channels)
        self._homes = homes
        self._telemetry = telemetry
        self._clock = clock
        self._socket: socket.socket | None = None
        self.told = False
        self._trouble: str | None = None
        self._last_channel: OrderedDict[Address, Channel] = OrderedDict()
        self._next_chores_ns = 0

    @property
    def _names(self) -> str:
        return " and ".join(channel.name for channel in self._homes)

    @property
    def listening(self) -> bool:
        """False while the port cannot be had."""
        return self._socket is not None

    def bind(self) -> None:
        """Take the port; ``serve`` does it otherwise, and again after every trouble.

        Raises:
            PortInUse: another program has it; the message names it where it can.
            OSError: the address cannot be listened on for another reason.
        """
        if self._socket is not None:
            return
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            sock.bind((self.host, self.port))
        except OSError as error:
            sock.close()
            trouble = str(error)
            if error.errno == errno.EADDRINUSE:
                trouble = self._port_in_use_message()
            self._trouble = trouble
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortInUse(trouble) from error
        self.port = sock.getsockname()[1]
        self._socket = sock
        self._trouble = None
        log.info("listening for %s on %s:%d", self._names, self.host, self.port)

    def serve(self) -> None:
        """Receive until stopped; rebind with back-off whenever the socket fails."""
        retry_s = _FIRST_RETRY_S
        try:
            while not self.stopping.is_set():
                try:
                    self.bind()
                    retry_s = _FIRST_RETRY_S
                    self._receive_until_stopped()
                    return
                except (PortInUse, OSError) as error:
                    self._trouble = str(error)
                    if not self.told:
                        self.told = True
                        log.warning("%s (tried again in the background)", error)
                    self._telemetry.count("tracking.socket_errors")
                    self._close()
                self.stopping.wait(retry_s)
                retry_s = min(2 * retry_s, _LAST_RETRY_S)
        finally:
            self._close()
            self._report()

    def stop(self, *, timeout_s: float = 2.0) -> bool:
        """Ask the thread to end, free the port and return whether it did in time."""
        stopped = super().stop(timeout_s=timeout_s)
        if stopped:
            self._close()  # a receiver that was bound but never started
        return stopped

    def status(self) -> list[SourceStatus]:
        """Return what each channel is doing; safe to call from any thread."""
        place, now_ns = f"{self.host}:{self.port}", self._clock.now_ns()
        trouble = None if self.listening else self._trouble or "not listening"
        return [
            channel.status(place, now_ns, trouble)
            for channel in self._channels
            if channel.used or channel in self._homes
        ]

    def _receive_until_stopped(self) -> None:
        sock = self._socket
        if sock is None:
            raise OSError(errno.ENOTCONN, "the socket was closed before it was used")
        timeout_s = _IDLE_TIMEOUT_S
        sock.settimeout(timeout_s)
        waiting: list[Channel] = []
        while not self.stopping.is_set():
            wanted_s = _QUIET_TIMEOUT_S if waiting else _IDLE_TIMEOUT_S
            if timeout_s != wanted_s:
                timeout_s = wanted_s
                sock.settimeout(timeout_s)
            try:
                datagram, sender = sock.recvfrom(_LONGEST_DATAGRAM)
            except TimeoutError:
                t_ns = self._clock.now_ns()
                taken_by = None
            except ConnectionError:
                continue  # an earlier greeting found nobody; Windows tells it here
            else:
                t_ns = self._clock.now_ns()
                taken_by = self._channel_for(datagram, sender)
            for channel in waiting:  # also while others send without a pause
                channel.flush(t_ns)
            if taken_by is not None:
                self._answer(sock, taken_by, taken_by.take(datagram, sender, t_ns), sender)
                if taken_by.refused:  # the next one is looked at without prejudice
                    self._last_channel.pop(sender, None)
                if taken_by not in waiting:
                    waiting.append(taken_by)
            waiting = [channel for channel in waiting if channel.waiting]
            if t_ns >= self._next_chores_ns:
                self._next_chores_ns = t_ns + _CHORES_INTERVAL_NS
                self._greet(sock, t_ns)
                self._report()

    def _channel_for(self, datagram: bytes, sender: Address) -> Channel | None:
        """Return whose datagram this is, None if nobody's; a sender seldom changes its protocol."""
        if len(self._channels) == 1:
            return self._channels[0]
        last = self._last_channel.get(sender)
        if last is not None and last.recognises(datagram):
            return last
        for channel in sorted(self._channels, key=lambda each: not each.awaits(sender)):
            if channel is not last and channel.recognises(datagram):
                self._last_channel[sender] = channel
                self._last_channel.move_to_end(sender)
                if len(self._last_channel) > _SENDERS_REMEMBERED:
                    self._last_channel.popitem(last=False)
                return channel
        first = self._channels[0]
        first.count("tracking.packets")
        first.refuse(
            PacketError(
                f"{datagram[:24]!r} is of no protocol that UDP port {self.port} takes",
                reason="not recognised",
            ),
            sender[0],
        )
        return None

    def _answer(
        self, sock: socket.socket, channel: Channel, replies: list[bytes], sender: Address
    ) -> None:
        for reply in replies:
            channel.send(sock, Greeting(reply, *sender))

    def _greet(self, sock: socket.socket, t_ns: int) -> None:
        for channel in self._homes:  # a guest is greeted at home
            greeting = channel.greeting(t_ns)
            if greeting is not None and channel.send(sock, greeting):
                channel.count("tracking.greetings")

    def _report(self) -> None:
        for channel in self._channels:
            channel.report()

    def _port_in_use_message(self) -> str:
        holder = holder_of_port(self.port)
        first = self._channels[0].name
        return (
            f"UDP port {self.port}, where {self._names} arrives, is taken"
            f"{f' by {holder}' if holder else ''}; close that program, or choose another "
            f"tracking.{first}.port and send there"
        )

    def _close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()
