"""FMV3 without a network: both ends of a session, and datagrams made to order."""

from __future__ import annotations

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.fmv3 import Fmv3Protocol
from vtbridge.tracking.protocols.fmv3_messages import (
    FrameState,
    Kind,
    Message,
    Schema,
    Start,
    encode_frame,
    encode_message,
    encode_schema,
    parse_message,
)
from vtbridge.tracking.senders.fmv3 import Fmv3Phone

T0 = NS_PER_S
FRAME_NS = NS_PER_S // 60
PHONE = "192.168.1.20"
NONCE = 0x8877665544332211
SESSION = 0x0102030405060708
FACE = FaceFrame(
    T0,
    "fmv3:test",
    blendshapes=dict.fromkeys(ARKIT_NAMES, 0.25),
    head=HeadPose(0.1, -0.2, 0.3),
    left_eye=Gaze(0.1, 0.2),
    right_eye=Gaze(0.3, -0.1),
)


def receiver(phone: str | None = PHONE, transport: str = "udp") -> Fmv3Protocol:
    """Return our end, which asks ``phone`` or waits for anyone."""
    protocol = Fmv3Protocol(phone, transport=transport, nonce=lambda: NONCE)  # type: ignore[arg-type]
    protocol.reset("fmv3:test")
    return protocol


def give(protocol: Fmv3Protocol, datagrams: list[bytes], t_ns: int) -> list[FaceFrame]:
    """Return the faces in ``datagrams``, arrived together."""
    return [face for datagram in datagrams for face in protocol.feed(datagram, t_ns)]


def kinds(datagrams: list[bytes]) -> list[Kind]:
    """Return what each message is."""
    return [parse_message(datagram).kind for datagram in datagrams]


def connected() -> tuple[Fmv3Protocol, Fmv3Phone]:
    """Return both ends of a session, its SCHEMA acknowledged."""
    protocol, phone = receiver(), Fmv3Phone()
    hello = protocol.greeting(T0)
    assert hello is not None
    assert give(protocol, phone.receive(hello.data, T0), T0) == []
    for reply in protocol.replies():
        phone.receive(reply, T0)
    assert phone.sending
    return protocol, phone


def frame(schema: Schema, percents: list[int], pose: list[float], sequence: int = 1) -> bytes:
    """Return a FRAME with these numbers, in one datagram."""
    body = encode_frame(schema, percents, pose)
    message = Message(Kind.FRAME, SESSION, 1, sequence, FrameState.TRACKED, body=body)
    return encode_message(message)[0]


def with_schema(schema: Schema) -> Fmv3Protocol:
    """Return our end after a phone told it ``schema``."""
    protocol = receiver(None)
    body = encode_schema(Start(0), schema)
    give(protocol, encode_message(Message(Kind.SCHEMA, SESSION, 1, body=body), datagram=1200), T0)
    return protocol
