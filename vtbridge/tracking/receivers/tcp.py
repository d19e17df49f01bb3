"""One phone over TCP: connect or be connected to, cut the stream, faces out as over UDP.

A connection on which no good record comes is half-open: the phone left without a word,
or something else answers in its place. It is closed and sought anew, with back-off, for
as long as the program runs.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from abc import abstractmethod
from collections.abc import Callable

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.errors import PacketError, PortInUse
from vtbridge.flow.service import ThreadService
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.stream import StreamFramer
from vtbridge.tracking.receivers.admission import Address
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.port_holder import holder_of_port
from vtbridge.tracking.source_status import SourceStatus

log = logging.getLogger(__name__)

HALF_OPEN_NS = 5 * NS_PER_S
"""Time without a good record after which a connection counts as dead: what FMV3 gives a phone
to prepare its SCHEMA. Afterwards it sends 30 to 60 records a second."""
_READ_BYTES = 65_536
_TICK_S = 0.1
_REPORT_INTERVAL_NS = NS_PER_S // 10
_DIAL_TIMEOUT_S = 1.5
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 10.0


class TcpReceiver(ThreadService):
    """Receive one protocol from one connection at a time; survives whatever arrives.

    Args:
        channel: takes the records.
        framer: makes what cuts a new connection's bytes into records.
        telemetry: gets ``tracking.*`` counters.
        clock: the time of arrival.
    """

    def __init__(
        self,
        channel: Channel,
        framer: Callable[[], StreamFramer],
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        super().__init__(f"tracking-{channel.name}-tcp")
        self._channel = channel
        self._framer = framer
        self._telemetry = telemetry
        self._clock = clock
        self._trouble: str | None = None

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the stream comes from, for people."""

    @abstractmethod
    def open(self) -> tuple[socket.socket, Address] | None:
        """Return the next connection and its peer, None if there is none yet.

        Raises:
            OSError: it cannot be had; ``serve`` tries again later.
            PortInUse: as above, with a message for the user.
        """

    def greet(self, connection: socket.socket, t_ns: int) -> None:
        """Send what keeps the phone talking; called often.

        Raises:
            OSError: the connection is gone.
        """

    def close(self) -> None:
        """Let go what ``open`` holds beside the connection."""

    def status(self) -> list[SourceStatus]:
        """Return what this input is doing; safe to call from any thread."""
        return [
            self._channel.status(f"tcp {self.place}", self._clock.now_ns(), self._trouble),
        ]

    def serve(self) -> None:
        """Receive until stopped; connect again with back-off whenever the connection ends."""
        retry_s = _FIRST_RETRY_S
        try:
            while not self.stopping.is_set():
                try:
                    opened = self.open()
                    self._trouble = None
                    if opened is None:
                        continue
                    try:
                        if self._receive(*opened):
                            retry_s = _FIRST_RETRY_S
                    finally:
                        self._channel.restart()  # nothing that was said holds for the next one
                except (PortInUse, OSError) as error:
                    self._trouble = str(error)
                    self._channel.warn_once("socket", "%s (tried again in the background)", error)
                    self._telemetry.count("tracking.socket_errors")
                finally:
                    self._channel.report()
                self.stopping.wait(retry_s)
                retry_s = min(2 * retry_s, _LAST_RETRY_S)
        finally:
            self.close()

    def _receive(self, connection: socket.socket, peer: Address) -> bool:
        """Read ``connection`` to its end; return whether anything good came."""
        with connection:
            connection.settimeout(_TICK_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            framer, heard = self._framer(), False
            now_ns = last_good_ns = next_report_ns = self._clock.now_ns()
            while not self.stopping.is_set() and not framer.broken:
                self.greet(connection, now_ns)
                if now_ns >= next_report_ns:
                    next_report_ns = now_ns + _REPORT_INTERVAL_NS
                    self._channel.report()
                try:
                    data = connection.recv(_READ_BYTES)
                except ConnectionError:
                    return heard  # the phone hung up without a goodbye
                except TimeoutError:
                    now_ns = self._clock.now_ns()
                else:
                    if not data:
                        return heard
                    now_ns = self._clock.now_ns()
                    if self._hear(connection, framer, data, peer, now_ns):
                        last_good_ns, heard = now_ns, True
                if now_ns - last_good_ns >= HALF_OPEN_NS:
                    self._channel.warn_once(
                        "half-open",
                        "%s: %s:%d says nothing that can be used any more; connecting anew",
                        self._channel.name,
                        *peer,
                    )
                    return heard
        return heard

    def _hear(
        self,
        connection: socket.socket,
        framer: StreamFramer,
        data: bytes,
        peer: Address,
        t_ns: int,
    ) -> bool:
        """Take what was read; return whether a record in it was good."""
        heard = False
        for record in self._records(framer, data, peer):
            for reply in self._channel.take(record, peer, t_ns):
                connection.sendall(reply)
            heard |= not self._channel.refused
        return heard

    def _records(self, framer: StreamFramer, data: bytes, peer: Address) -> list[bytes]:
        """Return the whole records in ``data``, counting what is damaged."""
        try:
            return framer.feed(data)
        except PacketError as error:
            self._channel.refuse(error, peer[0])
        with contextlib.suppress(PacketError):  # the good ones beside it
            return framer.feed(b"")
        return []


class Dialer(TcpReceiver):
    """Connect to the phone; requests and faces share the connection.

    Args:
        channel: takes the records.
        framer: makes what cuts a new connection's bytes into records.
        telemetry: gets ``tracking.*`` counters.
        clock: the time of arrival.
        phone: where the phone listens.
    """

    def __init__(
        self,
        channel: Channel,
        framer: Callable[[], StreamFramer],
        telemetry: Telemetry,
        clock: Clock,
        *,
        phone: Address,
    ) -> None:
        super().__init__(channel, framer, telemetry, clock)
        self._phone = phone

    @property
    def place(self) -> str:
        """The phone's address."""
        return f"{self._phone[0]}:{self._phone[1]}"

    def open(self) -> tuple[socket.socket, Address]:
        """Connect to the phone.

        Raises:
            OSError: it does not answer; the message says what to look at.
        """
        try:
            return socket.create_connection(self._phone, _DIAL_TIMEOUT_S), self._phone
        except OSError as error:
            raise OSError(
                error.errno,
                f"{self._channel.name}: {self.place} does not answer over TCP "
                f"({error.strerror or error}); open the app, and check that the phone is on the "
                "same network",
            ) from error

    def greet(self, connection: socket.socket, t_ns: int) -> None:
        """Send the protocol's requests through the connection."""
        if (greeting := self._channel.greeting(t_ns)) is not None:
            connection.sendall(greeting.data)
            self._channel.count("tracking.greetings")


class Acceptor(TcpReceiver):
    """Let a phone connect, after asking it over UDP to do so where the protocol asks.

    Args:
        channel: takes the records, and says who may connect.
        framer: makes what cuts a new connection's bytes into records.
        telemetry: gets ``tracking.*`` counters.
        clock: the time of arrival.
        host: address to listen on.
        port: TCP port to listen on, 0 = any free one.
    """

    def __init__(
        self,
        channel: Channel,
        framer: Callable[[], StreamFramer],
        telemetry: Telemetry,
        clock: Clock,
        *,
        host: str,
        port: int,
    ) -> None:
        super().__init__(channel, framer, telemetry, clock)
        self.host = host
        self.port = port
        self._listener: socket.socket | None = None
        self._greeter = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    @property
    def place(self) -> str:
        """Where the phone connects to."""
        return f"{self.host}:{self.port}"

    def bind(self) -> None:
        """Take the port; ``serve`` does it otherwise.

        Raises:
            PortInUse: another program has it; the message names it where it can.
            OSError: the address cannot be listened on for another reason.
        """
        if self._listener is not None:
            return
        try:
            listener = socket.create_server((self.host, self.port), backlog=1)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            holder = holder_of_port(self.port, socket.SOCK_STREAM)
            raise PortInUse(
                f"TCP port {self.port}, to which {self._channel.name} connects, is taken"
                f"{f' by {holder}' if holder else ''}; close that program"
            ) from error
        listener.settimeout(_TICK_S)
        self.port = listener.getsockname()[1]
        self._listener = listener
        log.info("listening for %s on TCP %s", self._channel.name, self.place)

    def open(self) -> tuple[socket.socket, Address] | None:
        """Return the phone's connection, None if it has not come; strangers are hung up on."""
        self.bind()
        listener = self._listener
        if listener is None:
            return None
        self._greet_by_udp(self._clock.now_ns())
        try:
            connection, peer = listener.accept()
        except TimeoutError:
            return None
        if not self._channel.admits(peer):
            connection.close()
            return None
        return connection, peer

    def greet(self, connection: socket.socket, t_ns: int) -> None:
        """Ask again over UDP; the connection itself carries faces only."""
        self._greet_by_udp(t_ns)

    def close(self) -> None:
        """Free the port."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        self._greeter.close()

    def stop(self, *, timeout_s: float = 2.0) -> bool:
        """Ask the thread to end, free the port and return whether it did in time."""
        stopped = super().stop(timeout_s=timeout_s)
        if stopped:
            self.close()  # one that was bound but never started
        return stopped

    def _greet_by_udp(self, t_ns: int) -> None:
        greeting = self._channel.greeting(t_ns)
        if greeting is not None and self._channel.send(self._greeter, greeting):
            self._channel.count("tracking.greetings")
