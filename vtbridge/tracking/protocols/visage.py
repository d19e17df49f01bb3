"""Receive Visage: an iPhone's ARKit face as one OSC message of 63 floats.

``/visage``: 52 blendshapes, head position (3) and angles (3), left eye (2), right eye (2),
and the phone's time. Angles are degrees.

Source: the README and the app's ViewController.swift of cardboardcomputer/visage. The
app turns the face into its mirror image: it writes the right side's shapes where the
README says left, and negates position x and the turns about y and z. Here they become
the person's own again; the two eyes alone are not swapped. Inferred from that code:
head = qY(yaw) qX(pitch) qZ(roll), eye = qX(pitch) qY(yaw).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from vtbridge.datatypes import Gaze, HeadPose
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.osc_face import Handler, OscArguments, OscFaceProtocol
from vtbridge.tracking.protocols.protocol import finite_or_none

ADDRESS = "/visage"
FLOATS = 63
HEAD_ANGLES_AT = 55
LEFT_EYE_AT = 58
RIGHT_EYE_AT = 60
_LARGEST_ANGLE_DEG = 360.0
_ADDRESS_BYTES = ADDRESS.encode() + b"\0"


def other_side(name: str) -> str:
    """Return the blendshape of the other side of the face, itself if it has none."""
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name


SHAPES: tuple[str, ...] = tuple(other_side(name) for name in ARKIT_NAMES)
"""The person's own blendshapes in the order of the floats."""


class VisageProtocol(OscFaceProtocol):
    """One phone with Visage; every message is a face."""

    name = "visage"

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the app's one address stands in the packet."""
        return _ADDRESS_BYTES in datagram

    def _handlers_by_address(self) -> Mapping[str, Handler]:
        return {ADDRESS: self._take_face}

    def _take_face(self, arguments: OscArguments) -> bool:
        if len(arguments) < FLOATS - 1:  # the time is not needed
            return self._drop()
        self._take_shapes(SHAPES, arguments)
        angles = [self._angle(value) for value in arguments[HEAD_ANGLES_AT : FLOATS - 1]]
        x, y, z, left_x, left_y, right_x, right_y = angles
        if x is not None and y is not None and z is not None:
            self._head = HeadPose(pitch_rad=-x, yaw_rad=y, roll_rad=-z)
        if left_x is not None and left_y is not None:
            self._left_eye = gaze_from_eye(left_x, left_y)
        if right_x is not None and right_y is not None:
            self._right_eye = gaze_from_eye(right_x, right_y)
        self._ended = True
        return True

    def _angle(self, value: object) -> float | None:
        angle_deg = finite_or_none(value, _LARGEST_ANGLE_DEG)
        if angle_deg is None:
            self._drop()
            return None
        return math.radians(angle_deg)


def gaze_from_eye(x: float, y: float) -> Gaze:
    """Return the gaze of an eye turned down by ``x`` and to the own right by ``y``, radians."""
    return Gaze(
        pitch_rad=math.asin(-math.sin(x) * math.cos(y)),
        yaw_rad=math.atan2(math.sin(y), math.cos(x) * math.cos(y)),
    )


def eye_from_gaze(gaze: Gaze) -> tuple[float, float]:
    """Return the eye's angles in radians; inverse of ``gaze_from_eye``."""
    level = math.cos(gaze.pitch_rad)
    return (
        math.atan2(-math.sin(gaze.pitch_rad), math.cos(gaze.yaw_rad) * level),
        math.asin(math.sin(gaze.yaw_rad) * level),
    )
