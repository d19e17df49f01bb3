"""FMV3's bytes are those of the specification, and what could be misread is refused."""

from __future__ import annotations

import json
import math
import struct

import pytest

from tests.support.fmv3 import NONCE, PHONE, SESSION, T0, give, kinds, receiver, with_schema
from vtbridge.datatypes import Gaze
from vtbridge.errors import PacketError
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

HELLO_HEX = (
    "464d5633010028001122334455667788000000000000000000000000080000000000010008000000"
    "3c00b00405000000"
)


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


@pytest.mark.parametrize(
    "kind", [Kind.HELLO, Kind.SCHEMA_ACK, Kind.GET_SCHEMA, Kind.PING, Kind.STOP]
)
def test_what_only_a_receiver_says_is_refused(kind: Kind) -> None:
    body = encode_hello(Hello()) if kind is Kind.HELLO else b""
    schema = 1 if kind is Kind.SCHEMA_ACK else 0
    with pytest.raises(PacketError):
        receiver().feed(encode_message(Message(kind, SESSION, schema, body=body))[0], T0)
