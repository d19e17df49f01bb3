"""The 52 ARKit blendshapes and the VRM presets, in every spelling that senders use.

Data inside the program carries Apple's spelling (``eyeBlinkLeft``) and VRM 1's
(``blinkLeft``); whatever else arrives is looked up here once, without regard to case.

Sources: Apple's ARFaceAnchor.BlendShapeLocation; VRM 0.x BlendShapePreset and
VRMC_vrm-1.0 expressions; clip names of VSeeFace's "Perfect Sync" and its visemes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


def _sided(*stems: str) -> tuple[str, ...]:
    return tuple(stem + side for stem in stems for side in ("Left", "Right"))


ARKIT_NAMES: tuple[str, ...] = (
    "browInnerUp",
    *_sided("browDown", "browOuterUp"),
    *_sided("eyeLookUp", "eyeLookDown", "eyeLookIn", "eyeLookOut"),
    *_sided("eyeBlink", "eyeSquint", "eyeWide"),
    "cheekPuff",
    *_sided("cheekSquint", "noseSneer"),
    "jawOpen",
    "jawForward",
    *_sided("jaw"),
    "mouthFunnel",
    "mouthPucker",
    *_sided("mouth"),
    "mouthRollUpper",
    "mouthRollLower",
    "mouthShrugUpper",
    "mouthShrugLower",
    "mouthClose",
    *_sided("mouthSmile", "mouthFrown", "mouthDimple", "mouthUpperUp", "mouthLowerDown"),
    *_sided("mouthPress", "mouthStretch"),
    "tongueOut",
)
"""All 52, in the order in which Face Cap and Visage number them."""

# Canonical preset (VRM 1 where it has one) and its other spellings.
_PRESET_SPELLINGS: dict[str, tuple[str, ...]] = {
    "neutral": (),
    "happy": ("joy",),
    "angry": (),
    "sad": ("sorrow",),
    "relaxed": ("fun",),
    "surprised": ("surprise",),
    "aa": ("a",),
    "ih": ("i",),
    "ou": ("u",),
    "ee": ("e",),
    "oh": ("o",),
    "blink": (),
    "blinkLeft": ("blinkL",),
    "blinkRight": ("blinkR",),
    "lookUp": (),
    "lookDown": (),
    "lookLeft": ("lookL",),
    "lookRight": ("lookR",),
    "browsUp": (),
    "browsDown": (),
    # VSeeFace's finer visemes, for models that have clips for them.
    "sil": (),
    "ch": (),
    "dd": (),
    "ff": (),
    "kk": (),
    "nn": (),
    "pp": (),
    "rr": (),
    "ss": (),
    "th": (),
}

PRESET_NAMES: tuple[str, ...] = tuple(_PRESET_SPELLINGS)

EMOTION_PRESETS = frozenset({"happy", "angry", "sad", "relaxed", "surprised"})
"""Presets that a person triggers by hand; they say something beside the 52 too."""


class ShapeKind(Enum):
    """Which vocabulary a name belongs to."""

    ARKIT = "arkit"
    PRESET = "preset"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a sender's name means: the vocabulary and the name used in data."""

    kind: ShapeKind
    name: str


def shape_from_spelling(spelling: str) -> Shape | None:
    """Return what ``spelling`` names, None if it is of neither vocabulary.

    Understands camelCase, PascalCase, UPPERCASE and snake_case, ``_L``/``_R`` for
    ``Left``/``Right``, spaces (``Brows up``), and prefixes that end in a dot such
    as ``BlendShape.EyeBlinkLeft``.
    """
    if len(spelling) > _LONGEST_SPELLING:
        return None
    return _lookup(spelling)


@lru_cache(maxsize=512)
def _lookup(spelling: str) -> Shape | None:
    return _SHAPES.get(_folded(spelling))


def _folded(spelling: str) -> str:
    """Return ``spelling`` without prefix, case and separators."""
    name = spelling.rpartition(".")[2].lower()
    return name.replace("_", "").replace(" ", "").replace("-", "")


def _spellings() -> Iterator[tuple[str, Shape]]:
    for name in ARKIT_NAMES:
        shape = Shape(ShapeKind.ARKIT, name)
        yield _folded(name), shape
        for side in ("Left", "Right"):
            if name.endswith(side):
                yield _folded(name.removesuffix(side) + side[0]), shape
    for name, others in _PRESET_SPELLINGS.items():
        shape = Shape(ShapeKind.PRESET, name)
        for spelling in (name, *others):
            yield _folded(spelling), shape


_SHAPES: dict[str, Shape] = dict(_spellings())
_LONGEST_SPELLING = 64
