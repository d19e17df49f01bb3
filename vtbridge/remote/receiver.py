"""The renderer's thread: one UDP port, from signed datagrams to poses and commands."""

from __future__ import annotations

import errno
import logging
import socket
from collections import Counter
from collections.abc import Callable

from vtbridge.clock import Clock
from vtbridge.errors import PacketError, PortInUse
from vtbridge.flow.service import ThreadService
from vtbridge.remote.renderer_link import Address, RendererLink, Taken
from vtbridge.remote.wire import MAX_DATAGRAM, Command
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

_TIMEOUT_S = 0.02
_LAST_RETRY_S = 10.0
_LOUD = {"wrong key", "version", "other sender", "not allowed"}
"""What a user has to know about; once each."""

OnPose = Callable[[Taken, Address, int], None]
"""Takes a pose, who sent it, and when it came."""


class PoseReceiver(ThreadService):
    """Receive poses and commands on one port; survives whatever arrives.

    Attributes:
        packets: datagrams so far.
        rejects: what was refused, by reason.
        port: the UDP port, once ``bind`` has been called.

    Args:
        link: the protocol.
        host: address to listen on.
        port: UDP port, 0 = any free one.
        on_pose: called with each pose, on this thread.
        on_command: called with each command of the tracker, on this thread.
        clock: the time of arrival.
        telemetry: counts ``remote.packets``, ``remote.bytes`` and ``remote.rejected``.
    """

    def __init__(
        self,
        link: RendererLink,
        *,
        host: str,
        port: int,
        on_pose: OnPose,
        on_command: Callable[[Command], None],
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        super().__init__("remote-receiver")
        self.packets = 0
        self.rejects: Counter[str] = Counter()
        self.port = port
        self._link = link
        self._host = host
        self._on_pose = on_pose
        self._on_command = on_command
        self._clock = clock
        self._telemetry = telemetry
        self._socket: socket.socket | None = None
        self._told: set[str] = set()

    @property
    def link(self) -> RendererLink:
        """The protocol."""
        return self._link

    def bind(self) -> None:
        """Take the port.

        Raises:
            PortInUse: another program has it, or the address is none of this computer's.
        """
        if self._socket is not None:
            return
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((self._host, self.port))
        except OSError as error:
            sock.close()
            remedy = (
                "set another [remote] port, on both computers"
                if error.errno == errno.EADDRINUSE
                else "correct [remote] listen"
            )
            raise PortInUse(
                f"UDP port {self.port} on {self._host} cannot be had ({error.strerror}); {remedy}"
            ) from error
        self.port = sock.getsockname()[1]
        sock.settimeout(_TIMEOUT_S)
        self._socket = sock
        log.info("waiting for the tracker on UDP port %d", self.port)

    def tell(self, command: Command) -> None:
        """Have the tracker do ``command``; from any thread, returns at once."""
        self._link.outbox.add(command, self._clock.now_ns())

    def serve(self) -> None:
        """Receive until asked to stop; a network that fails is tried again."""
        retry_s = 0.5
        try:
            while not self.stopping.is_set():
                try:
                    self.bind()
                    self._receive()
                    return
                except (PortInUse, OSError) as error:
                    if "port" not in self._told:
                        self._told.add("port")
                        log.warning("%s (tried again in the background)", error)
                    self._close()
                self.stopping.wait(retry_s)
                retry_s = min(2 * retry_s, _LAST_RETRY_S)
        finally:
            self._close()

    def stop(self, *, timeout_s: float = 2.0) -> bool:
        """Ask the thread to end, free the port and return whether it did in time."""
        stopped = super().stop(timeout_s=timeout_s)
        if stopped:
            self._close()
        return stopped

    def _receive(self) -> None:
        sock = self._socket
        while sock is not None and not self.stopping.is_set():
            try:
                datagram, sender = sock.recvfrom(MAX_DATAGRAM + 1)
            except (TimeoutError, ConnectionError):
                datagram = b""
            now_ns = self._clock.now_ns()
            if datagram:
                self._take(sock, datagram, sender, now_ns)
            for message in self._link.due(now_ns):
                if self._link.owner is not None:
                    self._send(sock, message, self._link.owner)

    def _take(self, sock: socket.socket, datagram: bytes, sender: Address, now_ns: int) -> None:
        self.packets += 1
        self._telemetry.count("remote.packets")
        self._telemetry.count("remote.bytes", len(datagram))
        try:
            taken = self._link.take(datagram, sender, now_ns)
        except PacketError as error:
            self._refuse(error, sender)
            return
        if taken.begun:
            log.info("the tracker is %s", sender[0])
        if taken.reply is not None:
            self._send(sock, taken.reply, sender)
        if taken.pose is not None:
            self._on_pose(taken, sender, now_ns)
        if taken.command is not None:
            self._on_command(taken.command)

    def _refuse(self, error: PacketError, sender: Address) -> None:
        self.rejects[error.reason] += 1
        self._telemetry.count("remote.rejected")
        if error.reason in _LOUD and error.reason not in self._told:
            self._told.add(error.reason)
            log.warning("refused a tracker at %s: %s", sender[0], error)
        else:
            log.debug("from %s: %s", sender[0], error)

    def _send(self, sock: socket.socket, message: bytes, address: Address) -> None:
        try:
            sock.sendto(message, address)
        except OSError as error:
            self._telemetry.count("remote.send_errors")
            log.debug("to %s: %s", address[0], error)

    def _close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()
