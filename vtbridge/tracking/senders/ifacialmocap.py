"""Write faces as iFacialMocap does, in both of its texts."""

from __future__ import annotations

import math

from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.formats import TextVersion


def encode_ifacialmocap(face: FaceFrame, version: TextVersion = TextVersion.V2) -> bytes:
    """Return one datagram of iFacialMocap's text; weights are rounded to a percent."""
    separator = "&" if version is TextVersion.V2 else "-"
    shapes = [
        f"{_short_sided(name)}{separator}{round(100 * weight)}"
        for name, weight in face.blendshapes.items()
    ]
    text = "|".join(shapes) + "|="
    if face.head is not None:
        head = (-face.head.pitch_rad, -face.head.yaw_rad, face.head.roll_rad)
        text += f"head#{_degrees(*head)},0.000000,0.000000,0.000000|"
    for eye, gaze in (("rightEye", face.right_eye), ("leftEye", face.left_eye)):
        if gaze is not None:
            text += f"{eye}#{_degrees(-gaze.pitch_rad, -gaze.yaw_rad, 0.0)}|"
    return text.encode()


def _short_sided(name: str) -> str:
    """Return ``mouthSmile_L`` for ``mouthSmileLeft``, as the phone spells it."""
    if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return name
    for side in ("Left", "Right"):
        if name.endswith(side):
            return f"{name.removesuffix(side)}_{side[0]}"
    return name


def _degrees(*angles_rad: float) -> str:
    return ",".join(f"{math.degrees(angle):.6f}" for angle in angles_rad)
