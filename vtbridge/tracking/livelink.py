"""What Live Link Face calls its 61 numbers, and what its angles mean.

Its datagrams and its recordings share the names but not the order: datagrams have left
before right throughout, recordings JawRight and MouthRight first.

Angles are radians, yaw to the own right, pitch down, roll to the own left shoulder; a
rotation is yaw, then pitch, then roll, as in Unity. Read off a recording of a real face:
its eye angles agree with its eyeLook shapes, and the roll of an eye without torsion
there is sin(yaw) tan(pitch). The head is taken to follow the same rule.
"""

from __future__ import annotations

from vtbridge.datatypes import Gaze, HeadPose


def _sided(*stems: str) -> tuple[str, ...]:
    return tuple(stem + side for stem in stems for side in ("Left", "Right"))


SHAPE_NAMES: tuple[str, ...] = (
    *(
        eye + side
        for side in ("Left", "Right")
        for eye in (
            *("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp"),
            *("eyeSquint", "eyeWide"),
        )
    ),
    *("jawForward", "jawLeft", "jawRight", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    *_sided("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *_sided("mouthPress", "mouthLowerDown", "mouthUpperUp"),
    *_sided("browDown"),
    "browInnerUp",
    *_sided("browOuterUp"),
    "cheekPuff",
    *_sided("cheekSquint", "noseSneer"),
    "tongueOut",
)
"""The 52 ARKit blendshapes, in the order of the datagrams."""

ANGLE_NAMES: tuple[str, ...] = tuple(
    part + angle for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll")
)
"""What follows the blendshapes, in datagrams and recordings."""

VALUE_COUNT = len(SHAPE_NAMES) + len(ANGLE_NAMES)


def head_from_livelink(yaw: float, pitch: float, roll: float) -> HeadPose:
    """Return the head of Live Link Face's angles."""
    return HeadPose(pitch_rad=-pitch, yaw_rad=yaw, roll_rad=-roll)


def gaze_from_livelink(yaw: float, pitch: float) -> Gaze:
    """Return the gaze of an eye's angles."""
    return Gaze(pitch_rad=-pitch, yaw_rad=yaw)
