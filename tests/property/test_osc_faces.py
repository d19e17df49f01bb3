"""What is encoded as an OSC face app would comes back; damage gives nothing impossible."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.osc_packets import bundle, message
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.protocol import QUIET_NS, TrackerProtocol
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow, Wire
from vtbridge.tracking.settings import TrackingSettings

T0 = 1_000_000_000
OSC_ROWS = [row for row in PROTOCOLS if row.wire is Wire.OSC]
NEW_ROWS = [row for row in OSC_ROWS if row.name != "vmc"]
"""VMC's round trip is told with its packings in test_tracking_round_trip."""
HEADLESS = {"mediapipe_osc"}
WITHOUT_GAZE = {"mediapipe_osc", "zig_sim"}
NOT_SENT = {
    "mediapipe_osc": {"tongueOut"},
    "vrcft": {name for name in ARKIT_NAMES if name.startswith("eyeLook")},
}
ALL_ROWS = pytest.mark.parametrize("row", OSC_ROWS, ids=[row.name for row in OSC_ROWS])
EXAMPLES = settings(max_examples=30)  # whole faces are slow to make

ANGLES = st.floats(-1.4, 1.4)
WEIGHTS = st.floats(0.0, 1.0, width=32)
FACES = st.builds(
    FaceFrame,
    t_ns=st.just(T0),
    source=st.just("test"),
    blendshapes=st.fixed_dictionaries(dict.fromkeys(ARKIT_NAMES, WEIGHTS)),
    head=st.builds(HeadPose, ANGLES, ANGLES, ANGLES),
    left_eye=st.builds(Gaze, ANGLES, ANGLES),
    right_eye=st.builds(Gaze, ANGLES, ANGLES),
)

FULL_FACE = FaceFrame(
    T0,
    blendshapes=dict.fromkeys(ARKIT_NAMES, 0.5),
    head=HeadPose(0.1, 0.2, 0.3),
    left_eye=Gaze(0.1, 0.2),
    right_eye=Gaze(0.1, 0.2),
)


def receiver(row: ProtocolRow) -> TrackerProtocol:
    protocol = row.create(TrackingSettings())
    protocol.reset("test")
    return protocol


def last_face(protocol: TrackerProtocol, datagrams: list[bytes]) -> FaceFrame:
    frames = [frame for datagram in datagrams for frame in protocol.feed(datagram, T0)]
    return [*frames, *protocol.flush(T0 + QUIET_NS)][-1]


def head_angles(face: FaceFrame) -> tuple[float, float, float]:
    assert face.head is not None
    return face.head.pitch_rad, face.head.yaw_rad, face.head.roll_rad


def eye_angles(gaze: Gaze | None) -> tuple[float, float]:
    assert gaze is not None
    return gaze.pitch_rad, gaze.yaw_rad


@pytest.mark.parametrize("row", NEW_ROWS, ids=[row.name for row in NEW_ROWS])
@given(face=FACES)
@EXAMPLES
def test_face_survives_its_protocol(row: ProtocolRow, face: FaceFrame) -> None:
    protocol = receiver(row)
    last_face(protocol, row.encoder()(FULL_FACE))  # zeros alone may mean "not tracked"
    got = last_face(protocol, row.encoder()(face))
    assert (got.t_ns, got.source, got.tracked, got.presets) == (T0, "test", True, {})
    sent = {n: w for n, w in face.blendshapes.items() if n not in NOT_SENT.get(row.name, ())}
    assert dict(got.blendshapes) == pytest.approx(sent, abs=1e-6)
    if row.name in HEADLESS:
        assert got.head is None
    else:
        assert head_angles(got) == pytest.approx(head_angles(face), abs=1e-4)
    for got_eye, sent_eye in ((got.left_eye, face.left_eye), (got.right_eye, face.right_eye)):
        if row.name in WITHOUT_GAZE:
            assert got_eye is None
        else:
            assert eye_angles(got_eye) == pytest.approx(eye_angles(sent_eye), abs=1e-3)
    assert protocol.values_dropped == 0


