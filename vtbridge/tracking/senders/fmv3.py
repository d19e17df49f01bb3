"""Be a phone that speaks FMV3: both directions of its handshake, no socket."""

from __future__ import annotations

from typing import Literal

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.fmv3_messages import (
    LARGEST_DATAGRAM,
    NO_STATE,
    FrameState,
    Kind,
    Message,
    Schema,
    Start,
    encode_frame,
    encode_message,
    encode_schema,
    parse_hello,
    parse_message,
)
from vtbridge.tracking.senders.ifacialmocap import degrees_from_gaze, degrees_from_head

SCHEMA_INTERVAL_NS = NS_PER_S
FIRST_SESSION = 0x0102030405060708


class Fmv3Phone:
    """A phone that answers HELLO with its SCHEMA and, once that is acknowledged, sends faces.

    Args:
        names: blendshapes that it sends, in this order.
        encoding: of the numbers, ``i16`` or ``i32``.
        transport: over ``tcp`` it waits for no acknowledgement and cuts nothing in pieces.
        session: number of its first session; each further one has the next.
        waits: False to send faces without an acknowledgement, as no real phone does.
    """

    def __init__(
        self,
        names: tuple[str, ...] = ARKIT_NAMES,
        *,
        encoding: Literal["i16", "i32"] = "i16",
        transport: Literal["udp", "tcp"] = "udp",
        session: int = FIRST_SESSION,
        waits: bool = True,
    ) -> None:
        self._schema = Schema(names, encoding)
        self._by_udp = transport == "udp"
        self._waits = waits and self._by_udp
        self._session = session - 1
        self._start: Start | None = None
        self._schema_id = 1
        self._acknowledged = False
        self._sequence = 0
        self._schema_sent_ns: int | None = None

    @property
    def sending(self) -> bool:
        """True while faces become datagrams."""
        return self._start is not None and (self._acknowledged or not self._waits)

    def start(self, t_ns: int) -> list[bytes]:
        """Begin a stream of its own accord; return its SCHEMA."""
        return self._begin(Start(nonce=0), t_ns)

    def change_names(self, names: tuple[str, ...], t_ns: int) -> list[bytes]:
        """Send other blendshapes from now on; return the new SCHEMA."""
        self._schema = Schema(names, self._schema.encoding)
        self._schema_id += 1
        self._acknowledged = False
        return self._schema_datagrams(t_ns)

    def receive(self, datagram: bytes, t_ns: int) -> list[bytes]:
        """Take one datagram of the receiver and return the answers.

        Raises:
            PacketError: it breaks the protocol.
        """
        message = parse_message(datagram)
        match message.kind:
            case Kind.HELLO:
                hello = parse_hello(message.body)
                if self._start is not None and self._start.nonce == message.session:
                    return self.schema_again(t_ns)
                if self.sending:
                    return encode_message(Message(Kind.ERROR, message.session, body=b"BUSY"))
                return self._begin(Start(message.session, hello.fps, hello.datagram), t_ns)
            case Kind.SCHEMA_ACK if message.session == self._session:
                self._acknowledged |= message.schema == self._schema_id
            case Kind.GET_SCHEMA if message.session == self._session:
                return self.schema_again(t_ns)
            case Kind.PING if message.session == self._session:
                return encode_message(Message(Kind.PONG, self._session, sequence=message.sequence))
            case Kind.STOP if message.session == self._session:
                self._start = None
            case _:
                pass  # of another session: late
        return []

    def schema_again(self, t_ns: int) -> list[bytes]:
        """Return the SCHEMA, unless it went out within the last second."""
        last_ns = self._schema_sent_ns
        if last_ns is not None and t_ns - last_ns < SCHEMA_INTERVAL_NS:
            return []
        return self._schema_datagrams(t_ns)

    def frames(self, face: FaceFrame) -> list[bytes]:
        """Return the FRAME of a face; its SCHEMA where that waits to be acknowledged."""
        if self._start is None:
            return []
        if not self.sending:
            return self.schema_again(face.t_ns)
        self._sequence = (self._sequence + 1) & 0xFFFF_FFFF
        percents = [round(100 * face.blendshapes.get(name, 0.0)) for name in self._schema.names]
        head, eyes = face.head or HeadPose(), (face.right_eye or Gaze(), face.left_eye or Gaze())
        pose = [*degrees_from_head(head), 0.0, 0.0, 0.0]
        for eye in eyes:
            pose += degrees_from_gaze(eye)
        return self._encode(
            Message(
                Kind.FRAME,
                self._session,
                self._schema_id,
                self._sequence,
                FrameState.TRACKED if face.tracked else NO_STATE,
                body=encode_frame(self._schema, percents, pose),
            )
        )

    def _begin(self, start: Start, t_ns: int) -> list[bytes]:
        self._session += 1
        self._start = start
        self._schema_id, self._sequence, self._acknowledged = 1, 0, False
        return self._schema_datagrams(t_ns)

    def _schema_datagrams(self, t_ns: int) -> list[bytes]:
        if self._start is None:
            return []
        self._schema_sent_ns = t_ns
        body = encode_schema(self._start, self._schema)
        return self._encode(Message(Kind.SCHEMA, self._session, self._schema_id, body=body))

    def _encode(self, message: Message) -> list[bytes]:
        datagram = LARGEST_DATAGRAM if self._start is None else self._start.datagram
        return encode_message(message, datagram=datagram if self._by_udp else None)


class Fmv3Encoder:
    """Write faces for a receiver that cannot answer: SCHEMA now and then, FRAMEs regardless."""

    def __init__(self) -> None:
        self._phone = Fmv3Phone(waits=False)

    def __call__(self, face: FaceFrame) -> list[bytes]:
        """Return the datagrams of a face."""
        phone = self._phone
        schema = phone.schema_again if phone.sending else phone.start
        return [*schema(face.t_ns), *phone.frames(face)]
