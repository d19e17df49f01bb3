"""The tracker's thread: at each beat a pose leaves, and what came back is taken."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.errors import PacketError
from vtbridge.flow.pacer import Pacer
from vtbridge.flow.service import ThreadService
from vtbridge.remote.tracker_link import LinkState, TrackerLink
from vtbridge.remote.wire import MAX_DATAGRAM, Command, PoseMessage, Report
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

_RESOLVE_NS = 5 * NS_PER_S
_MOST_A_BEAT = 32
_UNHEARD_NS = 5 * NS_PER_S


class PoseSender(ThreadService):
    """Send poses to the renderer; a network that is away costs nothing but the poses.

    Attributes:
        trouble: what keeps poses from arriving, in a sentence with the remedy; empty = nothing.

    Args:
        link: the protocol.
        host: of the renderer, an address or a name.
        port: UDP port of the renderer.
        rate: poses a second.
        pose: called at each beat with the moment and the id of the newest command taken;
            returns the pose then.
        do: called with each command of the renderer.
        clock: the monotonic clock.
        telemetry: counts ``remote.sent``, ``remote.sent_bytes`` and ``remote.rejected``.
    """

    def __init__(
        self,
        link: TrackerLink,
        host: str,
        port: int,
        *,
        rate: float,
        pose: Callable[[int, int], PoseMessage],
        do: Callable[[Command], None],
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        super().__init__("remote-sender")
        self._link = link
        self._host, self._port = host, port
        self._pose = pose
        self._do = do
        self._clock = clock
        self._telemetry = telemetry
        self._pacer = Pacer(rate, clock)
        self._address: tuple[str, int] | None = None
        self._resolved_ns: int | None = None
        self._connected = False
        self._calling_since_ns = clock.now_ns()
        self.trouble = ""

    @property
    def connected(self) -> bool:
        """Whether the renderer answers."""
        return self._connected

    @property
    def report(self) -> Report | None:
        """What the renderer told last, None while it does not answer."""
        return self._link.report

    def ask(self, command: Command) -> None:
        """Have the renderer do ``command``; from any thread, returns at once."""
        self._link.outbox.add(command, self._clock.now_ns())

    def serve(self) -> None:
        """Send until asked to stop."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            while not self.stopping.is_set():
                self._pacer.wait()
                self.beat(sock)

    def beat(self, sock: socket.socket) -> None:
        """Take what came and send what is due."""
        now_ns = self._clock.now_ns()
        self._receive(sock, now_ns)
        address = self._resolve(now_ns)
        # Made also while nobody listens: filters and calibration go on.
        datagram = self._link.pose(lambda taken: self._pose(now_ns, taken), now_ns)
        if datagram is None:
            self._pose(now_ns, 0)
        for one in (*self._link.due(now_ns), *(() if datagram is None else (datagram,))):
            if address is not None:
                self._send(sock, one, address)
        self._tell(now_ns)

    def _receive(self, sock: socket.socket, now_ns: int) -> None:
        for _ in range(_MOST_A_BEAT):
            try:
                datagram, _sender = sock.recvfrom(MAX_DATAGRAM + 1)
            except BlockingIOError:
                return
            except OSError:  # an earlier message found nobody
                continue
            try:
                commands = self._link.take(datagram, now_ns)
            except PacketError as error:
                self._telemetry.count("remote.rejected")
                log.debug("from the renderer: %s", error)
                continue
            for command in commands:
                self._do(command)

    def _resolve(self, now_ns: int) -> tuple[str, int] | None:
        """Return the renderer's address; a name is looked up again while nobody answers."""
        if self._link.state is LinkState.CONNECTED:
            return self._address
        if self._resolved_ns is None or now_ns - self._resolved_ns > _RESOLVE_NS:
            self._resolved_ns = now_ns
            try:
                found = socket.getaddrinfo(
                    self._host, self._port, socket.AF_INET, socket.SOCK_DGRAM
                )
            except (OSError, UnicodeError):
                self._address = None
            else:
                self._address = (str(found[0][4][0]), self._port)
        return self._address

    def _send(self, sock: socket.socket, datagram: bytes, address: tuple[str, int]) -> None:
        try:
            sock.sendto(datagram, address)
        except OSError as error:
            self._telemetry.count("remote.send_errors")
            log.debug("to the renderer: %s", error)
        else:
            self._telemetry.count("remote.sent")
            self._telemetry.count("remote.sent_bytes", len(datagram))

    def _tell(self, now_ns: int) -> None:
        """Say once when the renderer comes, goes, or does not answer at all."""
        connected = self._link.state is LinkState.CONNECTED
        if connected != self._connected:
            self._connected = connected
            self._calling_since_ns = now_ns
            self.trouble = ""
            if connected:
                log.info("the renderer %s answers", self._host)
            else:
                log.warning("the renderer %s is gone; calling it", self._host)
        elif not connected and not self.trouble and now_ns - self._calling_since_ns > _UNHEARD_NS:
            if self._address is None:
                self.trouble = f"no computer is called {self._host!r}; give its address instead"
            else:
                self.trouble = (
                    f"{self._host}:{self._port} does not answer: run `vtbridge run --role "
                    f"renderer` there, open UDP port {self._port} in its firewall, and if its "
                    "key is another one type it here again: --new-key"
                )
            log.warning("%s", self.trouble)
