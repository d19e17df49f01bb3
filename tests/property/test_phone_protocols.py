"""What phones and facetracker write comes back from the parsers; no bytes break them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.facemotion3d import Facemotion3dProtocol
from vtbridge.tracking.protocols.fmv3 import Fmv3Protocol
from vtbridge.tracking.protocols.fmv3_messages import (
    Kind,
    Message,
    Schema,
    Start,
    encode_message,
    encode_schema,
    parse_message,
    parse_schema,
)
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.livelink import LiveLinkProtocol
from vtbridge.tracking.protocols.openseeface import OpenSeeFaceProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.stream import Fmv3Framer, StreamFramer, TextFramer
from vtbridge.tracking.protocols.vts_phone import VtsPhoneProtocol
from vtbridge.tracking.senders.facemotion3d import encode_facemotion3d
from vtbridge.tracking.senders.fmv3 import Fmv3Encoder, Fmv3Phone
from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
from vtbridge.tracking.senders.livelink import LiveLinkEncoder
from vtbridge.tracking.senders.openseeface import encode_openseeface
from vtbridge.tracking.senders.vts_phone import encode_vts_phone

T0 = 1_000_000_000
EXAMPLES = settings(max_examples=40)  # whole faces are slow to make
ANGLES = st.floats(-1.4, 1.4)
HEADS = st.builds(HeadPose, ANGLES, ANGLES, ANGLES)
GAZES = st.builds(Gaze, ANGLES, ANGLES)
PERCENTS = st.integers(0, 100).map(lambda percent: percent / 100)
FLOATS = st.floats(0.0, 1.0, width=32)

Encoder = Callable[[FaceFrame], list[bytes]]


def faces(weights: st.SearchStrategy[float]) -> st.SearchStrategy[FaceFrame]:
    return st.builds(
        FaceFrame,
        t_ns=st.just(T0),
        tracked=st.booleans(),
        blendshapes=st.fixed_dictionaries(dict.fromkeys(ARKIT_NAMES, weights)),
        head=HEADS,
        left_eye=GAZES,
        right_eye=GAZES,
    )


def received(protocol: TrackerProtocol, datagrams: list[bytes]) -> list[FaceFrame]:
    return [face for datagram in datagrams for face in protocol.feed(datagram, T0)]


def angles(face: FaceFrame) -> list[float]:
    found: list[float] = []
    if face.head is not None:
        found += [face.head.pitch_rad, face.head.yaw_rad, face.head.roll_rad]
    for eye in (face.left_eye, face.right_eye):
        if eye is not None:
            found += [eye.pitch_rad, eye.yaw_rad]
    return found


def assert_same(got: FaceFrame, sent: FaceFrame, *, weight: float, angle: float) -> None:
    assert (got.t_ns, got.tracked, set(got.blendshapes)) == (
        sent.t_ns,
        sent.tracked,
        set(sent.blendshapes),
    )
    for name, value in got.blendshapes.items():
        assert value == pytest.approx(sent.blendshapes[name], abs=weight)
    assert angles(got) == pytest.approx(angles(sent), abs=angle)


def assert_possible(face: FaceFrame) -> None:
    assert all(0.0 <= weight <= 1.0 for weight in face.blendshapes.values())
    assert all(math.isfinite(value) for value in angles(face))


@given(face=faces(PERCENTS))
@EXAMPLES
def test_face_survives_facemotion3d(face: FaceFrame) -> None:
    (got,) = received(Facemotion3dProtocol(), encode_facemotion3d(face))
    assert_same(got, face, weight=0.0, angle=math.radians(1e-6))
    assert Facemotion3dProtocol.recognises(encode_facemotion3d(face)[0])


@given(face=faces(PERCENTS))
@EXAMPLES
def test_face_survives_fmv3(face: FaceFrame) -> None:
    (got,) = received(Fmv3Protocol(), Fmv3Encoder()(face))
    assert_same(got, face, weight=0.0, angle=1e-6)


@given(face=faces(st.floats(0.0, 1.0)))
@EXAMPLES
def test_face_survives_vts_phone_but_for_its_eye_angles(face: FaceFrame) -> None:
    (got,) = received(VtsPhoneProtocol(), encode_vts_phone(face))
    assert (got.left_eye, got.right_eye) == (None, None)
    sent = FaceFrame(T0, tracked=face.tracked, blendshapes=face.blendshapes, head=face.head)
    assert_same(got, sent, weight=0.0, angle=1e-9)


@given(face=faces(FLOATS))
@EXAMPLES
def test_face_survives_livelink(face: FaceFrame) -> None:
    (got,) = received(LiveLinkProtocol(), LiveLinkEncoder()(face))
    if face.tracked:
        assert_same(got, face, weight=0.0, angle=1e-6)
    else:
        assert not got.tracked


@st.composite
def webcam_faces(draw: st.DrawFn) -> FaceFrame:
    """Return a face that OpenSeeFace's features can tell: no smile and frown at once."""

    def either(first: str, second: str) -> dict[str, float]:
        value = draw(st.floats(-1.0, 1.0, width=32))
        return {first: max(value, 0.0), second: max(-value, 0.0)}

    shapes = {name: draw(FLOATS) for name in ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen")}
    for side in ("Left", "Right"):
        shapes |= either(f"browOuterUp{side}", f"browDown{side}")
        shapes |= either(f"mouthFrown{side}", f"mouthSmile{side}")
    shapes |= either("mouthStretchLeft", "mouthPucker")
    shapes["mouthStretchRight"] = shapes["mouthStretchLeft"]
    left_brow = shapes["browOuterUpLeft"] - shapes["browDownLeft"]
    right_brow = shapes["browOuterUpRight"] - shapes["browDownRight"]
    shapes["browInnerUp"] = max((left_brow + right_brow) / 2, 0.0)
    gaze = draw(GAZES)
    return FaceFrame(T0, blendshapes=shapes, head=draw(HEADS), left_eye=gaze, right_eye=gaze)


@given(face=webcam_faces(), number=st.integers(0, 63))
def test_face_survives_openseeface(face: FaceFrame, number: int) -> None:
    protocol = OpenSeeFaceProtocol()
    protocol.reset("openseeface:host")
    (got,) = received(protocol, encode_openseeface(face, number))
    assert got.source == f"openseeface:host#{number}"
    assert_same(got, face, weight=1e-6, angle=1e-4)


def test_untracked_face_is_silence_of_openseeface() -> None:
    assert encode_openseeface(FaceFrame(T0, tracked=False)) == []


WAYS: list[tuple[Callable[[], TrackerProtocol], Callable[[], Encoder]]] = [
    (IFacialMocapProtocol, lambda: lambda face: [encode_ifacialmocap(face)]),
    (Facemotion3dProtocol, lambda: encode_facemotion3d),
    (Fmv3Protocol, Fmv3Encoder),
    (VtsPhoneProtocol, lambda: encode_vts_phone),
    (LiveLinkProtocol, LiveLinkEncoder),
    (OpenSeeFaceProtocol, lambda: encode_openseeface),
]
EACH_WAY = pytest.mark.parametrize(
    ("protocol", "encoder"), WAYS, ids=[str(way[0]).split(".")[-1].strip("'>") for way in WAYS]
)
FACE = FaceFrame(
    T0,
    blendshapes=dict.fromkeys(ARKIT_NAMES, 0.5),
    head=HeadPose(0.1, 0.2, 0.3),
    left_eye=Gaze(0.1, 0.1),
    right_eye=Gaze(-0.1, 0.1),
)


def feed_all(protocol: TrackerProtocol, datagrams: list[bytes]) -> None:
    """Feed each datagram; nothing but PacketError may come, and no impossible face."""
    for datagram in datagrams:
        protocol.recognises(datagram)
        try:
            got = protocol.feed(datagram, T0)
        except PacketError:
            continue
        for face in got:
            assert_possible(face)
        for reply in protocol.replies():
            assert len(reply) <= 40
        assert protocol.replies() == []


@EACH_WAY
@given(data=st.data())
@EXAMPLES
def test_every_beginning_is_a_possible_face_or_refused(
    protocol: Callable[[], TrackerProtocol], encoder: Callable[[], Encoder], data: st.DataObject
) -> None:
    datagrams = encoder()(FACE)
    cut = data.draw(st.integers(0, max(map(len, datagrams))))
    feed_all(protocol(), [datagram[:cut] for datagram in datagrams])
    feed_all(protocol(), [*datagrams[:-1], datagrams[-1][:cut]])


@EACH_WAY
@given(
    flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 255)), min_size=1, max_size=20),
    last_only=st.booleans(),
)
@EXAMPLES
def test_damage_gives_a_possible_face_or_is_refused(
    protocol: Callable[[], TrackerProtocol],
    encoder: Callable[[], Encoder],
    flips: list[tuple[int, int]],
    last_only: bool,
) -> None:
    datagrams = encoder()(FACE)
    damaged = []
    for number, datagram in enumerate(datagrams):
        changed = bytearray(datagram)
        if not last_only or number == len(datagrams) - 1:
            for place, change in flips:
                changed[place % len(changed)] ^= change
        damaged.append(bytes(changed))
    feed_all(protocol(), damaged)


