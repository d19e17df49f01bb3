"""FMV3's handshake holds in both directions, and its bytes are those of the specification."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import struct

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.fmv3 import (
    HELLO_INTERVAL_NS,
    PING_INTERVAL_NS,
    REPEAT_INTERVAL_NS,
    SILENCE_NS,
    Fmv3Protocol,
)
from vtbridge.tracking.protocols.fmv3_messages import (
    HEADER,
    MAX_NAMES,
    MAX_SCHEMA_BYTES,
    FrameState,
    Hello,
    Kind,
    Message,
    Schema,
    Start,
    encode_frame,
    encode_hello,
    encode_message,
    encode_schema,
    parse_hello,
    parse_message,
    parse_schema,
)
from vtbridge.tracking.protocols.protocol import Greeting
from vtbridge.tracking.senders.fmv3 import Fmv3Encoder, Fmv3Phone

T0 = NS_PER_S
FRAME_NS = NS_PER_S // 60
PHONE = "192.168.1.20"
NONCE = 0x8877665544332211
SESSION = 0x0102030405060708
HELLO_HEX = (
    "464d5633010028001122334455667788000000000000000000000000080000000000010008000000"
    "3c00b00405000000"
)
FACE = FaceFrame(
    T0,
    "fmv3:test",
    blendshapes=dict.fromkeys(ARKIT_NAMES, 0.25),
    head=HeadPose(0.1, -0.2, 0.3),
    left_eye=Gaze(0.1, 0.2),
    right_eye=Gaze(0.3, -0.1),
)


def receiver(phone: str | None = PHONE, transport: str = "udp") -> Fmv3Protocol:
    protocol = Fmv3Protocol(phone, transport=transport, nonce=lambda: NONCE)  # type: ignore[arg-type]
    protocol.reset("fmv3:test")
    return protocol


def give(protocol: Fmv3Protocol, datagrams: list[bytes], t_ns: int) -> list[FaceFrame]:
    return [face for datagram in datagrams for face in protocol.feed(datagram, t_ns)]


def kinds(datagrams: list[bytes]) -> list[Kind]:
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
    body = encode_frame(schema, percents, pose)
    message = Message(Kind.FRAME, SESSION, 1, sequence, FrameState.TRACKED, body=body)
    return encode_message(message)[0]


def with_schema(schema: Schema) -> Fmv3Protocol:
    protocol = receiver(None)
    body = encode_schema(Start(0), schema)
    give(protocol, encode_message(Message(Kind.SCHEMA, SESSION, 1, body=body), datagram=1200), T0)
    return protocol


def test_hello_is_the_specifications_byte_for_byte() -> None:
    hello = receiver().greeting(T0)
    assert hello == Greeting(bytes.fromhex(HELLO_HEX), PHONE, 49983)
    message = parse_message(hello.data)
    assert (message.kind, message.session) == (Kind.HELLO, NONCE)
    assert parse_hello(message.body) == Hello(60, 1200)


@pytest.mark.parametrize(
    ("message", "rest"),
    [
        (Message(Kind.SCHEMA_ACK, SESSION, 1), "0300 0100000000000000"),
        (Message(Kind.GET_SCHEMA, SESSION), "0500 0000000000000000"),
        (Message(Kind.PING, SESSION, sequence=7), "0600 0000000007000000"),
        (Message(Kind.PONG, SESSION, sequence=7), "0700 0000000007000000"),
        (Message(Kind.STOP, SESSION), "0800 0000000000000000"),
    ],
)
def test_controls_are_the_specifications(message: Message, rest: str) -> None:
    kind, numbers = rest.split()
    golden = bytes.fromhex(f"464d5633{kind}28000807060504030201{numbers}")
    golden += bytes(10) + b"\1\0" + bytes(4)
    assert encode_message(message) == [golden]
    assert parse_message(golden) == message


def test_schema_is_the_specifications() -> None:
    names = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen")
    text = (
        '{"schema_version":1,"app":"iFacialMocap","profile":"ifacialmocap-stream","blend_names":'
        '["eyeBlinkLeft","eyeBlinkRight","jawOpen"],"blend_encoding":"i16","blend_unit":"percent",'
        '"pose_layout":"head_rxyz_pxyz_rightEye_rxyz_leftEye_rxyz","rotation_unit":"degree",'
        '"position_unit":"meter"}'
    )
    golden = bytes.fromhex(
        "464d56330200280008070605040302010100000000000000000000002f010000000001002f010000"
        "11223344556677883c00b0041027000005000000"
    )
    body = encode_schema(Start(NONCE), Schema(names))
    message = Message(Kind.SCHEMA, SESSION, 1, body=body)
    assert encode_message(message, datagram=1200) == [golden + text.encode()]
    assert parse_schema(body) == (Start(NONCE), Schema(names))


def test_frame_is_the_specifications() -> None:
    names, pose = ("jawOpen", "独自の笑顔", "customWide"), [1.25, -2.5, 3.75, 0.1, -0.2, 0.3]
    golden = bytes.fromhex(
        "464d5633040128000807060504030201010000000a0000007518730d3c000000000001003c00000064000000"
        "c063ffff409c00000000a03f000020c000007040cdcccc3dcdcc4cbe9a99993e000080400000a0400000c040"
        "0000e0400000004100001041"
    )
    schema = Schema(names, "i32")
    body = encode_frame(schema, [100, -40000, 40000], [*pose, 4, 5, 6, 7, 8, 9])
    message = Message(Kind.FRAME, SESSION, 1, 10, FrameState.TRACKED, 0x0D731875, body)
    assert encode_message(message) == [golden]
    (face,) = with_schema(schema).feed(golden, T0)
    assert face.blendshapes == {"jawOpen": 1.0}  # the others are no ARKit shapes
    assert face.head is not None
    assert face.head.pitch_rad == pytest.approx(-math.radians(1.25))
    assert face.head.yaw_rad == pytest.approx(math.radians(2.5))
    assert face.head.roll_rad == pytest.approx(math.radians(3.75))
    assert face.right_eye == Gaze(-math.radians(4), -math.radians(5))
    assert face.left_eye == Gaze(-math.radians(7), -math.radians(8))


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


def test_lost_face_keeps_its_numbers() -> None:
    protocol, phone = connected()
    (face,) = give(protocol, phone.frames(dataclasses.replace(FACE, tracked=False)), T0)
    assert not face.tracked
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


def test_changed_names_are_read_by_the_new_schema() -> None:
    protocol, phone = connected()
    give(protocol, phone.frames(FACE), T0)
    old_frame = phone.frames(FACE)
    schema = phone.change_names(("jawOpen", "mouthSmileLeft"), T0 + NS_PER_S)
    assert phone.frames(FACE) == []
    assert len(give(protocol, old_frame, T0)) == 1
    assert give(protocol, schema, T0 + NS_PER_S) == []
    for reply in protocol.replies():
        phone.receive(reply, T0 + NS_PER_S)
    (face,) = give(protocol, phone.frames(FACE), T0 + NS_PER_S)
    assert face.blendshapes == {"jawOpen": 0.25, "mouthSmileLeft": 0.25}
    assert give(protocol, old_frame, T0 + NS_PER_S) == []  # of the old schema: late
    assert protocol.lost == 0


def test_frame_of_an_unknown_schema_is_not_read_but_asked_about() -> None:
    protocol, phone = connected()
    phone.change_names(("jawOpen",), T0)  # lost on its way
    phone.receive(encode_message(Message(Kind.SCHEMA_ACK, SESSION, 2))[0], T0)
    assert give(protocol, phone.frames(FACE), T0) == []
    (request,) = protocol.replies()
    assert parse_message(request) == Message(Kind.GET_SCHEMA, SESSION, 2)
    assert give(protocol, phone.frames(FACE), T0 + 1) == []
    assert protocol.replies() == []
    now_ns = T0 + NS_PER_S
    give(protocol, phone.receive(request, now_ns), now_ns)
    assert len(give(protocol, phone.frames(FACE), now_ns)) == 1


def test_missing_frames_are_counted_and_late_ones_dropped() -> None:
    protocol, phone = connected()
    frames = [phone.frames(FACE) for _ in range(6)]
    assert [len(give(protocol, frames[i], T0)) for i in (0, 1, 4, 3, 4, 5)] == [1, 1, 1, 0, 0, 1]
    assert protocol.lost == 2


def test_frame_numbers_may_wrap() -> None:
    schema = Schema(("jawOpen",))
    protocol = with_schema(schema)
    for sequence in (0xFFFFFFFE, 0xFFFFFFFF, 0, 1):
        assert len(protocol.feed(frame(schema, [1], [0.0] * 12, sequence), T0)) == 1
    assert protocol.lost == 0


def test_number_far_ahead_freezes_the_face_for_a_moment_only() -> None:
    schema = Schema(("jawOpen",))
    protocol = with_schema(schema)

    def faces(sequence: int, after_s: float) -> int:
        datagram = frame(schema, [1], [0.0] * 12, sequence)
        return len(protocol.feed(datagram, T0 + round(after_s * NS_PER_S)))

    assert [faces(1, 0.0), faces(1 << 30, 0.016)] == [1, 1]
    assert [faces(3, 0.032), faces(4, 0.25)] == [0, 0]
    assert [faces(5, 0.27), faces(6, 0.28), faces(5, 0.29)] == [1, 1, 0]
    assert faces(6, 9.0) == 0  # the same number again is a doubled datagram, however late
    assert protocol.lost == 0


def test_large_frame_comes_in_pieces() -> None:
    names = (*(f"custom_{i:04d}" for i in range(500)), "jawOpen")
    phone, protocol = Fmv3Phone(names, encoding="i32"), receiver(None)
    give(protocol, phone.start(T0), T0)
    for reply in protocol.replies():
        phone.receive(reply, T0)
    pieces = phone.frames(FACE)
    assert len(pieces) == 2
    assert give(protocol, pieces[:0:-1], T0) == []
    (face,) = give(protocol, pieces[:1], T0)
    assert face.blendshapes == {"jawOpen": 0.25}


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


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"blend_unit": "weight"},
        {"pose_layout": "other"},
        {"rotation_unit": "radian"},
        {"position_unit": "inch"},
        {"blend_encoding": "f32"},
        {"blend_names": "jawOpen"},
        {"blend_names": ["jawOpen", "jawOpen"]},
        {"blend_names": [""]},
        {"blend_names": ["a\nb"]},
        {"blend_names": ["x" * 256]},
        {"blend_names": [1]},
        {"blend_names": [f"n{i}" for i in range(MAX_NAMES + 1)]},
    ],
)
def test_schema_that_could_be_misread_is_refused(change: dict[str, object]) -> None:
    body = encode_schema(Start(0), Schema(("jawOpen",)))
    fields = json.loads(body[20:]) | change
    with pytest.raises(PacketError):
        parse_schema(body[:20] + json.dumps(fields).encode())


def test_largest_schema_comes_through_and_a_larger_one_is_refused() -> None:
    assert (MAX_NAMES, MAX_SCHEMA_BYTES) == (512, 65_536)  # parsed in a few milliseconds
    names = tuple(f"{i:0120d}" for i in range(MAX_NAMES))
    body = encode_schema(Start(0), Schema(names))
    assert len(body) > 0.95 * MAX_SCHEMA_BYTES
    largest = body + b" " * (MAX_SCHEMA_BYTES - len(body))
    pieces = encode_message(Message(Kind.SCHEMA, SESSION, 1, body=largest), datagram=1200)
    protocol = receiver(None)
    give(protocol, pieces, T0)
    assert Kind.SCHEMA_ACK in kinds(protocol.replies())
    for piece in encode_message(Message(Kind.SCHEMA, SESSION, 2, body=largest + b" ")):
        with pytest.raises(PacketError):
            receiver(None).feed(piece, T0)
    with pytest.raises(PacketError):
        parse_message(HEADER.pack(b"FMV3", 2, 0, 40, 1, 1, 0, 0, 9000, 0, 129, 1) + b"x")


def test_unknown_schema_fields_and_apps_are_ignored() -> None:
    body = encode_schema(Start(0), Schema(("jawOpen",)))
    fields = json.loads(body[20:]) | {"app": "New", "future": [1, {}]}
    assert parse_schema(body[:20] + json.dumps(fields).encode())[1] == Schema(("jawOpen",))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"a":1,"a":2}', b"[" * 5000, b"\xff{}", b'"x"', b"1" * 9000]
)
def test_what_is_no_schema_json_is_refused(text: bytes) -> None:
    with pytest.raises(PacketError):
        parse_schema(encode_schema(Start(0), Schema(()))[:20] + text)


@pytest.mark.parametrize(
    "numbers", [(0, 0, 1200, 10_000, 5), (0, 60, 575, 10_000, 5), (0, 60, 1200, 4_999, 5)]
)
def test_terms_beyond_the_specification_are_refused(numbers: tuple[int, ...]) -> None:
    text = encode_schema(Start(0), Schema(()))[20:]
    with pytest.raises(PacketError):
        parse_schema(struct.pack("<QHHII", *numbers) + text)


def test_older_revision_is_named() -> None:
    old_schema = bytearray(encode_message(Message(Kind.SCHEMA, SESSION, 1, body=bytes(24)))[0])
    old_schema[4] = 3  # its number in revision 4
    with pytest.raises(PacketError, match="revision 4") as error:
        receiver().feed(bytes(old_schema), T0)
    assert error.value.reason == "fmv3 revision"
    hello = bytearray(encode_hello(Hello()))
    hello[4] = 4
    with pytest.raises(PacketError, match="revision 4"):
        parse_hello(bytes(hello))


@pytest.mark.parametrize("place", [0, 2, 6, 8, 9, 11])
@pytest.mark.parametrize("angle", [math.nan, math.inf])
def test_angle_that_is_not_finite_is_refused(place: int, angle: float) -> None:
    pose = [0.0] * 12
    pose[place] = angle
    schema = Schema(("jawOpen",))
    with pytest.raises(PacketError):
        with_schema(schema).feed(frame(schema, [1], pose), T0)


def test_impossible_values_are_dropped_and_the_rest_kept() -> None:
    schema = Schema(("jawOpen", "mouthSmileLeft", "mouthClose"))
    protocol = with_schema(schema)
    (face,) = protocol.feed(frame(schema, [2000, 150, -25], [400.0] + [0.0] * 11), T0)
    assert face.blendshapes == {"mouthSmileLeft": 1.0, "mouthClose": 0.0}
    assert face.head is None
    assert face.left_eye == Gaze(-0.0, -0.0)
    assert protocol.values_dropped == 2


def test_frame_that_does_not_fit_its_schema_is_refused() -> None:
    protocol = with_schema(Schema(("jawOpen",)))
    with pytest.raises(PacketError):
        protocol.feed(frame(Schema(("a", "b")), [1, 2], [0.0] * 12), T0)


@pytest.mark.parametrize(
    "kind", [Kind.HELLO, Kind.SCHEMA_ACK, Kind.GET_SCHEMA, Kind.PING, Kind.STOP]
)
def test_what_only_a_receiver_says_is_refused(kind: Kind) -> None:
    body = encode_hello(Hello()) if kind is Kind.HELLO else b""
    schema = 1 if kind is Kind.SCHEMA_ACK else 0
    with pytest.raises(PacketError):
        receiver().feed(encode_message(Message(kind, SESSION, schema, body=body))[0], T0)


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
