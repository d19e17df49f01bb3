"""The renderer's end of the wire as a state machine: who may send, bytes in, bytes out."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from vtbridge.clock import NS_PER_S
from vtbridge.errors import PacketError
from vtbridge.remote.outbox import Outbox, ReplayWindow
from vtbridge.remote.wire import (
    NONCE_BYTES,
    Command,
    Envelope,
    Kind,
    PoseMessage,
    Report,
    derive,
    encode,
    encode_command,
    encode_report,
    parse,
    parse_command,
    parse_pose,
    session_key,
)

Address = tuple[str, int]
Random = Callable[[int], bytes]

REPORT_EVERY_NS = NS_PER_S // 5
RELEASE_NS = 2 * NS_PER_S
"""Silence after which another computer may take the tracker's place."""
SAME_HOST_RELEASE_NS = NS_PER_S // 4
"""The same, for a tracker that was started again."""
_MAX_CALLERS = 8
_HELLOS_PER_S = 20


@dataclass(slots=True)
class _Session:
    number: int
    key: bytes
    welcome: bytes
    nonce: bytes
    address: Address
    window: ReplayWindow = field(default_factory=ReplayWindow)
    taken: int = 0
    poses: int = 0
    sequence: int = 1  # the WELCOME was the first
    heard_ns: int = 0
    before: int = 0
    """The sequence before the first message that came: until then the tracker called."""
    came: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """What a datagram came to.

    Attributes:
        reply: to be sent back at once, None = nothing.
        pose: a new pose, and when it was sent, by the tracker's clock in nanoseconds.
        command: what the tracker wants done.
        begun: whether another session begins with it.
    """

    reply: bytes | None = None
    pose: tuple[PoseMessage, int] | None = None
    command: Command | None = None
    begun: bool = False


