"""The tracker's end of the wire as a state machine: bytes in, bytes out, no socket."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum

from vtbridge.clock import NS_PER_S
from vtbridge.errors import PacketError
from vtbridge.remote.outbox import Outbox, ReplayWindow
from vtbridge.remote.wire import (
    NONCE_BYTES,
    Command,
    Kind,
    PoseMessage,
    Report,
    derive,
    encode,
    encode_command,
    encode_pose,
    parse,
    parse_command,
    parse_report,
    session_key,
)

HELLO_EVERY_NS = NS_PER_S // 2
SILENCE_NS = 2 * NS_PER_S
"""Without a report for so long the other end has lost the session: begin another."""

Random = Callable[[int], bytes]


class LinkState(Enum):
    """Whether the other computer is there."""

    CALLING = "calling"
    CONNECTED = "connected"


class TrackerLink:
    """Call the renderer until it answers, then sign poses; used by one thread.

    Attributes:
        state: whether the renderer has answered, and still does.
        outbox: commands for the renderer; ``add`` may be called on any thread.
        report: what the renderer told last, None before.

    Args:
        secret: what both ends share.
        random: gives so many random bytes.
    """

    def __init__(self, secret: bytes, *, random: Random = secrets.token_bytes) -> None:
        self.state = LinkState.CALLING
        self.outbox = Outbox()
        self.report: Report | None = None
        self._secret = secret
        self._random = random
        self._key = b""
        self._heard_ns = 0
        self._hello_ns: int | None = None
        self._taken = 0
        self._begin()

    def due(self, now_ns: int) -> list[bytes]:
        """Return what has to be sent now beside poses."""
        if self.state is LinkState.CONNECTED and now_ns - self._heard_ns > SILENCE_NS:
            self._begin()
        if self.state is LinkState.CALLING:
            if self._hello_ns is not None and now_ns - self._hello_ns < HELLO_EVERY_NS:
                return []
            self._hello_ns = now_ns
            return [self._sign(Kind.HELLO, self._nonce, derive(self._secret, b"hello"), now_ns)]
        command = self.outbox.due(now_ns)
        if command is None:
            return []
        return [self._sign(Kind.ASK, encode_command(*command), self._key, now_ns)]

    def pose(self, message: Callable[[int], PoseMessage], now_ns: int) -> bytes | None:
        """Return the datagram of a pose, None while nobody has answered.

        Args:
            message: makes it, of the id of the newest command that was taken.
            now_ns: the moment.
        """
        if self.state is not LinkState.CONNECTED:
            return None
        return self._sign(Kind.POSE, encode_pose(message(self._taken)), self._key, now_ns)

    def take(self, datagram: bytes, now_ns: int) -> list[Command]:
        """Take what came, and return what the renderer wants done.

        Raises:
            PacketError: it is none of the renderer's, or came before; nothing changes.
        """
        envelope = parse(datagram)
        if envelope.session != self._session:
            raise PacketError("of another session", reason="session")
        if envelope.kind is Kind.WELCOME:
            if not envelope.is_signed_with(derive(self._secret, b"welcome" + self._nonce)):
                raise PacketError("the signature of a WELCOME is wrong", reason="signature")
            if self.state is LinkState.CALLING and len(envelope.payload) == NONCE_BYTES:
                self._key = session_key(self._secret, self._session, self._nonce, envelope.payload)
                self.state, self._heard_ns = LinkState.CONNECTED, now_ns
            return []
        if self.state is not LinkState.CONNECTED or not envelope.is_signed_with(self._key):
            raise PacketError("the signature is wrong", reason="signature")
        if envelope.kind not in (Kind.REPORT, Kind.TELL):
            raise PacketError(f"{envelope.kind.name} is nothing for a tracker", reason="kind")
        if not self._window.admit(envelope.sequence):
            raise PacketError(f"message {envelope.sequence} came before", reason="repeated")
        self._heard_ns = now_ns
        if envelope.kind is Kind.REPORT:
            self.report = parse_report(envelope.payload)
            self.outbox.taken(self.report.taken)
            return []
        number, command = parse_command(envelope.payload)
        if number <= self._taken:
            return []
        self._taken = number
        return [command]

    def _begin(self) -> None:
        """Forget the session and call with another one."""
        self.state = LinkState.CALLING
        self._session = int.from_bytes(self._random(8), "big")
        self._nonce = self._random(NONCE_BYTES)
        self._sequence = 0
        self._window = ReplayWindow()
        self._taken = 0
        self._hello_ns = None
        self.report = None

    def _sign(self, kind: Kind, payload: bytes, key: bytes, now_ns: int) -> bytes:
        self._sequence += 1
        return encode(kind, self._session, self._sequence, now_ns // 1000, payload, key)
