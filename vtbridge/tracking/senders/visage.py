"""Write faces as Visage does."""

from __future__ import annotations

import math

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.protocols.visage import ADDRESS, SHAPES, eye_from_gaze
from vtbridge.tracking.senders.osc_build import build_message

_NS_PER_S = 1e9


def encode_visage(face: FaceFrame) -> list[bytes]:
    """Return the one message of 63 floats, what is not known as 0; nothing for a lost face."""
    if not face.tracked:
        return []
    head = face.head or HeadPose()
    angles = (
        *(-head.pitch_rad, head.yaw_rad, -head.roll_rad),
        *eye_from_gaze(face.left_eye or Gaze()),
        *eye_from_gaze(face.right_eye or Gaze()),
    )
    floats = (
        *(float(face.blendshapes.get(name, 0.0)) for name in SHAPES),
        *(0.0, 0.0, 0.0),
        *map(math.degrees, angles),
        face.t_ns / _NS_PER_S,
    )
    return [build_message(ADDRESS, *floats).dgram]
