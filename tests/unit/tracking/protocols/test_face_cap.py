"""Face Cap's short messages are an ARKit face with the right signs."""

from __future__ import annotations

import math

import pytest

from tests.support.osc_packets import bundle, message
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.face_cap import FaceCapProtocol
from vtbridge.tracking.rotation import Quaternion, head_pose_from_unity, unity_from_euler

T0 = 1_000_000_000


@pytest.fixture
def face_cap() -> FaceCapProtocol:
    protocol = FaceCapProtocol()
    protocol.reset("face_cap:test")
    return protocol


def only(frames: list[FaceFrame]) -> FaceFrame:
    (frame,) = frames
    return frame


def head_of(frame: FaceFrame) -> tuple[float, float, float]:
    assert frame.head is not None
    return frame.head.pitch_rad, frame.head.yaw_rad, frame.head.roll_rad


def test_one_message_byte_by_byte(face_cap: FaceCapProtocol) -> None:
    packet = b"/W\0\0,if\0\0\0\0\x18\x3f\x40\0\0"  # 24 is jawOpen, 0.75
    assert face_cap.feed(packet, T0) == []
    assert only(face_cap.flush(T0 + 5_000_000)).blendshapes == {"jawOpen": 0.75}


def test_all_blendshapes_are_numbered_as_documented(face_cap: FaceCapProtocol) -> None:
    shapes = [message("/W", index, index / 64) for index in range(52)]
    weights = only(face_cap.feed(bundle(*shapes), T0)).blendshapes
    assert weights == {name: index / 64 for index, name in enumerate(ARKIT_NAMES)}
    assert (weights["browDownLeft"], weights["tongueOut"]) == (1 / 64, 51 / 64)


def test_whole_numbers_are_weights(face_cap: FaceCapProtocol) -> None:
    assert only(face_cap.feed(bundle(message("/W", 24, 1)), T0)).blendshapes == {"jawOpen": 1.0}


@pytest.mark.parametrize("arguments", [(52, 0.5), (-1, 0.5), (1.5, 0.5), (0,), (), ("0", 0.5)])
def test_blendshape_that_is_none_is_dropped(
    face_cap: FaceCapProtocol, arguments: tuple[int | float | str, ...]
) -> None:
    face_cap.feed(message("/W", *arguments), T0)
    assert face_cap.values_dropped == 1
    assert not face_cap.waiting


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        ((10.0, 0.0, 0.0), (-10.0, 0.0, 0.0)),
        ((0.0, 10.0, 0.0), (0.0, -10.0, 0.0)),
        ((0.0, 0.0, 10.0), (0.0, 0.0, 10.0)),
        ((20.0, -30.0, 15.0), (-20.0, 30.0, 15.0)),
    ],
)
def test_head_turns_as_in_the_authors_receiver(
    face_cap: FaceCapProtocol,
    angles: tuple[float, float, float],
    expected: tuple[float, float, float],
) -> None:
    head = head_of(only(face_cap.feed(bundle(message("/HR", *angles)), T0)))
    assert head == pytest.approx(tuple(map(math.radians, expected)), abs=1e-6)
    # Unity's Quaternion.Euler, then (-x, y, z, -w), as FaceCapOSCReceiver does.
    q = unity_from_euler(*map(math.radians, angles))
    in_unity = head_pose_from_unity(Quaternion(-q.x, q.y, q.z, -q.w))
    assert head == pytest.approx(
        (in_unity.pitch_rad, in_unity.yaw_rad, in_unity.roll_rad), abs=1e-6
    )


def test_quaternion_serves_a_sender_without_angles(face_cap: FaceCapProtocol) -> None:
    nose_down = message("/HRQ", math.sin(0.1), 0.0, 0.0, math.cos(0.1))
    head = head_of(only(face_cap.feed(bundle(nose_down), T0)))
    assert head == pytest.approx((-0.2, 0.0, 0.0), abs=1e-6)


def test_angles_count_more_than_the_quaternion(face_cap: FaceCapProtocol) -> None:
    packet = bundle(message("/HR", 0.0, 0.0, 5.0), message("/HRQ", 1.0, 0.0, 0.0, 0.0))
    for t_ns in (T0, T0 + 1):
        head = head_of(only(face_cap.feed(packet, t_ns)))
        assert head == pytest.approx((0.0, 0.0, math.radians(5)), abs=1e-6)


def test_eyes_are_the_persons_own(face_cap: FaceCapProtocol) -> None:
    packet = bundle(message("/ELR", 5.0, -10.0), message("/ERR", 0.0, 20.0))
    frame = only(face_cap.feed(packet, T0))
    assert frame.left_eye is not None
    assert frame.right_eye is not None
    assert math.degrees(frame.left_eye.pitch_rad) == pytest.approx(-5)
    assert math.degrees(frame.left_eye.yaw_rad) == pytest.approx(10)
    assert math.degrees(frame.right_eye.yaw_rad) == pytest.approx(-20)
    assert frame.tracked


@pytest.mark.parametrize(
    "bad",
    [
        message("/HR", 1.0, 2.0),
        message("/HR", 1.0, math.nan, 0.0),
        message("/HR", 4000.0, 0.0, 0.0),
        message("/HRQ", 0.0, 0.0, 0.0, 0.0),
        message("/ELR", 1.0),
        message("/ERR", "x", 1.0),
    ],
)
def test_senseless_angles_keep_the_last(face_cap: FaceCapProtocol, bad: bytes) -> None:
    good = [message("/HR", 0.0, 9.0, 0.0), message("/ELR", 1.0, 2.0), message("/ERR", 3.0, 4.0)]
    before = only(face_cap.feed(bundle(*good), T0))
    face_cap.feed(bad, T0 + 1)
    assert face_cap.values_dropped == 1
    after = only(face_cap.feed(bundle(message("/W", 0, 0.0)), T0 + 2))
    assert (after.head, after.left_eye, after.right_eye) == (
        before.head,
        before.left_eye,
        before.right_eye,
    )


def test_position_alone_makes_no_face(face_cap: FaceCapProtocol) -> None:
    assert face_cap.feed(bundle(message("/HT", 1.0, 2.0, 3.0)), T0) == []


def test_longer_addresses_are_not_face_cap(face_cap: FaceCapProtocol) -> None:
    for address in ("/W/1", "/HRX", "/mixer/W"):
        assert not FaceCapProtocol.recognises(message(address, 1.0))
        with pytest.raises(PacketError, match="face_cap"):
            face_cap.feed(message(address, 1.0), T0)
