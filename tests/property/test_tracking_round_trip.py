"""What is encoded as a tracker would comes back from the parser; nothing else breaks it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES, PRESET_NAMES
from vtbridge.tracking.formats import Packing, TextVersion
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
from vtbridge.tracking.senders.vmc import encode_vmc

T0 = 1_000_000_000
EXAMPLES = settings(max_examples=40)  # whole faces are slow to make
WEIGHTS = st.floats(0.0, 1.0, width=32)
PERCENTS = st.integers(0, 100).map(lambda percent: percent / 100)
ANGLES = st.floats(-1.4, 1.4)
HEADS = st.builds(HeadPose, ANGLES, ANGLES, ANGLES)
GAZES = st.builds(Gaze, ANGLES, ANGLES)


def faces(weights: st.SearchStrategy[float]) -> st.SearchStrategy[FaceFrame]:
    return st.builds(
        FaceFrame,
        t_ns=st.just(T0),
        source=st.just("test"),
        tracked=st.booleans(),
        blendshapes=st.fixed_dictionaries(dict.fromkeys(ARKIT_NAMES, weights)),
        head=HEADS,
        left_eye=GAZES,
        right_eye=GAZES,
    )


PRESET_FACES = st.builds(
    FaceFrame,
    t_ns=st.just(T0),
    source=st.just("test"),
    presets=st.dictionaries(st.sampled_from(PRESET_NAMES), WEIGHTS, min_size=1),
    head=HEADS,
)


def received(protocol: TrackerProtocol, datagrams: list[bytes], t_ns: int = T0) -> FaceFrame:
    """Return the one face that ``datagrams`` make."""
    (frame,) = [frame for datagram in datagrams for frame in protocol.feed(datagram, t_ns)]
    return frame


def vmc_with_live_eyes() -> VmcProtocol:
    """Return a receiver that has seen both eye bones move."""
    protocol = VmcProtocol()
    protocol.reset("test")
    for angle in (0.0, 1.0):
        gaze = Gaze(angle, angle)
        received(protocol, encode_vmc(FaceFrame(0, left_eye=gaze, right_eye=gaze)))
    return protocol


def assert_same_face(got: FaceFrame, sent: FaceFrame, *, angle_tolerance: float) -> None:
    assert (got.t_ns, got.source, got.blendshapes, got.presets) == (
        sent.t_ns,
        sent.source,
        sent.blendshapes,
        sent.presets,
    )
    assert got.head is not None
    assert sent.head is not None
    pairs = [
        (got.head.pitch_rad, sent.head.pitch_rad),
        (got.head.yaw_rad, sent.head.yaw_rad),
        (got.head.roll_rad, sent.head.roll_rad),
    ]
    for got_eye, sent_eye in ((got.left_eye, sent.left_eye), (got.right_eye, sent.right_eye)):
        assert (got_eye is None) == (sent_eye is None)
        if got_eye is not None and sent_eye is not None:
            pairs += [
                (got_eye.pitch_rad, sent_eye.pitch_rad),
                (got_eye.yaw_rad, sent_eye.yaw_rad),
            ]
    for got_angle, sent_angle in pairs:
        assert got_angle == pytest.approx(sent_angle, abs=angle_tolerance)


@pytest.mark.parametrize("packing", Packing)
@given(face=faces(WEIGHTS))
@EXAMPLES
def test_arkit_face_survives_vmc(packing: Packing, face: FaceFrame) -> None:
    got = received(vmc_with_live_eyes(), encode_vmc(face, packing))
    assert_same_face(got, face, angle_tolerance=1e-5)
    assert got.tracked == face.tracked


@pytest.mark.parametrize("packing", Packing)
@given(face=PRESET_FACES)
def test_preset_face_survives_vmc(packing: Packing, face: FaceFrame) -> None:
    protocol = VmcProtocol()
    protocol.reset("test")
    assert_same_face(received(protocol, encode_vmc(face, packing)), face, angle_tolerance=1e-5)


@pytest.mark.parametrize("version", TextVersion)
@given(face=faces(PERCENTS))
@EXAMPLES
def test_face_survives_ifacialmocap(version: TextVersion, face: FaceFrame) -> None:
    protocol = IFacialMocapProtocol()
    protocol.reset("test")
    got = received(protocol, [encode_ifacialmocap(face, version)])
    assert_same_face(got, face, angle_tolerance=math.radians(1e-6))


def assert_possible(frame: FaceFrame) -> None:
    weights = [*frame.blendshapes.values(), *frame.presets.values()]
    assert all(0.0 <= weight <= 1.0 for weight in weights)
    angles: list[float] = []
    if frame.head is not None:
        angles += [frame.head.pitch_rad, frame.head.yaw_rad, frame.head.roll_rad]
    for eye in (frame.left_eye, frame.right_eye):
        if eye is not None:
            angles += [eye.pitch_rad, eye.yaw_rad]
    assert all(math.isfinite(angle) for angle in angles)


@pytest.mark.parametrize("version", TextVersion)
@given(
    face=faces(PERCENTS),
    place=st.integers(0, 900),
    removed=st.integers(0, 50),
    inserted=st.binary(max_size=50),
)
@EXAMPLES
def test_damaged_text_gives_a_possible_face_or_is_refused(
    version: TextVersion, face: FaceFrame, place: int, removed: int, inserted: bytes
) -> None:
    text = encode_ifacialmocap(face, version)
    damaged = text[:place] + inserted + text[place + removed :]
    try:
        frames = IFacialMocapProtocol().feed(damaged, T0)
    except PacketError:
        return
    for frame in frames:
        assert_possible(frame)


@given(st.text("|#&-=.,0123456789eEnaif\0head ", max_size=200))
def test_any_text_gives_a_possible_face_or_is_refused(text: str) -> None:
    try:
        frames = IFacialMocapProtocol().feed(text.encode(), T0)
    except PacketError:
        return
    for frame in frames:
        assert_possible(frame)


@given(face=faces(WEIGHTS), flips=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 255))))
@EXAMPLES
def test_damaged_vmc_gives_a_possible_face_or_is_refused(
    face: FaceFrame, flips: list[tuple[int, int]]
) -> None:
    (whole,) = encode_vmc(face)
    damaged = bytearray(whole)
    for place, change in flips:
        damaged[place % len(damaged)] ^= change
    protocol = vmc_with_live_eyes()
    try:
        frames = protocol.feed(bytes(damaged), T0)
    except PacketError:
        return
    for frame in [*frames, *protocol.flush(T0 + 10**9)]:
        assert_possible(frame)
