"""Rotations as senders write them, turned into this program's signs.

Unity's axes (VMC): left-handed, x right, y up, z forward, quaternions x y z w;
+X nose down, +Y the avatar's own right, +Z tilt to its own left shoulder.
Ours: pitch up, yaw to the own right, roll to the own right shoulder.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from vtbridge.datatypes import Gaze, HeadPose

_SMALLEST_NORM = 1e-3


class Quaternion(NamedTuple):
    """A rotation, components in Unity's order."""

    x: float
    y: float
    z: float
    w: float


IDENTITY = Quaternion(0.0, 0.0, 0.0, 1.0)


def normalised(q: Quaternion) -> Quaternion | None:
    """Return ``q`` with norm 1, None if it is too close to zero to mean a rotation."""
    norm = math.hypot(*q)
    if norm < _SMALLEST_NORM:
        return None
    return Quaternion(q.x / norm, q.y / norm, q.z / norm, q.w / norm)


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Return the rotation ``b`` followed by ``a``: child ``b`` inside parent ``a``."""
    return Quaternion(
        a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
        a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x,
        a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w,
        a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z,
    )


def angle_between(a: Quaternion, b: Quaternion) -> float:
    """Return the angle of the rotation from ``a`` to ``b``, both of norm 1, in radians."""
    difference = multiply(Quaternion(-a.x, -a.y, -a.z, a.w), b)
    return 2.0 * math.atan2(math.hypot(*difference[:3]), abs(difference.w))


def unity_euler(q: Quaternion) -> tuple[float, float, float]:
    """Return Unity's x, y, z angles of ``q`` in radians, where q = qY qX qZ."""
    x, y, z, w = q
    pitch = math.asin(min(max(2.0 * (w * x - y * z), -1.0), 1.0))
    yaw = math.atan2(2.0 * (x * z + w * y), 1.0 - 2.0 * (x * x + y * y))
    roll = math.atan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z))
    return pitch, yaw, roll


def unity_from_euler(pitch_x: float, yaw_y: float, roll_z: float) -> Quaternion:
    """Return qY qX qZ for Unity's angles in radians."""
    q_y = Quaternion(0.0, math.sin(yaw_y / 2), 0.0, math.cos(yaw_y / 2))
    q_x = Quaternion(math.sin(pitch_x / 2), 0.0, 0.0, math.cos(pitch_x / 2))
    q_z = Quaternion(0.0, 0.0, math.sin(roll_z / 2), math.cos(roll_z / 2))
    return multiply(multiply(q_y, q_x), q_z)


def head_pose_from_unity(q: Quaternion) -> HeadPose:
    """Return the head pose of a Unity head rotation of norm 1."""
    pitch, yaw, roll = unity_euler(q)
    return HeadPose(pitch_rad=-pitch, yaw_rad=yaw, roll_rad=-roll)


def gaze_from_unity(q: Quaternion) -> Gaze:
    """Return the gaze of a Unity eye bone of norm 1."""
    pitch, yaw, _ = unity_euler(q)
    return Gaze(pitch_rad=-pitch, yaw_rad=yaw)


def unity_from_head_pose(head: HeadPose) -> Quaternion:
    """Return the Unity rotation of a head pose; inverse of ``head_pose_from_unity``."""
    return unity_from_euler(-head.pitch_rad, head.yaw_rad, -head.roll_rad)


def unity_from_gaze(gaze: Gaze) -> Quaternion:
    """Return the Unity rotation of an eye; inverse of ``gaze_from_unity``."""
    return unity_from_euler(-gaze.pitch_rad, gaze.yaw_rad, 0.0)
