"""Head rotations compose as rotations and keep the signs of THA3."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.datatypes import HeadPose
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.retarget.head import (
    head_from_neutral,
    head_pose_from_quaternion,
    quaternion_from_head_pose,
    write_head,
)
from vtbridge.retarget.settings import HeadSettings

Matrix = NDArray[np.float64]


def degrees(pitch: float, yaw: float, roll: float) -> HeadPose:
    return HeadPose(*(math.radians(angle) for angle in (pitch, yaw, roll)))


def angles(head: HeadPose) -> tuple[float, float, float]:
    return head.pitch_rad, head.yaw_rad, head.roll_rad


def matrix(head: HeadPose) -> Matrix:
    """Return Ry(yaw) Rx(-pitch) Rz(-roll): Unity's order, by matrices instead of quaternions."""

    def turn(axis: int, angle: float) -> Matrix:
        result = np.eye(3)
        i, j = ((1, 2), (2, 0), (0, 1))[axis]
        result[i, i] = result[j, j] = math.cos(angle)
        result[j, i], result[i, j] = math.sin(angle), -math.sin(angle)
        return result

    return turn(1, head.yaw_rad) @ turn(0, -head.pitch_rad) @ turn(2, -head.roll_rad)


def test_angles_survive_the_way_through_a_quaternion() -> None:
    rng = np.random.default_rng(0)
    for pitch, yaw, roll in rng.uniform(-85, 85, (200, 3)):
        head = degrees(pitch, yaw, roll)
        back = head_pose_from_quaternion(quaternion_from_head_pose(head))
        assert angles(back) == pytest.approx(angles(head), abs=1e-9)


def test_a_head_seen_from_itself_does_not_turn() -> None:
    head = degrees(20, -35, 15)
    assert angles(head_from_neutral(head, head)) == pytest.approx((0, 0, 0), abs=1e-12)


def test_seen_from_neutral_agrees_with_rotation_matrices() -> None:
    rng = np.random.default_rng(1)
    for numbers in rng.uniform(-50, 50, (200, 6)):
        head, neutral = degrees(*numbers[:3]), degrees(*numbers[3:])
        moved = matrix(head_from_neutral(head, neutral))
        np.testing.assert_allclose(moved, matrix(neutral).T @ matrix(head), atol=1e-9)


def test_a_camera_below_the_face_does_not_turn_yaw_into_tilt() -> None:
    """A phone that looks up by 40 degrees: turning the head stays a pure turn."""
    neutral = degrees(-40, 0, 0)
    turned = degrees(0, 30, 0)
    seen = _head_from_matrix(matrix(neutral) @ matrix(turned))
    assert abs(seen.roll_rad) > math.radians(15)  # what subtracting angles would leave behind
    assert angles(head_from_neutral(seen, neutral)) == pytest.approx(angles(turned), abs=1e-9)


def _head_from_matrix(rotation: Matrix) -> HeadPose:
    return HeadPose(
        pitch_rad=math.asin(rotation[1, 2]),
        yaw_rad=math.atan2(rotation[0, 2], rotation[2, 2]),
        roll_rad=-math.atan2(rotation[1, 0], rotation[1, 1]),
    )


def test_signs_and_gains() -> None:
    values = [0.0] * POSE_SIZE
    write_head(values, degrees(7.5, -5, 3), HeadSettings(body_yaw_follow=0.5, body_roll_follow=0))
    assert values[PoseParam.HEAD_X] == pytest.approx(0.5)
    assert values[PoseParam.HEAD_Y] == pytest.approx(-0.5)
    assert values[PoseParam.NECK_Z] == pytest.approx(0.2)
    assert values[PoseParam.BODY_Y] == pytest.approx(-0.25)
    assert values[PoseParam.BODY_Z] == 0.0


def test_large_turns_stop_at_one() -> None:
    values = [0.0] * POSE_SIZE
    write_head(values, degrees(-80, 170, -60), HeadSettings())
    assert [values[p] for p in (PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.NECK_Z)] == [
        -1,
        1,
        -1,
    ]