class RendererLink:
    """Answer trackers that have the key, and follow one of them; used by one thread.

    Whoever shows that it has the key for a session of its own is taken while nobody is; the one
    that is taken keeps its place until it has been silent.

    Attributes:
        outbox: commands for the tracker; ``add`` may be called on any thread.

    Args:
        secret: what both ends share.
        allow: hosts that may send; empty = any.
        random: gives so many random bytes.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        allow: Collection[str] = (),
        random: Random = secrets.token_bytes,
    ) -> None:
        self.outbox = Outbox()
        self._secret = secret
        self._allow = frozenset(allow)
        self._random = random
        self._callers: OrderedDict[int, _Session] = OrderedDict()
        self._owner: _Session | None = None
        self._report_ns = 0
        self._hello_window_ns = 0
        self._hellos = 0

    @property
    def owner(self) -> Address | None:
        """Where the tracker sends from, None before the first."""
        return None if self._owner is None else self._owner.address

    @property
    def lost(self) -> int:
        """Messages of the session that never came, or are still on their way."""
        owner = self._owner
        return 0 if owner is None else owner.window.newest - owner.before - owner.came

    def take(self, datagram: bytes, sender: Address, now_ns: int) -> Taken:
        """Take what came from ``sender``.

        Raises:
            PacketError: it is not signed with the key, came before, is not allowed, or another
                tracker has the place; nothing changes.
        """
        if self._allow and sender[0] not in self._allow:
            raise PacketError(f"{sender[0]} is not in [remote] allow", reason="not allowed")
        envelope = parse(datagram)
        if envelope.kind is Kind.HELLO:
            return Taken(reply=self._welcome(envelope, sender, now_ns))
        owner = self._owner
        if owner is not None and envelope.session == owner.number:
            session = owner
        else:
            found = self._callers.get(envelope.session)
            if found is None:
                raise PacketError("of a session that is over or unknown", reason="session")
            session = found
        if sender[0] != session.address[0]:  # before anything that takes time
            raise PacketError(f"{sender[0]} did not begin this session", reason="session")
        if not envelope.is_signed_with(session.key):
            raise PacketError("the signature is wrong", reason="signature")
        if envelope.kind not in (Kind.POSE, Kind.ASK):
            raise PacketError(f"{envelope.kind.name} is nothing for a renderer", reason="kind")
        begun = session is not owner
        if begun:
            self._claim(session, sender, now_ns)
        if not session.window.admit(envelope.sequence):
            raise PacketError(f"message {envelope.sequence} came before", reason="repeated")
        if begun:
            session.before = envelope.sequence - 1
        session.came += envelope.sequence > session.before
        session.heard_ns, session.address = now_ns, sender
        if envelope.kind is Kind.ASK:
            return self._asked(session, envelope, begun)
        message = parse_pose(envelope.payload)
        session.poses += 1
        self.outbox.taken(message.taken)
        return Taken(pose=(message, envelope.sent_us * 1000), begun=begun)

    def due(self, now_ns: int) -> list[bytes]:
        """Return what has to be sent to the owner now."""
        owner = self._owner
        if owner is None or now_ns - owner.heard_ns > RELEASE_NS:
            self.outbox.due(now_ns)  # what nobody hears grows too old
            return []
        messages = []
        if now_ns - self._report_ns >= REPORT_EVERY_NS:
            messages.append(self._report(owner, now_ns))
        command = self.outbox.due(now_ns)
        if command is not None:
            messages.append(self._sign(owner, Kind.TELL, encode_command(*command), now_ns))
        return messages

    def _welcome(self, envelope: Envelope, sender: Address, now_ns: int) -> bytes | None:
        if now_ns - self._hello_window_ns > NS_PER_S:
            self._hello_window_ns, self._hellos = now_ns, 0
        self._hellos += 1
        if self._hellos > _HELLOS_PER_S:
            raise PacketError("too many calls", reason="too many")
        if not envelope.is_signed_with(derive(self._secret, b"hello")):
            raise PacketError(f"{sender[0]} calls with another key", reason="wrong key")
        if len(envelope.payload) != NONCE_BYTES:
            raise PacketError("a HELLO without a nonce", reason="size")
        if self._owner is not None and envelope.session == self._owner.number:
            return None  # late, or recorded
        known = self._callers.get(envelope.session)
        if known is not None:
            return known.welcome if known.nonce == envelope.payload else None
        nonce = self._random(NONCE_BYTES)
        session = _Session(
            envelope.session,
            session_key(self._secret, envelope.session, envelope.payload, nonce),
            encode(
                Kind.WELCOME,
                envelope.session,
                1,
                now_ns // 1000,
                nonce,
                derive(self._secret, b"welcome" + envelope.payload),
            ),
            envelope.payload,
            sender,
        )
        self._callers[session.number] = session
        while len(self._callers) > _MAX_CALLERS:
            self._callers.popitem(last=False)
        return session.welcome

    def _claim(self, session: _Session, sender: Address, now_ns: int) -> None:
        """Give the place to ``session``.

        Raises:
            PacketError: the owner still sends.
        """
        owner = self._owner
        if owner is not None:
            is_same_host = owner.address[0] == sender[0]
            release_ns = SAME_HOST_RELEASE_NS if is_same_host else RELEASE_NS
            if now_ns - owner.heard_ns < release_ns:
                raise PacketError(
                    f"{owner.address[0]} is the tracker; stop it first", reason="other sender"
                )
        del self._callers[session.number]
        self._owner = session
        self._report_ns = 0

    def _asked(self, session: _Session, envelope: Envelope, begun: bool) -> Taken:
        number, command = parse_command(envelope.payload)
        self._report_ns = 0  # tell at once that it was taken
        if number <= session.taken:
            return Taken(begun=begun)
        session.taken = number
        return Taken(command=command, begun=begun)

    def _report(self, owner: _Session, now_ns: int) -> bytes:
        self._report_ns = now_ns
        report = Report(owner.taken, owner.window.newest, owner.poses)
        return self._sign(owner, Kind.REPORT, encode_report(report), now_ns)

    def _sign(self, owner: _Session, kind: Kind, payload: bytes, now_ns: int) -> bytes:
        owner.sequence += 1
        return encode(kind, owner.number, owner.sequence, now_ns // 1000, payload, owner.key)
