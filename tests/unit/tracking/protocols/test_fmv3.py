"""FMV3's handshake holds in both directions, whatever gets lost and whoever else speaks."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from tests.support.fmv3 import (
    FACE,
    FRAME_NS,
    NONCE,
    PHONE,
    SESSION,
    T0,
    connected,
    give,
    kinds,
    receiver,
)
from vtbridge.clock import NS_PER_S
from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.fmv3 import (
    HELLO_INTERVAL_NS,
    PING_INTERVAL_NS,
    REPEAT_INTERVAL_NS,
    SILENCE_NS,
    Fmv3Protocol,
)
from vtbridge.tracking.protocols.fmv3_messages import (
    Kind,
    Message,
    Schema,
    Start,
    encode_message,
    encode_schema,
)
from vtbridge.tracking.senders.fmv3 import Fmv3Encoder, Fmv3Phone


def test_face_comes_after_hello_schema_and_acknowledgement() -> None:
    protocol, phone = receiver(), Fmv3Phone()
    assert phone.frames(FACE) == []
    hello = protocol.greeting(T0)
    assert hello is not None
    schema = phone.receive(hello.data, T0)
    assert len(schema) == 3
    assert all(len(datagram) <= 576 for datagram in schema)
    assert give(protocol, schema[:2], T0) == []
    assert protocol.replies() == []
    assert phone.frames(FACE) == []  # not before the acknowledgement
    assert give(protocol, schema[2:], T0) == []
    replies = protocol.replies()
    assert kinds(replies) == [Kind.SCHEMA_ACK, Kind.PING]
    assert protocol.replies() == []
    answers = [answer for reply in replies for answer in phone.receive(reply, T0)]
    assert kinds(answers) == [Kind.PONG]
    assert give(protocol, answers, T0) == []
    (face,) = give(protocol, phone.frames(FACE), T0)
    assert (face.t_ns, face.source, face.tracked) == (T0, "fmv3:test", True)
    assert face.blendshapes == FACE.blendshapes


def test_stream_begun_on_the_phone_needs_no_hello() -> None:
    protocol, phone = receiver(None), Fmv3Phone()
    assert protocol.greeting(T0) is None
    give(protocol, phone.start(T0), T0)
    for reply in protocol.replies():
        phone.receive(reply, T0)
    assert len(give(protocol, phone.frames(FACE), T0)) == 1


def test_sender_that_hears_no_answer_is_understood() -> None:
    protocol, encode = receiver(None), Fmv3Encoder()
    for number in range(180):
        now_ns = T0 + number * FRAME_NS
        faces = give(protocol, encode(dataclasses.replace(FACE, t_ns=now_ns)), now_ns)
        assert len(faces) == 1
    assert protocol.lost == 0


def test_tcp_has_no_pieces_and_no_acknowledgement() -> None:
    protocol, phone = receiver(transport="tcp"), Fmv3Phone(transport="tcp")
    hello = protocol.greeting(T0)
    assert hello is not None
    assert hello.port == 49984
    (schema,) = phone.receive(hello.data, T0)
    protocol.feed(schema, T0)
    assert kinds(protocol.replies()) == [Kind.PING]
    assert len(give(protocol, phone.frames(FACE), T0)) == 1


def test_hello_is_sent_every_second_until_faces_come_and_again_in_silence() -> None:
    protocol, phone = connected()
    assert protocol.greeting(T0 + HELLO_INTERVAL_NS - 1) is None
    assert protocol.greeting(T0 + HELLO_INTERVAL_NS) is not None
    last_ns = T0 + HELLO_INTERVAL_NS
    for _ in range(300):
        last_ns += FRAME_NS
        assert len(give(protocol, phone.frames(FACE), last_ns)) == 1
        assert protocol.greeting(last_ns) is None
    assert protocol.greeting(last_ns + SILENCE_NS - 1) is None
    assert protocol.greeting(last_ns + SILENCE_NS) is not None


def test_phone_hears_from_the_receiver_every_few_seconds() -> None:
    protocol, phone = connected()
    pings = []
    for number in range(1, 10 * 60):
        now_ns = T0 + number * FRAME_NS
        give(protocol, phone.frames(FACE), now_ns)
        pings += [now_ns] * kinds(protocol.replies()).count(Kind.PING)
    assert len(pings) == 3
    assert all(b - a >= PING_INTERVAL_NS for a, b in itertools.pairwise(pings))


def test_lost_acknowledgement_is_repeated_at_most_once_a_second() -> None:
    protocol, phone = receiver(), Fmv3Phone()
    hello = protocol.greeting(T0)
    assert hello is not None
    schema = phone.receive(hello.data, T0)
    give(protocol, schema, T0)
    assert Kind.SCHEMA_ACK in kinds(protocol.replies())  # and is lost on its way
    give(protocol, schema, T0 + REPEAT_INTERVAL_NS - 1)
    assert protocol.replies() == []
    give(protocol, schema, T0 + REPEAT_INTERVAL_NS)
    assert kinds(protocol.replies()) == [Kind.SCHEMA_ACK]


def test_phone_repeats_its_schema_until_it_is_acknowledged() -> None:
    phone = Fmv3Phone()
    first = phone.start(T0)
    later = dataclasses.replace(FACE, t_ns=T0 + NS_PER_S)
    assert phone.frames(FACE) == []
    assert phone.frames(later) == first


def test_new_session_replaces_the_old_one_for_good() -> None:
    protocol, phone = connected()
    old = phone.frames(FACE)
    give(protocol, old, T0)
    again = Fmv3Phone(("jawOpen",), session=SESSION + 9)
    hello = protocol.greeting(T0 + 10 * NS_PER_S)
    assert hello is not None
    give(protocol, again.receive(hello.data, T0), T0)
    for reply in protocol.replies():
        again.receive(reply, T0)
    with pytest.raises(PacketError):
        give(protocol, phone.frames(FACE), T0)
    with pytest.raises(PacketError):
        give(protocol, phone.schema_again(T0 + 10 * NS_PER_S), T0)
    assert give(protocol, again.frames(FACE), T0)[0].blendshapes == {"jawOpen": 0.25}


def test_schema_for_another_receiver_is_refused() -> None:
    protocol = receiver()
    body = encode_schema(Start(NONCE + 1), Schema(("jawOpen",)))
    (schema,) = encode_message(Message(Kind.SCHEMA, SESSION, 1, body=body), datagram=1200)
    with pytest.raises(PacketError):
        protocol.feed(schema, T0)
    assert protocol.replies() == []
    protocol.replayed = True  # whose answer it was is not known then
    assert protocol.feed(schema, T0) == []
    assert kinds(protocol.replies()) == [Kind.SCHEMA_ACK, Kind.PING]


def test_refusal_says_the_phones_words() -> None:
    busy = encode_message(Message(Kind.ERROR, NONCE, body=b"BUSY"))[0]
    with pytest.raises(PacketError, match="BUSY"):
        receiver().feed(busy, T0)
    protocol, _ = connected()
    with pytest.raises(PacketError) as late:  # of a HELLO that was answered since
        protocol.feed(busy, T0)
    assert late.value.reason == "fmv3 for another"


def test_busy_phone_refuses_another_receiver() -> None:
    _, phone = connected()
    other = Fmv3Protocol(PHONE, nonce=lambda: 99).greeting(T0)
    assert other is not None
    assert kinds(phone.receive(other.data, T0)) == [Kind.ERROR]


def test_phone_that_answered_is_asked_at_once_on_a_new_connection() -> None:
    protocol, phone = connected()
    give(protocol, phone.frames(FACE), T0 + 1)
    protocol.reset("fmv3:test")
    assert protocol.greeting(T0 + 2) is not None
    protocol.reset("fmv3:test")  # by whoever speaks first there
    assert protocol.greeting(T0 + 3) is None


@pytest.mark.parametrize("answer", [b"BUSY", b""])
def test_silent_or_refusing_phone_is_not_asked_more_often_for_a_reset(answer: bytes) -> None:
    protocol = receiver()
    asked = 0
    for t_ns in range(T0, T0 + 3 * NS_PER_S, FRAME_NS):
        asked += protocol.greeting(t_ns) is not None
        protocol.reset("fmv3:test")
        if answer:
            with pytest.raises(PacketError):
                protocol.feed(encode_message(Message(Kind.ERROR, NONCE, body=answer))[0], t_ns)
    assert asked == 3


def test_reset_forgets_the_session_but_not_the_request() -> None:
    protocol, phone = connected()
    protocol.reset("fmv3:other")
    with pytest.raises(PacketError):
        give(protocol, phone.frames(FACE), T0)
    hello = protocol.greeting(T0 + NS_PER_S)
    assert hello is not None
    give(protocol, phone.receive(hello.data, T0 + NS_PER_S), T0 + NS_PER_S)  # the same session
    (face,) = give(protocol, phone.frames(FACE), T0 + NS_PER_S)
    assert face.source == "fmv3:other"
