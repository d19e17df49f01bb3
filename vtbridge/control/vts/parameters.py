"""The input parameters of VTube Studio: their ranges, and what of a face each of them is.

Ranges as VTube Studio lists them; the defaults are those of a face at rest, so that a plugin
that goes back to them leaves the eyes open. Brows and MouthSmile rest in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vtbridge.control.vts import face_draft as draft
from vtbridge.control.vts.face_draft import Read, Write

MAX_CUSTOM = 300
MAX_CUSTOM_OF_PLUGIN = 100

_SIDED = (
    *("browDown", "browOuterUp", "eyeLookUp", "eyeLookDown", "eyeLookIn", "eyeLookOut"),
    *("eyeBlink", "eyeSquint", "eyeWide", "cheekSquint", "noseSneer", "jaw", "mouth"),
    *("mouthSmile", "mouthFrown", "mouthDimple", "mouthUpperUp", "mouthLowerDown"),
    *("mouthPress", "mouthStretch"),
)
_UNSIDED = (
    *("browInnerUp", "cheekPuff", "jawOpen", "jawForward", "mouthFunnel", "mouthPucker"),
    *("mouthRollUpper", "mouthRollLower", "mouthShrugUpper", "mouthShrugLower"),
    *("mouthClose", "tongueOut"),
)
ARKIT_SHAPES = (*_UNSIDED, *(stem + side for stem in _SIDED for side in ("Left", "Right")))
"""ARKit's 52 blendshapes, in Apple's spelling."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that plugins may read and inject.

    Attributes:
        name: as VTube Studio spells it.
        low: the lower end of its usual range.
        high: the upper end.
        default: its value while nothing drives it.
        read: its value in a face, None where the face does not tell; no ``read`` = no face does.
        write: puts a value into a face; no ``write`` = it moves nothing in a single picture.
    """

    name: str
    low: float
    high: float
    default: float = 0.0
    read: Read | None = None
    write: Write | None = None


def _defaults() -> Mapping[str, Parameter]:
    both = ("Left", "Right")
    mouth_open = (0.0, 1.0, 0.0, draft.read_mouth_open, draft.write_mouth_open)
    smile = (0.0, 1.0, 0.5, draft.read_smile, draft.write_smile)
    rows = [
        Parameter("FacePositionX", -15, 15),
        Parameter("FacePositionY", -15, 15),
        Parameter("FacePositionZ", -10, 10),
        Parameter("FaceAngleX", -30, 30, 0, draft.read_turn("X"), draft.write_turn("X")),
        Parameter("FaceAngleY", -30, 30, 0, draft.read_turn("Y"), draft.write_turn("Y")),
        Parameter("FaceAngleZ", -90, 90, 0, draft.read_turn("Z"), draft.write_turn("Z")),
        Parameter("MouthSmile", *smile),
        Parameter("MouthOpen", *mouth_open),
        Parameter("Brows", 0, 1, 0.5, draft.read_brows(*both), draft.write_brows(*both)),
        _of_shape("TongueOut", "tongueOut"),
        _of_shape("CheekPuff", "cheekPuff"),
        Parameter("FaceAngry", 0, 1, 0, draft.read_anger, draft.write_anger),
        *(
            Parameter(f"Brow{side}Y", 0, 1, 0.5, draft.read_brows(side), draft.write_brows(side))
            for side in both
        ),
        *(
            Parameter(
                f"EyeOpen{side}", 0, 1, 1, draft.read_eye_open(side), draft.write_eye_open(side)
            )
            for side in both
        ),
        *(
            Parameter(
                f"Eye{side}{axis}",
                -1,
                1,
                0,
                draft.read_look(side, axis),
                draft.write_look(side, axis),
            )
            for side in both
            for axis in ("X", "Y")
        ),
        Parameter("MousePositionX", -1, 1),
        Parameter("MousePositionY", -1, 1),
        Parameter("VoiceVolume", 0, 1),
        Parameter("VoiceFrequency", 0, 1, 0.5),
        Parameter("VoiceVolumePlusMouthOpen", *mouth_open),
        Parameter("VoiceFrequencyPlusMouthSmile", *smile),
        Parameter("MouthX", -1, 1, 0, draft.read_mouth_x, draft.write_mouth_x),
        *_hands(),
    ]
    known = {row.name for row in rows}
    for shape in ARKIT_SHAPES:
        name = shape[0].upper() + shape[1:]
        if name not in known:
            rows.append(_of_shape(name, shape))
    return MappingProxyType({row.name: row for row in rows})


def _of_look(side: str, axis: str) -> Parameter:
    name = f"Eye{side}{axis}"
    return Parameter(name, -1, 1, 0, draft.read_look(side, axis), draft.write_look(side, axis))


def _of_shape(name: str, shape: str) -> Parameter:
    return Parameter(name, 0, 1, 0, draft.read_shape(shape), draft.write_shape(shape))


def _hands() -> list[Parameter]:
    """Return what a picture without hands can only store and tell again."""
    rows = [Parameter(f"Hand{side}Found", 0, 1) for side in ("Left", "Right")]
    rows += [Parameter("BothHandsFound", 0, 1), Parameter("HandDistance", 0, 10)]
    for side in ("Left", "Right"):
        rows += [
            Parameter(f"Hand{side}PositionX", 0, 10),
            Parameter(f"Hand{side}PositionY", -10, 10),
            Parameter(f"Hand{side}PositionZ", -10, 10),
            Parameter(f"Hand{side}AngleX", -180, 180),
            Parameter(f"Hand{side}AngleZ", -180, 180),
            Parameter(f"Hand{side}Open", 0, 1),
        ]
        fingers = ("1_Thumb", "2_Index", "3_Middle", "4_Ring", "5_Pinky")
        rows += [Parameter(f"Hand{side}Finger_{finger}", 0, 1) for finger in fingers]
    return rows


DEFAULT_PARAMETERS: Mapping[str, Parameter] = _defaults()
"""All of them by name, in VTube Studio's order; ARKit's own blendshapes behind."""
