"""Turns of a face that looks at you get this program's signs."""

from __future__ import annotations

import math

import pytest

from vtbridge.datatypes import Gaze, HeadPose
from vtbridge.tracking.face_axes import (
    direction_from_gaze,
    face_axes_from_gaze,
    face_axes_from_head_pose,
    gaze_from_direction,
    gaze_from_face_axes,
    head_pose_from_face_axes,
)
from vtbridge.tracking.rotation import Quaternion


def turn(axis: str, angle: float) -> Quaternion:
    components = {name: math.sin(angle / 2) if name == axis else 0.0 for name in "xyz"}
    return Quaternion(**components, w=math.cos(angle / 2))


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ("x", (-0.3, 0.0, 0.0)),  # right-handed about the own left: the nose goes down
        ("y", (0.0, -0.3, 0.0)),  # about up: to the own left
        ("z", (0.0, 0.0, 0.3)),  # about the nose: the left ear goes up
    ],
)
def test_positive_turn_about_an_axis(axis: str, expected: tuple[float, float, float]) -> None:
    head = head_pose_from_face_axes(turn(axis, 0.3))
    assert (head.pitch_rad, head.yaw_rad, head.roll_rad) == pytest.approx(expected)


def test_head_comes_back() -> None:
    head = HeadPose(0.3, -0.5, 0.2)
    again = head_pose_from_face_axes(face_axes_from_head_pose(head))
    assert (again.pitch_rad, again.yaw_rad, again.roll_rad) == pytest.approx((0.3, -0.5, 0.2))


@pytest.mark.parametrize(
    ("direction", "gaze"),
    [
        ((0.0, 0.0, 2.0), Gaze(0.0, 0.0)),
        ((0.0, 1.0, 1.0), Gaze(math.pi / 4, 0.0)),
        ((1.0, 0.0, 1.0), Gaze(0.0, -math.pi / 4)),
    ],
)
def test_direction_is_a_gaze(direction: tuple[float, float, float], gaze: Gaze) -> None:
    seen = gaze_from_direction(*direction)
    assert seen is not None
    assert (seen.pitch_rad, seen.yaw_rad) == pytest.approx((gaze.pitch_rad, gaze.yaw_rad))


def test_direction_without_length_is_no_gaze() -> None:
    assert gaze_from_direction(0.0, 0.0, 0.0) is None


def test_gaze_as_a_direction_and_as_a_turn_is_the_same_gaze() -> None:
    gaze = Gaze(0.2, -0.4)
    for again in (
        gaze_from_direction(*direction_from_gaze(gaze)),
        gaze_from_face_axes(face_axes_from_gaze(gaze)),
    ):
        assert again is not None
        assert (again.pitch_rad, again.yaw_rad) == pytest.approx((0.2, -0.4))