@EACH_WAY
@given(data=st.lists(st.binary(max_size=200), max_size=4))
@EXAMPLES
def test_any_bytes_are_refused_or_a_possible_face(
    protocol: Callable[[], TrackerProtocol], encoder: Callable[[], Encoder], data: list[bytes]
) -> None:
    beginnings = [datagram[:44] for datagram in encoder()(FACE)]
    feed_all(protocol(), [*data, *(begin + more for begin in beginnings for more in data)])


@given(
    fields=st.fixed_dictionaries(
        {
            "FaceFound": st.booleans(),
            "BlendShapes": st.lists(
                st.dictionaries(
                    st.sampled_from(["k", "v", "x"]),
                    st.one_of(st.sampled_from(ARKIT_NAMES), st.floats(), st.integers(), st.none()),
                ),
                max_size=5,
            ),
            "Rotation": st.dictionaries(st.sampled_from("xyz"), st.floats() | st.integers()),
        }
    )
)
def test_any_json_frame_is_a_possible_face(fields: dict[str, object]) -> None:
    (face,) = VtsPhoneProtocol().feed(json.dumps(fields).encode(), T0)
    assert_possible(face)


@given(
    order=st.permutations(range(4)),
    doubled=st.integers(0, 3),
    later_ns=st.integers(0, 5_000_000_000),
)
def test_schema_pieces_come_in_any_order_and_doubled(
    order: list[int], doubled: int, later_ns: int
) -> None:
    names = (*(f"custom{number:03}" for number in range(130)), "jawOpen")
    body = encode_schema(Start(0), Schema(names))
    message = Message(Kind.SCHEMA, 7, 1, body=body)
    pieces = encode_message(message, datagram=1200)
    assert len(pieces) == 4
    protocol = Fmv3Protocol()
    for number in (*order[:2], doubled, *order[2:]):
        protocol.feed(pieces[number], T0)
    kinds = [parse_message(reply).kind for reply in protocol.replies()]
    assert kinds[0] is Kind.SCHEMA_ACK
    assert protocol.feed(pieces[0], T0 + later_ns) == []


