"""Write faces as Live Link Face does."""

from __future__ import annotations

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.livelink import SHAPE_NAMES, VALUE_COUNT
from vtbridge.tracking.protocols.livelink import LENGTH, TIME, VALUES, VERSION

FPS = 60
_DEVICE = b"D0000000-0000-0000-0000-000000000000"
_SUBJECT = b"vtbridge"


class LiveLinkEncoder:
    """Write one datagram a face, frames numbered from 0."""

    def __init__(self) -> None:
        self._frame = 0

    def __call__(self, face: FaceFrame) -> list[bytes]:
        """Return the datagram of a face; a short one if it is not tracked."""
        datagram = bytes([VERSION])
        for text in (_DEVICE, _SUBJECT):
            datagram += LENGTH.pack(len(text)) + text
        datagram += TIME.pack(self._frame, 0.0, FPS, 1)
        self._frame += 1
        if face.tracked:
            datagram += VALUES.pack(VALUE_COUNT, *_values(face))
        return [datagram]


def _values(face: FaceFrame) -> list[float]:
    head = face.head or HeadPose()
    values = [face.blendshapes.get(name, 0.0) for name in SHAPE_NAMES]
    values += [head.yaw_rad, -head.pitch_rad, -head.roll_rad]
    for gaze in (face.left_eye or Gaze(), face.right_eye or Gaze()):
        values += [gaze.yaw_rad, -gaze.pitch_rad, 0.0]
    return values
