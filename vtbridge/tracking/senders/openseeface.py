"""Write faces as OpenSeeFace's facetracker does, as far as its features reach."""

from __future__ import annotations

import math

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.tracking.protocols.openseeface import FACE, LAYOUT, Features, euler_from_head
from vtbridge.tracking.rotation import IDENTITY, unity_from_head_pose

_WIDTH, _HEIGHT = 640.0, 480.0
_EYEBALL = (0.2, -0.3, 0.35)
"""Where the right eyeball is in the face, its pupil a radius before it."""
_RADIUS = 0.09


def encode_openseeface(face: FaceFrame, number: int = 0) -> list[bytes]:
    """Return the one datagram of a face with id ``number``; none if it is not tracked."""
    if not face.tracked:
        return []
    weights = face.blendshapes
    values = [0.0] * (LAYOUT.features.stop)
    values[0] = face.t_ns / NS_PER_S
    values[2:4] = _WIDTH, _HEIGHT
    values[LAYOUT.right_open] = 1.0 - weights.get("eyeBlinkRight", 0.0)
    values[LAYOUT.left_open] = 1.0 - weights.get("eyeBlinkLeft", 0.0)
    rotation = IDENTITY if face.head is None else unity_from_head_pose(face.head)
    values[8:12] = rotation
    values[LAYOUT.euler] = euler_from_head(rotation)
    values[LAYOUT.points] = _points(face.left_eye or face.right_eye or Gaze())
    values[LAYOUT.features] = _features(face)
    packed: list[float | int] = list(values)
    packed[LAYOUT.id], packed[LAYOUT.found] = number, 1
    return [FACE.pack(*packed)]


def _features(face: FaceFrame) -> Features:
    weight = face.blendshapes.get
    return Features(
        eye_left=-weight("eyeBlinkLeft", 0.0),
        eye_right=-weight("eyeBlinkRight", 0.0),
        brow_steepness_left=0.0,
        brow_up_left=weight("browOuterUpLeft", 0.0) - weight("browDownLeft", 0.0),
        brow_quirk_left=0.0,
        brow_steepness_right=0.0,
        brow_up_right=weight("browOuterUpRight", 0.0) - weight("browDownRight", 0.0),
        brow_quirk_right=0.0,
        corner_low_left=weight("mouthFrownLeft", 0.0) - weight("mouthSmileLeft", 0.0),
        corner_out_left=0.0,
        corner_low_right=weight("mouthFrownRight", 0.0) - weight("mouthSmileRight", 0.0),
        corner_out_right=0.0,
        mouth_open=weight("jawOpen", 0.0),
        mouth_wide=max(weight("mouthStretchLeft", 0.0), weight("mouthStretchRight", 0.0))
        - weight("mouthPucker", 0.0),
    )


def _points(gaze: Gaze) -> list[float]:
    """Return the 70 points, of which only pupils and eyeballs lie where a face has them."""
    across = math.cos(gaze.pitch_rad)
    towards = (
        math.sin(gaze.yaw_rad) * across,
        -math.sin(gaze.pitch_rad),
        -math.cos(gaze.yaw_rad) * across,
    )
    x, y, z = _EYEBALL
    balls = ((x, y, z), (-x, y, z))
    pupils = [
        tuple(at + _RADIUS * way for at, way in zip(ball, towards, strict=True)) for ball in balls
    ]
    return [0.0] * (3 * 66) + [number for point in (*pupils, *balls) for number in point]