@given(
    names=st.lists(
        st.text(
            st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1, max_size=20
        ),
        unique=True,
        max_size=60,
    ),
    encoding=st.sampled_from(["i16", "i32"]),
    fps=st.integers(1, 60),
    datagram=st.integers(576, 1200),
    lease_ms=st.integers(5000, 60000),
)
def test_schema_survives(
    names: list[str], encoding: str, fps: int, datagram: int, lease_ms: int
) -> None:
    start, schema = Start(9, fps, datagram, lease_ms), Schema(tuple(names), encoding)
    assert parse_schema(encode_schema(start, schema)) == (start, schema)


@given(data=st.lists(st.binary(max_size=60), max_size=5))
def test_phone_survives_any_receiver(data: list[bytes]) -> None:
    phone = Fmv3Phone()
    hello = Fmv3Protocol("192.168.1.20").greeting(T0)
    assert hello is not None
    for datagram in (hello.data, *data, *(b"FMV3" + rest for rest in data)):
        try:
            answers = phone.receive(datagram, T0)
        except PacketError:
            continue
        assert all(parse_message(answer) for answer in answers)


@pytest.mark.parametrize("framer", [TextFramer, Fmv3Framer])
@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=100),
            st.sampled_from([b"___iFacialMocap", b"jawOpen-3|", b"FMV3", bytes(9000)]),
            st.just(encode_message(Message(Kind.PONG, 7))[0]),
        ),
        max_size=30,
    )
)
def test_no_stream_breaks_or_fills_a_framer(
    framer: Callable[[], StreamFramer], pieces: list[bytes]
) -> None:
    stream = framer()
    for piece in pieces:
        try:
            records = stream.feed(piece)
        except PacketError:
            continue
        for record in records:
            assert 0 < len(record) <= max(8192, 40 + 262_144)
        assert len(stream._buffer) < 18_000 + 40 + 262_144


@given(
    records=st.lists(st.binary(min_size=1, max_size=50).filter(lambda r: b"_" not in r)),
    cuts=st.lists(st.integers(1, 40), min_size=1),
)
def test_text_stream_is_cut_back_into_its_records(records: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(record + b"___iFacialMocap" for record in records)
    framer, got, place, number = TextFramer(), [], 0, 0
    while place < len(stream):
        size = cuts[number % len(cuts)]
        got += framer.feed(stream[place : place + size])
        place, number = place + size, number + 1
    assert got == records
