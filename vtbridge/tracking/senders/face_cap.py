"""Write faces as Face Cap does."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pythonosc.osc_message import OscMessage

from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.face_axes import face_axes_from_head_pose
from vtbridge.tracking.senders.osc_build import build_bundle, build_message


def encode_face_cap(face: FaceFrame) -> list[bytes]:
    """Return one bundle with head, eyes and ARKit blendshapes; nothing for a lost face."""
    if not face.tracked:
        return []
    return [build_bundle(_face_cap_messages(face))]


def _face_cap_messages(face: FaceFrame) -> Iterator[OscMessage]:
    if face.head is not None:
        angles = (-face.head.pitch_rad, -face.head.yaw_rad, face.head.roll_rad)
        yield build_message("/HT", 0.0, 0.0, 0.0)
        yield build_message("/HR", *map(math.degrees, angles))
        yield build_message("/HRQ", *face_axes_from_head_pose(face.head))
    eyes: tuple[tuple[str, Gaze | None], ...] = (("/ELR", face.left_eye), ("/ERR", face.right_eye))
    for address, gaze in eyes:
        if gaze is not None:
            yield build_message(address, *map(math.degrees, (-gaze.pitch_rad, -gaze.yaw_rad)))
    for index, name in enumerate(ARKIT_NAMES):
        if name in face.blendshapes:
            yield build_message("/W", index, float(face.blendshapes[name]))
