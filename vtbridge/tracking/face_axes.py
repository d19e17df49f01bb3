"""Rotations in the axes of a face that looks at you, as ARKit writes them.

Right-handed: x to the face's own left, y up, z out of the face. A positive turn about x
points the nose down, about y to the own left, about z tilts to the own right shoulder.
Ours: pitch up, yaw to the own right, roll to the own right shoulder.

Source: Apple's ARFaceAnchor ("face coordinate space").
"""

from __future__ import annotations

import math

from vtbridge.datatypes import Gaze, HeadPose
from vtbridge.tracking.rotation import (
    Quaternion,
    gaze_from_unity,
    head_pose_from_unity,
    unity_from_gaze,
    unity_from_head_pose,
)

_SHORTEST_DIRECTION = 1e-3


def head_pose_from_face_axes(q: Quaternion) -> HeadPose:
    """Return the head pose of a rotation of norm 1."""
    return head_pose_from_unity(_mirrored(q))


def face_axes_from_head_pose(head: HeadPose) -> Quaternion:
    """Return the rotation of a head pose; inverse of ``head_pose_from_face_axes``."""
    return _mirrored(unity_from_head_pose(head))


def gaze_from_face_axes(q: Quaternion) -> Gaze:
    """Return the gaze of an eye's rotation of norm 1."""
    return gaze_from_unity(_mirrored(q))


def face_axes_from_gaze(gaze: Gaze) -> Quaternion:
    """Return the rotation of an eye; inverse of ``gaze_from_face_axes``."""
    return _mirrored(unity_from_gaze(gaze))


def gaze_from_direction(x: float, y: float, z: float) -> Gaze | None:
    """Return the gaze along a direction, None if it is too short to point anywhere."""
    norm = math.hypot(x, y, z)
    if norm < _SHORTEST_DIRECTION:
        return None
    return Gaze(pitch_rad=math.asin(min(max(y / norm, -1.0), 1.0)), yaw_rad=math.atan2(-x, z))


def direction_from_gaze(gaze: Gaze) -> tuple[float, float, float]:
    """Return the direction, of length 1, of a gaze; inverse of ``gaze_from_direction``."""
    level = math.cos(gaze.pitch_rad)
    return (
        -math.sin(gaze.yaw_rad) * level,
        math.sin(gaze.pitch_rad),
        math.cos(gaze.yaw_rad) * level,
    )


def _mirrored(q: Quaternion) -> Quaternion:
    """Return ``q`` with x pointing the other way: Unity's axes from a face's, or back."""
    return Quaternion(q.x, -q.y, -q.z, q.w)
