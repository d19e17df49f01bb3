"""Rotations of the head: composed as rotations, shown as three pose parameters.

The angles of ``HeadPose`` are Unity's, in its order Y X Z, with the signs of pitch and
roll turned: ``q = qY(yaw) qX(-pitch) qZ(-roll)``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from vtbridge.datatypes import HeadPose
from vtbridge.pose_params import PoseParam
from vtbridge.retarget.curves import bent_both_ways
from vtbridge.retarget.settings import CurveSettings, HeadSettings

# Looked up once: asking an enum for a member takes as long as working out its angle.
_HEAD_X, _HEAD_Y, _NECK_Z = map(int, (PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.NECK_Z))
_BODY_Y, _BODY_Z = map(int, (PoseParam.BODY_Y, PoseParam.BODY_Z))


class Quaternion(NamedTuple):
    """A rotation; unit length."""

    w: float
    x: float
    y: float
    z: float


def quaternion_from_head_pose(head: HeadPose) -> Quaternion:
    """Return the rotation whose angles are ``head``, radians."""
    sin_x, cos_x = math.sin(-head.pitch_rad / 2), math.cos(-head.pitch_rad / 2)
    sin_y, cos_y = math.sin(head.yaw_rad / 2), math.cos(head.yaw_rad / 2)
    sin_z, cos_z = math.sin(-head.roll_rad / 2), math.cos(-head.roll_rad / 2)
    return Quaternion(
        cos_y * cos_x * cos_z + sin_y * sin_x * sin_z,
        cos_y * sin_x * cos_z + sin_y * cos_x * sin_z,
        sin_y * cos_x * cos_z - cos_y * sin_x * sin_z,
        cos_y * cos_x * sin_z - sin_y * sin_x * cos_z,
    )


def head_pose_from_quaternion(rotation: Quaternion) -> HeadPose:
    """Return the angles of ``rotation``: pitch within +-90 degrees, the others +-180."""
    w, x, y, z = rotation
    sin_pitch = min(max(2 * (w * x - y * z), -1.0), 1.0)
    return HeadPose(
        pitch_rad=-math.asin(sin_pitch),
        yaw_rad=math.atan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y)),
        roll_rad=-math.atan2(2 * (x * y + w * z), 1 - 2 * (x * x + z * z)),
    )


def head_from_neutral(head: HeadPose, neutral: HeadPose) -> HeadPose:
    """Return ``head`` as seen from ``neutral``: inverse(neutral) * head, all in radians."""
    w, x, y, z = quaternion_from_head_pose(neutral)
    a, b, c, d = quaternion_from_head_pose(head)
    return head_pose_from_quaternion(
        Quaternion(
            w * a + x * b + y * c + z * d,
            w * b - x * a - y * d + z * c,
            w * c + x * d - y * a - z * b,
            w * d - x * c + y * b - z * a,
        )
    )


def write_head(
    values: list[float],
    head: HeadPose,
    settings: HeadSettings,
    curve: CurveSettings | None = None,
) -> None:
    """Set head, neck and body in the 45 ``values`` from ``head``, radians from neutral.

    ``curve`` bends each of the three turns, None leaves them as they are.
    """
    yaw = _unit(head.yaw_rad, settings.yaw_full_deg, curve)
    roll = _unit(head.roll_rad, settings.roll_full_deg, curve)
    values[_HEAD_X] = _unit(head.pitch_rad, settings.pitch_full_deg, curve)
    values[_HEAD_Y] = yaw
    values[_NECK_Z] = roll
    values[_BODY_Y] = yaw * settings.body_yaw_follow
    values[_BODY_Z] = roll * settings.body_roll_follow


def _unit(angle_rad: float, full_deg: float, curve: CurveSettings | None) -> float:
    turned = math.degrees(angle_rad) / full_deg
    if curve is not None:
        turned = bent_both_ways(turned, curve)
    return -1.0 if turned <= -1.0 else 1.0 if turned >= 1.0 else turned
