"""Write faces as VTube Studio's iPhone app does."""

from __future__ import annotations

import json
import math

from vtbridge.datatypes import FaceFrame, Gaze

NS_PER_MS = 1_000_000


def encode_vts_phone(face: FaceFrame) -> list[bytes]:
    """Return the one datagram of a face."""
    fields: dict[str, object] = {
        "Timestamp": face.t_ns // NS_PER_MS,
        "Hotkey": -1,
        "FaceFound": face.tracked,
    }
    if face.head is not None:
        head = face.head
        fields["Rotation"] = _vector(head.yaw_rad, -head.pitch_rad, -head.roll_rad)
        fields["Position"] = _vector(0.0, 0.0, 0.0)
    for name, gaze in (("EyeLeft", face.left_eye), ("EyeRight", face.right_eye)):
        looking = gaze or Gaze()
        fields[name] = _vector(looking.yaw_rad, -looking.pitch_rad, 0.0)
    fields["BlendShapes"] = [
        {"k": name[0].upper() + name[1:], "v": weight} for name, weight in face.blendshapes.items()
    ]
    return [json.dumps(fields, separators=(",", ":")).encode()]


def _vector(x_rad: float, y_rad: float, z_rad: float) -> dict[str, float]:
    return {"x": math.degrees(x_rad), "y": math.degrees(y_rad), "z": math.degrees(z_rad)}
