"""Phiz's four messages are one face."""

from __future__ import annotations

import math

import pytest

from tests.support.osc_packets import message
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.phiz import SHAPES, PhizProtocol
from vtbridge.tracking.protocols.protocol import QUIET_NS

T0 = 1_000_000_000
NO_TURN = (0.0, 0.0, 0.0, 1.0)
AHEAD = (0.0, 0.0, 1.0, 0.0)
CLOSED = [0.0] * 52


@pytest.fixture
def phiz() -> PhizProtocol:
    protocol = PhizProtocol()
    protocol.reset("phiz:test")
    return protocol


def blendshapes(*weights: float) -> bytes:
    return message("/phiz/blendshapes", *weights)


def face_of(
    phiz: PhizProtocol,
    weights: list[float] = CLOSED,
    head: tuple[float, ...] = NO_TURN,
    left: tuple[float, ...] = AHEAD,
    right: tuple[float, ...] = AHEAD,
) -> FaceFrame:
    """Return the face of four datagrams in the order in which the app sends them."""
    packets = [
        blendshapes(*weights),
        message("/phiz/leftEyeRotation", *left),
        message("/phiz/rightEyeRotation", *right),
        message("/phiz/headRotation", *head),
    ]
    frames = [phiz.feed(packet, T0 + i) for i, packet in enumerate(packets)]
    assert frames[:3] == [[], [], []]
    (frame,) = frames[3]
    return frame


def apps_eye(down_deg: float, own_left_deg: float) -> tuple[float, float, float, float]:
    """Return what the app calls an eye's rotation: a direction in polar angles, and 0."""
    polar, around = math.radians(down_deg + 90), math.radians(own_left_deg)
    flat = math.sin(polar)
    return flat * math.sin(around), math.cos(polar), flat * math.cos(around), 0.0


def test_shapes_come_in_phizs_own_order(phiz: PhizProtocol) -> None:
    assert sorted(SHAPES) == sorted(ARKIT_NAMES)
    weights = face_of(phiz, [index / 64 for index in range(52)]).blendshapes
    places = {"browInnerUp": 0, "noseSneerRight": 23, "mouthFunnel": 24, "mouthStretchRight": 44}
    places |= {"mouthLeft": 45, "mouthRight": 46, "jawOpen": 47, "jawForward": 48}
    places |= {"jawLeft": 49, "jawRight": 50, "tongueOut": 51}
    assert {name: weights[name] for name in places} == {n: i / 64 for n, i in places.items()}


def test_face_is_complete_with_its_fourth_message(phiz: PhizProtocol) -> None:
    assert face_of(phiz).t_ns == T0 + 3
    assert not phiz.waiting
    assert face_of(phiz).tracked


def test_face_without_eyes_is_complete_after_quiet(phiz: PhizProtocol) -> None:
    phiz.feed(blendshapes(*CLOSED), T0)
    phiz.feed(message("/phiz/headRotation", *NO_TURN), T0 + 1)
    (frame,) = phiz.flush(T0 + 1 + QUIET_NS)
    assert (frame.head is not None, frame.left_eye) == (True, None)
    face_of(phiz)  # what was heard before the quiet does not count for the next face


@pytest.mark.parametrize(
    ("axis", "expected"), [(0, (-0.2, 0, 0)), (1, (0, -0.2, 0)), (2, (0, 0, 0.2))]
)
def test_head_has_z_forward_and_y_up(
    phiz: PhizProtocol, axis: int, expected: tuple[float, float, float]
) -> None:
    turn = [0.0, 0.0, 0.0, math.cos(0.1)]
    turn[axis] = math.sin(0.1)
    head = face_of(phiz, head=tuple(turn)).head
    assert head is not None
    assert (head.pitch_rad, head.yaw_rad, head.roll_rad) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("down", "own_left", "gaze"),
    [(0, 0, (0, 0)), (10, 0, (-10, 0)), (0, 20, (0, -20)), (-15, -30, (15, 30))],
)
def test_eye_rotation_is_really_a_direction(
    phiz: PhizProtocol, down: float, own_left: float, gaze: tuple[float, float]
) -> None:
    eye = face_of(phiz, left=apps_eye(down, own_left)).left_eye
    assert eye is not None
    seen = math.degrees(eye.pitch_rad), math.degrees(eye.yaw_rad)
    assert seen == pytest.approx(gaze, abs=1e-4)


def test_documented_eye_rotation_would_work_too(phiz: PhizProtocol) -> None:
    eye = face_of(phiz, right=(math.sin(0.1), 0.0, 0.0, math.cos(0.1))).right_eye
    assert eye is not None
    assert (eye.pitch_rad, eye.yaw_rad) == pytest.approx((-0.2, 0.0), abs=1e-6)


@pytest.mark.parametrize(
    "bad",
    [
        blendshapes(*CLOSED[:51]),
        message("/phiz/headRotation", 0.0, 0.0, 0.0, 0.0),
        message("/phiz/leftEyeRotation", 0.0, 0.0, 0.0, 0.0),
        message("/phiz/rightEyeRotation", math.nan, 0.0, 1.0, 0.0),
    ],
)
def test_senseless_message_keeps_the_last(phiz: PhizProtocol, bad: bytes) -> None:
    before = face_of(phiz, head=(0.0, 0.1, 0.0, 1.0), left=apps_eye(5, 5), right=apps_eye(6, 6))
    assert phiz.feed(bad, T0 + 4) == []
    assert phiz.values_dropped == 1
    phiz.feed(blendshapes(*CLOSED), T0 + 5)
    (after,) = phiz.flush(T0 + 5 + QUIET_NS)
    assert (after.head, after.left_eye, after.right_eye) == (
        before.head,
        before.left_eye,
        before.right_eye,
    )


def test_version_is_passed_over(phiz: PhizProtocol) -> None:
    assert phiz.feed(message("/phiz/version", 0, 3, 0), T0) == []
    assert not phiz.waiting


def test_other_addresses_are_not_phiz(phiz: PhizProtocol) -> None:
    with pytest.raises(PacketError, match="phiz"):
        phiz.feed(message("/phizz/blendshapes", 1.0), T0)
