"""Receive FMV3, the binary protocol of iFacialMocap 1.5.3, Facemotion3d 1.4.6 and later.

HELLO -> SCHEMA -> SCHEMA_ACK -> FRAME...: the phone names its blendshapes once and
sends bare numbers from then on. Over UDP it waits for the acknowledgement of each
SCHEMA and repeats it once a second; over TCP there is none. It stops after 10 s
without a word from here, so it is sent a PING now and then.

The same HELLO is sent until the phone answers and whenever it falls silent: a phone
that still runs the session sends its SCHEMA again, another begins anew. A stream that is
started on the phone needs no HELLO.

Over TCP this computer connects to port 49984 of the phone, and HELLO goes through that
connection; ``protocols.stream.Fmv3Framer`` finds the messages in it.

Source: PROTOCOL_V3.md, revision 5 (see ``fmv3_messages``). Angles as in the apps' text.
"""

from __future__ import annotations

import math
import secrets
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ShapeKind, shape_from_spelling
from vtbridge.tracking.protocols.fmv3_messages import (
    MAGIC,
    POSE,
    FrameState,
    Hello,
    Kind,
    Message,
    Schema,
    Start,
    encode_hello,
    encode_message,
    parse_message,
    parse_schema,
)
from vtbridge.tracking.protocols.ifacialmocap import (
    LARGEST_ANGLE_DEG,
    PERCENT,
    gaze_from_degrees,
    head_from_degrees,
)
from vtbridge.tracking.protocols.pieces import PieceJoiner
from vtbridge.tracking.protocols.protocol import Greeting, TrackerProtocol, weight_from_number

DEFAULT_PORT = 49983
PHONE_TCP_PORT = 49984
HELLO_INTERVAL_NS = NS_PER_S
SILENCE_NS = 3 * NS_PER_S
"""Time without a FRAME after which the phone is asked again."""
PING_INTERVAL_NS = 3 * NS_PER_S
RESYNC_NS = NS_PER_S // 4
"""Time of nothing but late FRAMEs after which their numbers are believed again."""
MOST_LOST = 600
"""A longer jump of the numbers, ten seconds of FRAMEs, is no loss but a new count."""
REPEAT_INTERVAL_NS = NS_PER_S
"""Least time between acknowledgements, or requests, of the same SCHEMA."""

_FRAME_WAIT_NS = NS_PER_S // 4
_SCHEMA_WAIT_NS = 3 * NS_PER_S
_RETIRED = 32
_HALF_OF_U32 = 1 << 31
_U32 = (1 << 32) - 1


@dataclass(slots=True)
class _Session:
    """A stream of one phone, from its first SCHEMA on."""

    number: int
    start: Start
    schema_id: int
    schema_body: bytes
    values: struct.Struct
    shapes: tuple[tuple[int, str], ...]
    last_ack_ns: int
    sequence: int | None = None
    last_request_ns: int | None = None


