"""Signs and order of rotations agree with Unity's and with the pose parameters."""

from __future__ import annotations

import math

import pytest

from vtbridge.datatypes import Gaze, HeadPose
from vtbridge.tracking.rotation import (
    IDENTITY,
    Quaternion,
    angle_between,
    gaze_from_unity,
    head_pose_from_unity,
    multiply,
    normalised,
    unity_euler,
    unity_from_euler,
)

S, C = math.sin(math.radians(10)), math.cos(math.radians(10))
TWENTY_DEG = math.radians(20)


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (Quaternion(S, 0, 0, C), HeadPose(pitch_rad=-TWENTY_DEG)),  # nose down
        (Quaternion(0, S, 0, C), HeadPose(yaw_rad=TWENTY_DEG)),  # to the own right
        (Quaternion(0, 0, S, C), HeadPose(roll_rad=-TWENTY_DEG)),  # to the own left shoulder
    ],
)
def test_unity_axis_has_the_documented_sign(rotation: Quaternion, expected: HeadPose) -> None:
    head = head_pose_from_unity(rotation)
    assert (head.pitch_rad, head.yaw_rad, head.roll_rad) == pytest.approx(
        (expected.pitch_rad, expected.yaw_rad, expected.roll_rad)
    )


def test_gaze_has_the_same_signs() -> None:
    gaze = gaze_from_unity(unity_from_euler(0.2, 0.3, 0.0))
    assert (gaze.pitch_rad, gaze.yaw_rad) == pytest.approx((-0.2, 0.3))
    assert gaze_from_unity(IDENTITY) == Gaze(pitch_rad=-0.0, yaw_rad=0.0)


def test_euler_angles_are_of_unitys_order() -> None:
    angles = (0.3, -0.8, 0.5)
    assert unity_euler(unity_from_euler(*angles)) == pytest.approx(angles)


def test_children_turn_inside_their_parents() -> None:
    yawed, pitched = unity_from_euler(0, 0.5, 0), unity_from_euler(0.4, 0, 0)
    assert unity_euler(multiply(yawed, pitched)) == pytest.approx((0.4, 0.5, 0.0))


def test_gimbal_lock_is_finite() -> None:
    assert all(map(math.isfinite, unity_euler(unity_from_euler(math.pi / 2, 1.0, 2.0))))


def test_rotation_near_zero_means_nothing() -> None:
    assert normalised(Quaternion(0, 0, 0, 1e-9)) is None
    assert normalised(Quaternion(0, 0, 0, 5)) == IDENTITY


def test_opposite_quaternions_are_the_same_rotation() -> None:
    q = unity_from_euler(0.1, 0.2, 0.3)
    assert angle_between(q, Quaternion(*(-c for c in q))) == pytest.approx(0.0, abs=1e-7)
    assert angle_between(IDENTITY, unity_from_euler(0.3, 0, 0)) == pytest.approx(0.3)
