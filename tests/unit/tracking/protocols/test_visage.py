"""Visage's mirror image becomes the person's own face again."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.osc_packets import bundle, message
from vtbridge.datatypes import FaceFrame, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.visage import VisageProtocol, eye_from_gaze, gaze_from_eye

T0 = 1_000_000_000
Matrix = NDArray[np.float64]


@pytest.fixture
def visage() -> VisageProtocol:
    protocol = VisageProtocol()
    protocol.reset("visage:test")
    return protocol


def floats(**places: float) -> list[float]:
    values = [0.0] * 63
    for place, value in places.items():
        values[int(place.removeprefix("at_"))] = value
    return values


def only(frames: list[FaceFrame]) -> FaceFrame:
    (frame,) = frames
    return frame


def about(axis: int, angle: float) -> Matrix:
    """Return the right-handed rotation matrix about x, y or z."""
    c, s = math.cos(angle), math.sin(angle)
    matrix = np.eye(3)
    first, second = [other for other in range(3) if other != axis]
    sign = -1.0 if axis == 1 else 1.0
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -sign * s, sign * s
    return matrix


def apps_euler(transform: Matrix) -> tuple[float, float, float]:
    """Return what the app calls eulerAngles: z, y, x of the inverse, in degrees."""
    inverse = transform.T
    z = math.atan2(inverse[1, 0], inverse[0, 0])
    y = math.asin(-inverse[2, 0])
    x = math.atan2(inverse[2, 1], inverse[2, 2])
    return math.degrees(z), math.degrees(y), math.degrees(x)


def face_transform(head: HeadPose) -> Matrix:
    """Return ARKit's face anchor against the front camera of an upright phone.

    The camera's x points down to the home button and its z away from you, so that a face
    that looks at it is turned a quarter about z.
    """
    turned = about(1, -head.yaw_rad) @ about(0, -head.pitch_rad) @ about(2, head.roll_rad)
    return about(2, math.pi / 2) @ turned


@pytest.mark.parametrize(
    "head",
    [
        HeadPose(),
        HeadPose(pitch_rad=0.3),
        HeadPose(yaw_rad=0.4),
        HeadPose(roll_rad=0.2),
        HeadPose(0.3, -0.5, 0.25),
    ],
)
def test_head_is_the_persons_own(visage: VisageProtocol, head: HeadPose) -> None:
    z, y, x = apps_euler(face_transform(head))
    sent = floats(at_55=-y, at_56=-x, at_57=z + 90)  # as the app writes them
    got = only(visage.feed(message("/visage", *sent), T0)).head
    assert got is not None
    assert (got.pitch_rad, got.yaw_rad, got.roll_rad) == pytest.approx(
        (head.pitch_rad, head.yaw_rad, head.roll_rad), abs=1e-5
    )


@pytest.mark.parametrize(("pitch", "yaw"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.4), (-0.35, -0.5)])
def test_eyes_are_the_persons_own(visage: VisageProtocol, pitch: float, yaw: float) -> None:
    _, y, x = apps_euler(about(1, -yaw) @ about(0, -pitch))
    frame = only(visage.feed(message("/visage", *floats(at_58=-x, at_59=y)), T0))
    assert frame.left_eye is not None
    assert (frame.left_eye.pitch_rad, frame.left_eye.yaw_rad) == pytest.approx(
        (pitch, yaw), abs=1e-5
    )
    assert frame.right_eye is not None
    assert frame.right_eye.yaw_rad == 0.0


def test_eye_angles_come_back() -> None:
    gaze = gaze_from_eye(0.3, -0.4)
    assert eye_from_gaze(gaze) == pytest.approx((0.3, -0.4))


def test_sides_are_swapped_back(visage: VisageProtocol) -> None:
    readme = floats(at_1=0.1, at_2=0.2, at_13=0.3, at_14=0.4, at_24=0.5, at_26=0.6, at_27=0.7)
    weights = only(visage.feed(message("/visage", *readme), T0)).blendshapes
    assert set(weights) == set(ARKIT_NAMES)
    expected = {
        **{"browDownRight": 0.1, "browDownLeft": 0.2, "eyeBlinkRight": 0.3, "eyeBlinkLeft": 0.4},
        **{"jawOpen": 0.5, "jawRight": 0.6, "jawLeft": 0.7, "browInnerUp": 0.0},
    }
    assert {name: weights[name] for name in expected} == pytest.approx(expected)


def test_every_message_is_a_face(visage: VisageProtocol) -> None:
    frames = visage.feed(message("/visage", *floats()), T0)
    frames += visage.feed(bundle(message("/visage", *floats())), T0 + 1)
    assert [frame.t_ns for frame in frames] == [T0, T0 + 1]
    assert not visage.waiting


def test_senseless_values_keep_the_last(visage: VisageProtocol) -> None:
    before = only(visage.feed(message("/visage", *floats(at_24=0.5, at_56=10.0)), T0))
    bad = floats(at_24=math.nan, at_56=1e20)
    after = only(visage.feed(message("/visage", *bad), T0 + 1))
    assert after.blendshapes["jawOpen"] == 0.5
    assert after.head == before.head
    assert visage.values_dropped == 2


def test_too_few_floats_are_no_face(visage: VisageProtocol) -> None:
    assert visage.feed(message("/visage", *floats()[:60]), T0) == []
    assert visage.values_dropped == 1


def test_other_addresses_are_not_visage(visage: VisageProtocol) -> None:
    assert not VisageProtocol.recognises(message("/visages", 1.0))
    with pytest.raises(PacketError, match="visage"):
        visage.feed(message("/visages", 1.0), T0)
