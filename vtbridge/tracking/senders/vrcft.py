"""Write faces as VRCFaceTracking does for an avatar that asks for the finest parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pythonosc.osc_message import OscMessage

from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.tracking.protocols.vrcft import (
    EYES_ACTIVE,
    FACE_ACTIVE,
    GAZE_PARAMETERS,
    HEAD_PARAMETERS,
    NAMESPACE,
    QUARTER_TURN_RAD,
    VERSION,
)
from vtbridge.tracking.protocols.vrcft_shapes import WAYS
from vtbridge.tracking.senders.osc_build import build_bundles, build_message

LARGEST_DATAGRAM_BYTES = 4096
"""VRCFaceTracking's send buffer."""


def encode_vrcft(face: FaceFrame) -> list[bytes]:
    """Return the bundles of one face: ARKit blendshapes but eyeLook, gaze, head, flags."""
    return build_bundles(_vrcft_messages(face), LARGEST_DATAGRAM_BYTES)


def _vrcft_messages(face: FaceFrame) -> Iterator[OscMessage]:
    for flag in (EYES_ACTIVE, FACE_ACTIVE):
        yield build_message(NAMESPACE + flag, face.tracked)
    if not face.tracked:
        return
    for name, weight in face.blendshapes.items():
        for parameter, _ in WAYS[name][0].terms if name in WAYS else ():
            yield _parameter(parameter, weight)
    gazes = (*_tangents(face.left_eye), *_tangents(face.right_eye))
    for parameter, tangent in zip(GAZE_PARAMETERS, gazes, strict=True):
        if tangent is not None:
            yield _parameter(parameter, tangent)
    if face.head is not None:
        turns = (face.head.yaw_rad, -face.head.pitch_rad, -face.head.roll_rad)
        for parameter, turn_rad in zip(HEAD_PARAMETERS, turns, strict=True):
            yield _parameter(parameter, min(max(turn_rad / QUARTER_TURN_RAD, -1.0), 1.0))


def _tangents(gaze: Gaze | None) -> tuple[float | None, float | None]:
    if gaze is None:
        return None, None
    return math.tan(gaze.yaw_rad), math.tan(gaze.pitch_rad)


def _parameter(name: str, value: float) -> OscMessage:
    return build_message(f"{NAMESPACE}{VERSION}{name}", float(value))