@pytest.mark.parametrize("row", NEW_ROWS, ids=[row.name for row in NEW_ROWS])
def test_lost_face_is_told_or_nothing_is_sent(row: ProtocolRow) -> None:
    lost = FaceFrame(T0, tracked=False, blendshapes={"jawOpen": 0.5})
    datagrams = row.encoder()(lost)
    assert not datagrams or not last_face(receiver(row), datagrams).tracked


def assert_possible(frame: FaceFrame) -> None:
    weights = [*frame.blendshapes.values(), *frame.presets.values()]
    assert all(0.0 <= weight <= 1.0 for weight in weights)
    assert set(frame.blendshapes) <= set(ARKIT_NAMES)
    angles: list[float] = []
    if frame.head is not None:
        angles += head_angles(frame)
    for eye in (frame.left_eye, frame.right_eye):
        if eye is not None:
            angles += eye_angles(eye)
    assert all(abs(angle) <= 2 * math.pi for angle in angles)


def feed_stranger(protocol: TrackerProtocol, datagram: bytes) -> None:
    """Feed what may be anything: it gives possible faces, or PacketError."""
    protocol.recognises(datagram)
    try:
        frames = protocol.feed(datagram, T0)
    except PacketError:
        frames = []
    for frame in [*frames, *protocol.flush(T0 + QUIET_NS)]:
        assert_possible(frame)


@ALL_ROWS
def test_every_prefix_of_a_datagram_is_a_possible_face_or_refused(row: ProtocolRow) -> None:
    protocol = receiver(row)
    for datagram in row.encoder()(FULL_FACE):
        for length in range(len(datagram)):
            feed_stranger(protocol, datagram[:length])


@ALL_ROWS
def test_damaged_datagrams_are_possible_faces_or_refused(row: ProtocolRow) -> None:
    source = random.Random(20_261_122)
    protocol = receiver(row)
    datagrams = row.encoder()(FULL_FACE)
    for _ in range(2_000):
        damaged = bytearray(source.choice(datagrams))
        for _ in range(source.randrange(1, 6)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        feed_stranger(protocol, bytes(damaged))


VALUES = st.one_of(
    st.floats(width=32),
    st.integers(-(2**31), 2**31 - 1),
    st.booleans(),
    st.none(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
)
ADDRESSES = st.sampled_from(
    [
        *("/W", "/HR", "/HRQ", "/HT", "/ELR", "/ERR", "/visage", "/jawOpen", "/cheekPuffLeft"),
        *("/phiz/blendshapes", "/phiz/headRotation", "/phiz/leftEyeRotation", "/_neutral"),
        *("/x/facerotation", "/x/facejawOpen", "/x/faceposition", "/avatar/parameters/JawOpen"),
        *(f"/avatar/parameters/v2/{name}" for name in ("JawX", "EyeLidLeft", "Head/Yaw", "EyeX")),
        *("/avatar/parameters/EyeTrackingActive", "/avatar/parameters/v2/EyeY", "/VMC/Ext/OK"),
        *("/VMC/Ext/Bone/Pos", "/VMC/Ext/Blend/Val", "/VMC/Ext/Blend/Apply", "/VMC/Ext/T"),
    ]
)
MESSAGES = st.builds(
    lambda address, values: message(address, *values), ADDRESSES, st.lists(VALUES, max_size=9)
)


@ALL_ROWS
@given(packets=st.lists(MESSAGES, max_size=12), bundled=st.booleans())
@settings(max_examples=60)
def test_any_arguments_give_possible_faces_or_are_refused(
    row: ProtocolRow, packets: list[bytes], bundled: bool
) -> None:
    protocol = receiver(row)
    for datagram in [bundle(*packets)] if bundled else packets:
        feed_stranger(protocol, datagram)


@ALL_ROWS
@given(datagram=st.binary(max_size=120))
def test_any_bytes_give_possible_faces_or_are_refused(row: ProtocolRow, datagram: bytes) -> None:
    feed_stranger(receiver(row), datagram)
