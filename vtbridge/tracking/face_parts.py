"""Which blendshape and which preset belong to which part of the face."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.tracking.arkit import ARKIT_NAMES, EMOTION_PRESETS


class Part(StrEnum):
    """What one tracker can move while another moves the rest; keys of ``[tracking.fusion]``."""

    BROWS = "brows"
    EYES = "eyes"
    GAZE = "gaze"
    MOUTH = "mouth"
    HEAD = "head"


_PART_OF_STEM = (
    ("brow", Part.BROWS),
    ("eyeLook", Part.GAZE),
    ("eye", Part.EYES),
    ("cheekSquint", Part.EYES),  # lifts the lower lid; the puffed cheek belongs to the mouth
    ("cheek", Part.MOUTH),
    ("nose", Part.MOUTH),  # a sneer lifts the upper lip
    ("jaw", Part.MOUTH),
    ("mouth", Part.MOUTH),
    ("tongue", Part.MOUTH),
)

PART_OF_SHAPE: Mapping[str, Part] = MappingProxyType(
    {
        name: next(part for stem, part in _PART_OF_STEM if name.startswith(stem))
        for name in ARKIT_NAMES
    }
)
"""Part of each of the 52."""

_VOWELS = ("aa", "ih", "ou", "ee", "oh")
_VISEMES = ("sil", "ch", "dd", "ff", "kk", "nn", "pp", "rr", "ss", "th")
_BLINKS = ("blink", "blinkLeft", "blinkRight")
_LOOKS = ("lookUp", "lookDown", "lookLeft", "lookRight")

PART_OF_PRESET: Mapping[str, Part] = MappingProxyType(
    dict.fromkeys((*_VOWELS, *_VISEMES), Part.MOUTH)
    | dict.fromkeys(_BLINKS, Part.EYES)
    | dict.fromkeys(_LOOKS, Part.GAZE)
    | dict.fromkeys(("browsUp", "browsDown", "neutral", *EMOTION_PRESETS), Part.BROWS)
)
"""Part of each VRM preset; emotions go with the brows, which tell them."""


def _both(**stems: float) -> dict[str, float]:
    return {f"{stem}{side}": share for stem, share in stems.items() for side in ("Left", "Right")}


_AA = {"jawOpen": 0.4, **_both(mouthLowerDown=0.5)}
_IH = {"jawOpen": 0.2, **_both(mouthLowerDown=0.5, mouthStretch=0.3)}
_OU = {"jawOpen": 0.25, "mouthFunnel": 0.2, "mouthPucker": 0.75, **_both(mouthLowerDown=0.15)}
_EE = {"jawOpen": 0.2, **_both(mouthLowerDown=0.5, mouthStretch=0.6)}
_OH = {"jawOpen": 0.4, "mouthFunnel": 0.5, "mouthPucker": 0.4, **_both(mouthLowerDown=0.25)}

_FULL_LOOK = 0.75
"""A look preset at 1 turns the eyes as far as a character's go, ARKit's blendshapes beyond."""


def _faint(share: float, shapes: Mapping[str, float]) -> dict[str, float]:
    return {name: share * weight for name, weight in shapes.items()}


SHAPES_OF_PRESET: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "aa": _AA,
        "ih": _IH,
        "ou": _OU,
        "ee": _EE,
        "oh": _OH,
        "sil": {},
        "pp": {},
        "ff": _faint(0.3, _IH),
        "th": _faint(0.4, _IH),
        "dd": _faint(0.5, _IH),
        "ss": _faint(0.5, _IH),
        "nn": _faint(0.4, _IH),
        "kk": _faint(0.4, _AA),
        "ch": _faint(0.5, _OU),
        "rr": _faint(0.4, _OH),
        "blink": _both(eyeBlink=1.0),
        "blinkLeft": {"eyeBlinkLeft": 1.0},
        "blinkRight": {"eyeBlinkRight": 1.0},
        "lookUp": _both(eyeLookUp=_FULL_LOOK),
        "lookDown": _both(eyeLookDown=_FULL_LOOK),
        "lookLeft": {"eyeLookOutLeft": _FULL_LOOK, "eyeLookInRight": _FULL_LOOK},
        "lookRight": {"eyeLookInLeft": _FULL_LOOK, "eyeLookOutRight": _FULL_LOOK},
        "browsUp": {"browInnerUp": 0.5, **_both(browOuterUp=0.5)},
        "browsDown": _both(browDown=1.0),
    }
)
"""What a preset other than an emotion looks like in ARKit's blendshapes at weight 1."""


@dataclass(slots=True)
class PartValues:
    """What one tracker says about one part, or about several put together."""

    blendshapes: dict[str, float] = field(default_factory=dict)
    presets: dict[str, float] = field(default_factory=dict)
    head: HeadPose | None = None
    left_eye: Gaze | None = None
    right_eye: Gaze | None = None

    @property
    def speaks_presets(self) -> bool:
        """True if a preset other than an emotion is among them."""
        return not self.presets.keys() <= _BESIDE_ARKIT

    def in_arkit(self) -> PartValues:
        """Return the same with presets said in blendshapes; a blendshape that was sent stays."""
        said: dict[str, float] = {}
        for preset, weight in self.presets.items():
            for name, share in SHAPES_OF_PRESET.get(preset, {}).items():
                said[name] = min(said.get(name, 0.0) + share * weight, 1.0)
        return PartValues(
            said | self.blendshapes,
            {name: weight for name, weight in self.presets.items() if name in _BESIDE_ARKIT},
            self.head,
            self.left_eye,
            self.right_eye,
        )


_BESIDE_ARKIT = EMOTION_PRESETS | {"neutral"}


def split(face: FaceFrame) -> dict[Part, PartValues]:
    """Return the parts that ``face`` says anything about."""
    parts: dict[Part, PartValues] = {}

    def values_of(part: Part) -> PartValues:
        return parts.setdefault(part, PartValues())

    for name, weight in face.blendshapes.items():
        if (part := PART_OF_SHAPE.get(name)) is not None:
            values_of(part).blendshapes[name] = weight
    for name, weight in face.presets.items():
        if (part := PART_OF_PRESET.get(name)) is not None:
            values_of(part).presets[name] = weight
    if face.head is not None:
        values_of(Part.HEAD).head = face.head
    if face.left_eye is not None or face.right_eye is not None:
        gaze = values_of(Part.GAZE)
        gaze.left_eye, gaze.right_eye = face.left_eye, face.right_eye
    return parts


def joined(parts: Iterable[PartValues]) -> PartValues:
    """Return ``parts`` as one face that speaks one language: presets become ARKit beside ARKit."""
    chosen = list(parts)
    if any(part.blendshapes for part in chosen) and any(part.speaks_presets for part in chosen):
        chosen = [part.in_arkit() for part in chosen]
    whole = PartValues()
    for part in chosen:
        whole.blendshapes |= part.blendshapes
        whole.presets |= part.presets
        whole.head = whole.head or part.head
        whole.left_eye = whole.left_eye or part.left_eye
        whole.right_eye = whole.right_eye or part.right_eye
    return whole
