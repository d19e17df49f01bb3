"""Receive OpenSeeFace's facetracker, one or several faces a datagram.

Each face is 1785 bytes, little-endian: time, id, width and height of the picture,
openness of the right and left eye (1 = open), whether a pose was found, error, the
head's quaternion, its Euler angles in degrees, its place, then 68 confidences, 68
points of the picture, 70 points of the face in space and 14 features of -1..1 against
the person's own median. Where no face is seen nothing is sent.

- Euler angles turn the face from the picture's rows and columns: X is 180 - pitch up, Y
  yaw to the own left, Z 90 + roll to the own right shoulder, roll applied last.
- The 3D points are the face's own: x to its own right, y down, z to the back of the
  head. Points 66 and 67 are the pupils, 68 and 69 the eyeballs. The two eyes differ by a
  constant of some 25 degrees, so both get their mean.
- Feature "mouth corner up/down" is positive when the corner is *low*, "brow up/down"
  when the brow is high. Steepness and quirk of the brows have no ARKit shape.

Source: github.com/emilianavt/OpenSeeFace, facetracker.py, tracker.py, Unity/OpenSee.cs;
signs checked on a capture against its 2D points.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.rotation import (
    Quaternion,
    head_pose_from_unity,
    multiply,
    unity_from_euler,
)

FACE = struct.Struct("<di2f2fB1f4f3f3f68f136f210f14f")
MAX_FACES = 8
MAX_ID = 63

_SMALLEST_EYE = 1e-4


class Features(NamedTuple):
    """The features of a face, each -1..1, sides its own."""

    eye_left: float
    eye_right: float
    brow_steepness_left: float
    brow_up_left: float
    brow_quirk_left: float
    brow_steepness_right: float
    brow_up_right: float
    brow_quirk_right: float
    corner_low_left: float
    corner_out_left: float
    corner_low_right: float
    corner_out_right: float
    mouth_open: float
    mouth_wide: float


class Layout(NamedTuple):
    """Where in a face's numbers things stand."""

    id: int = 1
    right_open: int = 4
    left_open: int = 5
    found: int = 6
    euler: slice = slice(12, 15)
    points: slice = slice(222, 432)
    features: slice = slice(432, 446)


LAYOUT = Layout()


class OpenSeeFaceProtocol(TrackerProtocol):
    """One facetracker; each of its faces is a source of its own, ``openseeface:HOST#ID``."""

    name = "openseeface"

    def __init__(self) -> None:
        super().__init__()
        self.reset("")

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the datagram has the size of one or several faces."""
        return 0 < len(datagram) <= MAX_FACES * FACE.size and len(datagram) % FACE.size == 0

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        self._source = source

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram and return its faces.

        Raises:
            PacketError: it has another size, or not one face in it is possible.
        """
        if not self.recognises(datagram):
            raise PacketError(
                f"{len(datagram)} bytes are not 1 to {MAX_FACES} faces of {FACE.size}",
                reason="not openseeface",
            )
        faces: list[FaceFrame] = []
        damaged: PacketError | None = None
        for values in FACE.iter_unpack(datagram):
            try:
                faces.append(_face_from(values, self._source, t_ns))
            except PacketError as error:
                damaged = error
                self.values_dropped += 1
        if not faces and damaged is not None:
            raise damaged
        return faces


def _face_from(values: tuple[float, ...], source: str, t_ns: int) -> FaceFrame:
    number, found = int(values[LAYOUT.id]), bool(values[LAYOUT.found])
    euler, points = values[LAYOUT.euler], values[LAYOUT.points]
    openness = (values[LAYOUT.left_open], values[LAYOUT.right_open])
    features = Features(*values[LAYOUT.features])
    needed = (*euler, *openness, *features, *points[-12:])
    # The sum of so few 32-bit floats is finite just where each of them is.
    if not 0 <= number <= MAX_ID or not math.isfinite(sum(needed)):
        raise PacketError(
            f"face {number} has numbers that are not finite, or is beyond {MAX_ID}",
            reason="malformed openseeface",
        )
    gaze = _gaze_from(points) if found else None
    return FaceFrame(
        t_ns=t_ns,
        source=f"{source}#{number}",
        tracked=found,
        blendshapes=blendshapes_from_features(features, *openness),
        head=head_from_euler(*euler) if found else None,
        left_eye=gaze,
        right_eye=gaze,
    )


def blendshapes_from_features(
    features: Features, left_open: float, right_open: float
) -> dict[str, float]:
    """Return the ARKit blendshapes that OpenSeeFace's features speak of."""
    f = features
    return {
        "eyeBlinkLeft": _part(1.0 - left_open),
        "eyeBlinkRight": _part(1.0 - right_open),
        "browInnerUp": _part((f.brow_up_left + f.brow_up_right) / 2),
        "browOuterUpLeft": _part(f.brow_up_left),
        "browOuterUpRight": _part(f.brow_up_right),
        "browDownLeft": _part(-f.brow_up_left),
        "browDownRight": _part(-f.brow_up_right),
        "mouthSmileLeft": _part(-f.corner_low_left),
        "mouthSmileRight": _part(-f.corner_low_right),
        "mouthFrownLeft": _part(f.corner_low_left),
        "mouthFrownRight": _part(f.corner_low_right),
        "mouthStretchLeft": _part(f.mouth_wide),
        "mouthStretchRight": _part(f.mouth_wide),
        "mouthPucker": _part(-f.mouth_wide),
        "jawOpen": _part(f.mouth_open),
    }


def head_from_euler(x_deg: float, y_deg: float, z_deg: float) -> HeadPose:
    """Return the head pose of OpenSeeFace's Euler angles."""
    x, y, z = math.radians(x_deg), math.radians(y_deg), math.radians(z_deg)
    turned = multiply(unity_from_euler(0.0, -y, 0.0), unity_from_euler(x - math.pi, 0.0, 0.0))
    return head_pose_from_unity(multiply(unity_from_euler(0.0, 0.0, math.pi / 2 - z), turned))


def euler_from_head(head: Quaternion) -> tuple[float, float, float]:
    """Return OpenSeeFace's Euler angles in degrees of a Unity head rotation of norm 1."""
    x, y, z, w = head
    # q = qZ qY qX: the angles of a rotation about x first and z last.
    pitch = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    yaw = math.asin(min(max(2 * (w * y - x * z), -1.0), 1.0))
    roll = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return 180 + math.degrees(pitch), -math.degrees(yaw), 90 - math.degrees(roll)


def _gaze_from(points: tuple[float, ...]) -> Gaze | None:
    """Return where both eyes look together, None if a pupil lies in its eyeball's centre."""
    right_pupil, left_pupil, right_ball, left_ball = (
        points[3 * i : 3 * i + 3] for i in (66, 67, 68, 69)
    )
    gazes = [
        (math.atan2(-y, math.hypot(x, z)), math.atan2(x, -z))
        for pupil, ball in ((right_pupil, right_ball), (left_pupil, left_ball))
        for x, y, z in [[p - b for p, b in zip(pupil, ball, strict=True)]]
        if math.hypot(x, y, z) > _SMALLEST_EYE
    ]
    if len(gazes) < 2:
        return None
    (right_pitch, right_yaw), (left_pitch, left_yaw) = gazes
    return Gaze((right_pitch + left_pitch) / 2, (right_yaw + left_yaw) / 2)


def _part(value: float) -> float:
    return 0.0 if value <= 0.0 else 1.0 if value >= 1.0 else value
