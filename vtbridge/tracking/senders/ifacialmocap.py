"""Write faces as iFacialMocap does, in both of its texts."""

from __future__ import annotations

import math
from collections.abc import Callable

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.formats import TextVersion


def encode_ifacialmocap(face: FaceFrame, version: TextVersion = TextVersion.V2) -> bytes:
    """Return one datagram of iFacialMocap's text; weights are rounded to a percent."""
    separator = "&" if version is TextVersion.V2 else "-"
    return encode_text(face, separator, _short_sided)


def encode_text(face: FaceFrame, separator: str, spelling: Callable[[str], str]) -> bytes:
    """Return one datagram of the text that these apps share.

    Args:
        face: what to write.
        separator: stands between a blendshape's name and its percent.
        spelling: returns how the app spells an ARKit name.
    """
    status = [f"trackingStatus{separator}{int(face.tracked)}"]
    shapes = [
        f"{spelling(name)}{separator}{round(100 * weight)}"
        for name, weight in face.blendshapes.items()
    ]
    text = "|".join(status + shapes) + "|="
    if face.head is not None:
        text += f"head#{_numbers(degrees_from_head(face.head))},0.000000,0.000000,0.000000|"
    for eye, gaze in (("rightEye", face.right_eye), ("leftEye", face.left_eye)):
        if gaze is not None:
            text += f"{eye}#{_numbers(degrees_from_gaze(gaze))}|"
    return text.encode()


def degrees_from_head(head: HeadPose) -> tuple[float, float, float]:
    """Return the x, y, z of a head as these apps write them, in degrees."""
    return -math.degrees(head.pitch_rad), -math.degrees(head.yaw_rad), math.degrees(head.roll_rad)


def degrees_from_gaze(gaze: Gaze) -> tuple[float, float, float]:
    """Return the x, y, z of an eye as these apps write them, in degrees."""
    return -math.degrees(gaze.pitch_rad), -math.degrees(gaze.yaw_rad), 0.0


def _short_sided(name: str) -> str:
    """Return ``mouthSmile_L`` for ``mouthSmileLeft``, as the phone spells it."""
    if name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
        return name
    for side in ("Left", "Right"):
        if name.endswith(side):
            return f"{name.removesuffix(side)}_{side[0]}"
    return name


def _numbers(angles: tuple[float, float, float]) -> str:
    return ",".join(f"{angle:.6f}" for angle in angles)