class Fmv3Protocol(TrackerProtocol):
    """One phone that sends FMV3.

    Args:
        phone: address to greet, None to wait for a stream that is started on the phone.
        phone_port: where the phone listens; None = what is usual for ``transport``.
        transport: over ``tcp`` SCHEMA is not acknowledged.
        nonce: returns a number other than 0 by which the phone's answer is known.
    """

    name = "fmv3"

    def __init__(
        self,
        phone: str | None = None,
        *,
        phone_port: int | None = None,
        transport: Literal["udp", "tcp"] = "udp",
        nonce: Callable[[], int] = lambda: secrets.randbits(64) or 1,
    ) -> None:
        super().__init__()
        self.lost = 0
        self._by_udp = transport == "udp"
        self._nonce = nonce()
        self._greeting = None
        if phone is not None:
            (hello,) = encode_message(Message(Kind.HELLO, self._nonce, body=encode_hello(Hello())))
            usual = DEFAULT_PORT if self._by_udp else PHONE_TCP_PORT
            self._greeting = Greeting(hello, phone, phone_port or usual)
        self._unanswered_ns: int | None = None  # survives reset: a silent phone is not pestered
        self.reset("")

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether FMV3's name begins the datagram."""
        return datagram.startswith(MAGIC)

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        self._source = source
        self._session: _Session | None = None
        self._retired: deque[int] = deque(maxlen=_RETIRED)
        self._joiner = PieceJoiner()
        self._last_frame_ns: int | None = None
        self._last_ping_ns: int | None = None
        self._pings = 0
        self._owed: list[bytes] = []

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram, or one message of a stream, and return its face if it has one.

        Raises:
            PacketError: it breaks the protocol, or the phone refuses to send.
        """
        message = parse_message(datagram)
        faces: list[FaceFrame] = []
        match message.kind:
            case Kind.FRAME:
                faces = self._take_frame(message, t_ns)
            case Kind.SCHEMA:
                self._take_schema(message, t_ns)
            case Kind.ERROR:
                raise self._refusal(message)
            case Kind.PONG:
                self._of_session(message)
            case _:
                raise PacketError(
                    f"FMV3: a phone never sends {message.kind.name}", reason="malformed fmv3"
                )
        self._ping(t_ns)
        return faces

    def greeting(self, t_ns: int) -> Greeting | None:
        """Return HELLO, once a second, while no FRAME comes."""
        if self._greeting is None:
            return None
        if self._last_frame_ns is not None and t_ns - self._last_frame_ns < SILENCE_NS:
            return None
        asked_ns = self._unanswered_ns
        if asked_ns is not None and t_ns - asked_ns < HELLO_INTERVAL_NS:
            return None
        self._unanswered_ns = t_ns
        return self._greeting

    def replies(self) -> list[bytes]:
        """Return, once, the acknowledgement, request or sign of life that is owed."""
        owed, self._owed = self._owed, []
        return owed

    def _of_session(self, message: Message) -> _Session:
        session = self._session
        if session is None or message.session != session.number:
            raise PacketError(
                f"FMV3: a {message.kind.name} of a session without a schema",
                reason="unknown fmv3 session",
            )
        return session

    def _take_schema(self, message: Message, t_ns: int) -> None:
        session = self._session
        if message.session in self._retired:
            raise PacketError("FMV3: a SCHEMA of a replaced session", reason="old fmv3 session")
        same = session is not None and session.number == message.session
        if session is not None and same and message.schema < session.schema_id:
            return  # late
        body = self._joiner.join(
            (message.kind, message.session, message.schema),
            message.body,
            number=message.piece,
            count=message.pieces,
            total=message.total,
            t_ns=t_ns,
            wait_ns=_SCHEMA_WAIT_NS,
        )
        if body is None:
            return
        if session is not None and same and message.schema == session.schema_id:
            self._take_repeated(session, body, t_ns)
            return
        start, schema = parse_schema(body)
        if session is not None and same and start != session.start:
            raise PacketError("FMV3: a session changes its terms", reason="malformed fmv3")
        if start.nonce not in (0, self._nonce) and not self.replayed:
            raise PacketError(
                "FMV3: a SCHEMA for another receiver; one phone sends to one computer",
                reason="fmv3 for another",
            )
        self._joiner.clear()
        if session is not None and not same:
            self._retired.append(session.number)
        self._session = _Session(
            number=message.session,
            start=start,
            schema_id=message.schema,
            schema_body=body,
            values=schema.values,
            shapes=_arkit_shapes(schema),
            last_ack_ns=t_ns,
            sequence=session.sequence if session is not None and same else None,
        )
        self._acknowledge(self._session, t_ns)

    def _take_repeated(self, session: _Session, body: bytes, t_ns: int) -> None:
        if body != session.schema_body:
            raise PacketError("FMV3: one schema number, two schemas", reason="malformed fmv3")
        if t_ns - session.last_ack_ns >= REPEAT_INTERVAL_NS:
            self._acknowledge(session, t_ns)

    def _acknowledge(self, session: _Session, t_ns: int) -> None:
        session.last_ack_ns = t_ns
        if self._by_udp:
            self._owe(Message(Kind.SCHEMA_ACK, session.number, session.schema_id))

    def _take_frame(self, message: Message, t_ns: int) -> list[FaceFrame]:
        session = self._of_session(message)
        if message.schema > session.schema_id:
            last_ns = session.last_request_ns
            if last_ns is None or t_ns - last_ns >= REPEAT_INTERVAL_NS:
                session.last_request_ns = t_ns
                self._owe(Message(Kind.GET_SCHEMA, session.number, message.schema))
            return []
        step = 1
        if session.sequence is not None:
            step = (message.sequence - session.sequence) & _U32
        is_late = not 0 < step < _HALF_OF_U32
        if is_late and step != 0 and self._last_frame_ns is not None:
            # A number far ahead by damage must not make all that follows late for ever.
            is_late = t_ns - self._last_frame_ns < RESYNC_NS
        if message.schema < session.schema_id or is_late:
            return []  # late or doubled
        if message.total != session.values.size + POSE.size:
            raise PacketError(
                f"FMV3: a FRAME of {message.total} bytes does not fit its schema",
                reason="malformed fmv3",
            )
        body = self._joiner.join(
            (message.kind, message.session, message.schema, message.sequence, message.flags),
            message.body,
            number=message.piece,
            count=message.pieces,
            total=message.total,
            t_ns=t_ns,
            wait_ns=_FRAME_WAIT_NS,
        )
        if body is None:
            return []
        pose = POSE.unpack_from(body, session.values.size)
        if not all(math.isfinite(number) for number in pose):
            raise PacketError("FMV3: an angle that is not finite", reason="malformed fmv3")
        session.sequence = message.sequence
        if step <= MOST_LOST:
            self.lost = (self.lost or 0) + step - 1
        self._last_frame_ns = t_ns
        self._unanswered_ns = None
        return [self._face(session, session.values.unpack_from(body), pose, message.flags, t_ns)]

    def _face(
        self,
        session: _Session,
        percents: tuple[int, ...],
        pose: tuple[float, ...],
        flags: FrameState,
        t_ns: int,
    ) -> FaceFrame:
        blendshapes: dict[str, float] = {}
        for place, name in session.shapes:
            weight = weight_from_number(percents[place] / PERCENT)
            if weight is None:
                self.values_dropped += 1
            else:
                blendshapes[name] = weight
        head, right, left = pose[:3], pose[6:8], pose[9:11]
        possible = [max(map(abs, part)) <= LARGEST_ANGLE_DEG for part in (head, right, left)]
        self.values_dropped += possible.count(False)
        return FaceFrame(
            t_ns=t_ns,
            source=self._source,
            tracked=FrameState.TRACKED in flags,
            blendshapes=MappingProxyType(blendshapes),
            head=head_from_degrees(*head) if possible[0] else None,
            right_eye=gaze_from_degrees(*right) if possible[1] else None,
            left_eye=gaze_from_degrees(*left) if possible[2] else None,
        )

    def _refusal(self, message: Message) -> PacketError:
        number = self._nonce if self._session is None else self._session.number
        if message.session != number:
            return PacketError("FMV3: an ERROR for another", reason="fmv3 for another")
        words = message.body.decode("utf-8", "replace")
        return PacketError(
            f"the phone refuses to send: {words!r}; look at the app", reason="refused by the phone"
        )

    def _ping(self, t_ns: int) -> None:
        """Owe the phone a sign of life, often enough that it does not give up."""
        session, last_ns = self._session, self._last_ping_ns
        if session is None or (last_ns is not None and t_ns - last_ns < PING_INTERVAL_NS):
            return
        self._last_ping_ns = t_ns
        self._pings = (self._pings + 1) & _U32
        self._owe(Message(Kind.PING, session.number, sequence=self._pings))

    def _owe(self, message: Message) -> None:
        self._owed = [*self._owed, *encode_message(message)][-_RETIRED:]


def _arkit_shapes(schema: Schema) -> tuple[tuple[int, str], ...]:
    """Return place and ARKit name of each number that is a blendshape known here."""
    shapes = ((place, shape_from_spelling(name)) for place, name in enumerate(schema.names))
    return tuple(
        (place, shape.name)
        for place, shape in shapes
        if shape is not None and shape.kind is ShapeKind.ARKIT
    )
