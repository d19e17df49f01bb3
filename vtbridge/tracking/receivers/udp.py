"""The only socket of the inputs: one thread a port, from datagrams to faces.

A plain blocking receive with a large buffer: a thread per datagram lost up to 79 % of
a VMC stream in single messages, this loses nothing.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError, PortInUse
from vtbridge.flow.service import ThreadService
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.receivers.admission import Address, Admission, Verdict

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - chosen only where the settings ask for the LAN
RECEIVE_BUFFER_BYTES = 4 << 20
_LONGEST_DATAGRAM = 65_535
_IDLE_TIMEOUT_S = 0.2
_QUIET_TIMEOUT_S = 0.005
_CHORES_INTERVAL_NS = NS_PER_S // 10
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 10.0


_TURNED_AWAY = {
    Verdict.NOT_ALLOWED: "%s: %s:%d is not in tracking.allow; ignored",
    Verdict.OTHER_SENDER: "%s: %s:%d sends too, but another was first; ignored until that "
    "one falls silent",
    Verdict.THROTTLED: "%s: %s:%d sends more than any tracker; what is too much is dropped",
}


@dataclass(frozen=True, slots=True)
class InputStatus:
    """What one input is doing.

    Attributes:
        protocol: its name.
        host: address it listens on.
        port: UDP port it listens on.
        listening: False while the port cannot be had.
        sender: who is listened to, such as ``127.0.0.1:50112``, None if nobody.
        last_frame_ns: monotonic time of its last face, None before the first.
        fps: faces a second, smoothed.
    """

    protocol: str
    host: str
    port: int
    listening: bool
    sender: str | None
    last_frame_ns: int | None
    fps: float


class UdpReceiver(ThreadService):
    """Receive one protocol on one port; survives whatever arrives and a lost network.

    Args:
        protocol: turns datagrams into faces.
        sink: takes each face, on this thread.
        telemetry: gets ``tracking.*`` counters and durations.
        clock: the time of arrival.
        host: address to listen on.
        port: UDP port to listen on, 0 = any free one.
        allow: networks that may speak; empty = any.
        release_s: silence after which another sender may take over.
        tap: sees each datagram of the chosen sender before it is parsed, for recording.
    """

    def __init__(
        self,
        protocol: TrackerProtocol,
        sink: Callable[[FaceFrame], object],
        telemetry: Telemetry,
        clock: Clock,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        allow: Sequence[IPv4Network] = (),
        release_s: float = 2.0,
        tap: Callable[[bytes, int], None] | None = None,
    ) -> None:
        super().__init__(f"tracking-{protocol.name}")
        self.host = host
        self.port = port
        self._protocol = protocol
        self._sink = sink
        self._telemetry = telemetry
        self._clock = clock
        self._tap = tap
        self._admission = Admission(allow, round(release_s * NS_PER_S))
        self._socket: socket.socket | None = None
        self._counts: Counter[str] = Counter()
        self._next_chores_ns = 0
        self._warned: set[str] = set()
        self._parse_ns = 0
        self._last_frame_ns: int | None = None
        self._fps = 0.0

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
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortInUse(self._port_in_use_message()) from error
        self.port = sock.getsockname()[1]
        self._socket = sock
        log.info("listening for %s on %s:%d", self._protocol.name, self.host, self.port)

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
                    self._warn_once("socket", "%s (tried again in the background)", error)
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

    def status(self) -> InputStatus:
        """Return what this input is doing; safe to call from any thread."""
        owner = self._admission.owner
        return InputStatus(
            protocol=self._protocol.name,
            host=self.host,
            port=self.port,
            listening=self._socket is not None,
            sender=None if owner is None else f"{owner[0]}:{owner[1]}",
            last_frame_ns=self._last_frame_ns,
            fps=self._fps,
        )

    def _receive_until_stopped(self) -> None:
        sock = self._socket
        if sock is None:
            raise OSError(errno.ENOTCONN, "the socket was closed before it was used")
        timeout_s = _IDLE_TIMEOUT_S
        sock.settimeout(timeout_s)
        while not self.stopping.is_set():
            wanted_s = _QUIET_TIMEOUT_S if self._protocol.waiting else _IDLE_TIMEOUT_S
            if timeout_s != wanted_s:
                timeout_s = wanted_s
                sock.settimeout(timeout_s)
            try:
                datagram, sender = sock.recvfrom(_LONGEST_DATAGRAM)
            except TimeoutError:
                t_ns = self._clock.now_ns()
                self._emit(self._protocol.flush(t_ns))
            except ConnectionError:
                continue  # an earlier greeting found nobody; Windows tells it here
            else:
                t_ns = self._clock.now_ns()
                if self._protocol.waiting:  # others may send without a pause
                    self._emit(self._protocol.flush(t_ns))
                self._take(datagram, sender, t_ns)
            if t_ns >= self._next_chores_ns:
                self._next_chores_ns = t_ns + _CHORES_INTERVAL_NS
                self._greet(sock, t_ns)
                self._report()

    def _greet(self, sock: socket.socket, t_ns: int) -> None:
        greeting = self._protocol.greeting(t_ns)
        if greeting is None:
            return
        try:
            sock.sendto(greeting.data, (greeting.host, greeting.port))
            self._counts["tracking.greetings"] += 1
        except OSError as error:
            self._warn_once(
                "greeting",
                "%s: cannot reach %s:%d (%s); is it on the same network as this computer?",
                self.name,
                greeting.host,
                greeting.port,
                error,
            )

    def _take(self, datagram: bytes, sender: Address, t_ns: int) -> None:
        self._counts["tracking.packets"] += 1
        verdict = self._admission.judge(sender, len(datagram), t_ns)
        if verdict is Verdict.CANDIDATE:
            self._protocol.reset(f"{self._protocol.name}:{sender[0]}:{sender[1]}")
        elif verdict is not Verdict.OWNER:
            self._turn_away(verdict, sender)
            return
        if self._tap is not None:
            self._tap(datagram, t_ns)
        dropped_before = self._protocol.values_dropped
        try:
            frames = self._protocol.feed(datagram, t_ns)
        except PacketError as error:
            self._counts["tracking.rejected"] += 1
            self._counts[f"tracking.rejected.{error.reason.replace(' ', '_')}"] += 1
            self._warn_once(
                error.reason, "%s: datagram from %s refused: %s", self.name, sender[0], error
            )
            if verdict is Verdict.CANDIDATE:
                self._admission.release()  # the protocol has forgotten the owner already
            return
        if verdict is Verdict.CANDIDATE:
            log.info("%s listens to %s:%d", self.name, *sender)
        self._admission.accept(sender, t_ns)
        self._counts["tracking.values_dropped"] += self._protocol.values_dropped - dropped_before
        self._parse_ns += self._clock.now_ns() - t_ns
        self._emit(frames)

    def _turn_away(self, verdict: Verdict, sender: Address) -> None:
        self._counts[f"tracking.turned_away.{verdict.value}"] += 1
        self._warn_once(verdict.value, _TURNED_AWAY[verdict], self.name, *sender)

    def _emit(self, frames: list[FaceFrame]) -> None:
        for frame in frames:
            if self._last_frame_ns is not None:
                interval_ns = max(frame.t_ns - self._last_frame_ns, 1)
                self._telemetry.observe("tracking.interval", interval_ns)
                self._fps += (NS_PER_S / max(interval_ns, NS_PER_S // 1000) - self._fps) / 16
            self._last_frame_ns = frame.t_ns
            self._counts["tracking.frames"] += 1
            self._telemetry.observe("tracking.parse", self._parse_ns)
            self._parse_ns = 0
            self._sink(frame)

    def _report(self) -> None:
        """Hand the counts on, seldom enough that a flood does not queue for the lock."""
        for name, count in self._counts.items():
            if count:
                self._telemetry.count(name, count)
        self._counts.clear()

    def _warn_once(self, reason: str, message: str, *arguments: object) -> None:
        """Log trouble the first time; a counter tells how often it came back."""
        if reason not in self._warned:
            self._warned.add(reason)
            log.warning(message, *arguments)

    def _port_in_use_message(self) -> str:
        holder = holder_of_port(self.port)
        return (
            f"UDP port {self.port}, where {self._protocol.name} arrives, is taken"
            f"{f' by {holder}' if holder else ''}; close that program, or choose another "
            f"tracking.{self._protocol.name}.port and send there"
        )

    def _close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()


def holder_of_port(port: int) -> str | None:
    """Return who holds UDP ``port``, as ``name (pid)``, None if that cannot be told."""
    import psutil

    try:
        for connection in psutil.net_connections(kind="udp4"):
            if connection.laddr and connection.laddr[1] == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return None
    return None
