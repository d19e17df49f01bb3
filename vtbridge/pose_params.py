"""The 45 pose parameters of Talking Head Anime 3, named once for every stage.

Left and right are the character's own. Values are 0..1 unless the parameter is
signed (-1..1). Source: pose parameters of talking-head-anime-3-demo.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum, StrEnum


class PoseParam(IntEnum):
    """Index of each parameter in a pose vector."""

    EYEBROW_TROUBLED_LEFT = 0
    EYEBROW_TROUBLED_RIGHT = 1
    EYEBROW_ANGRY_LEFT = 2
    EYEBROW_ANGRY_RIGHT = 3
    EYEBROW_LOWERED_LEFT = 4
    EYEBROW_LOWERED_RIGHT = 5
    EYEBROW_RAISED_LEFT = 6
    EYEBROW_RAISED_RIGHT = 7
    EYEBROW_HAPPY_LEFT = 8
    EYEBROW_HAPPY_RIGHT = 9
    EYEBROW_SERIOUS_LEFT = 10
    EYEBROW_SERIOUS_RIGHT = 11
    EYE_WINK_LEFT = 12
    EYE_WINK_RIGHT = 13
    EYE_HAPPY_WINK_LEFT = 14
    EYE_HAPPY_WINK_RIGHT = 15
    EYE_SURPRISED_LEFT = 16
    EYE_SURPRISED_RIGHT = 17
    EYE_RELAXED_LEFT = 18
    EYE_RELAXED_RIGHT = 19
    EYE_UNIMPRESSED_LEFT = 20
    EYE_UNIMPRESSED_RIGHT = 21
    EYE_RAISED_LOWER_EYELID_LEFT = 22
    EYE_RAISED_LOWER_EYELID_RIGHT = 23
    IRIS_SMALL_LEFT = 24
    IRIS_SMALL_RIGHT = 25
    MOUTH_AAA = 26
    MOUTH_III = 27
    MOUTH_UUU = 28
    MOUTH_EEE = 29
    MOUTH_OOO = 30
    MOUTH_DELTA = 31
    MOUTH_LOWERED_CORNER_LEFT = 32
    MOUTH_LOWERED_CORNER_RIGHT = 33
    MOUTH_RAISED_CORNER_LEFT = 34
    MOUTH_RAISED_CORNER_RIGHT = 35
    MOUTH_SMIRK = 36
    IRIS_ROTATION_X = 37
    IRIS_ROTATION_Y = 38
    HEAD_X = 39
    HEAD_Y = 40
    NECK_Z = 41
    BODY_Y = 42
    BODY_Z = 43
    BREATHING = 44

    @property
    def label(self) -> str:
        """The name users type: ``mouth_aaa``, ``eye_wink_left``."""
        return self.name.lower()

    @property
    def signed(self) -> bool:
        """True if the range is -1..1 instead of 0..1."""
        return PoseParam.IRIS_ROTATION_X <= self <= PoseParam.BODY_Z

    @property
    def group(self) -> PoseGroup:
        """The part of the character that this parameter moves."""
        for group, members in GROUP_RANGES.items():
            if self in members:
                return group
        raise AssertionError(f"{self.name} belongs to no group")


class PoseGroup(StrEnum):
    """Parts that are smoothed, mixed and shown together."""

    BROWS = "brows"
    EYES = "eyes"
    MOUTH = "mouth"
    GAZE = "gaze"
    HEAD = "head"
    BODY = "body"


GROUP_RANGES: dict[PoseGroup, range] = {
    PoseGroup.BROWS: range(0, 12),
    PoseGroup.EYES: range(12, 26),
    PoseGroup.MOUTH: range(26, 37),
    PoseGroup.GAZE: range(37, 39),
    PoseGroup.HEAD: range(39, 42),
    PoseGroup.BODY: range(42, 45),
}

POSE_SIZE = len(PoseParam)

# What each THA3 network sees of the pose.
BROW_SLICE = slice(0, 12)
FACE_SLICE = slice(12, 39)
ROTATION_SLICE = slice(39, 45)

POSE_MIN: tuple[float, ...] = tuple(-1.0 if p.signed else 0.0 for p in PoseParam)
POSE_MAX: tuple[float, ...] = (1.0,) * POSE_SIZE


def pose_param_from_label(label: str) -> PoseParam:
    """Return the parameter called ``label``.

    Raises:
        KeyError: there is none; the message suggests near names.
    """
    try:
        return PoseParam[label.upper()]
    except KeyError:
        hint = near_names(label.lower(), [p.label for p in PoseParam])
        raise KeyError(f"no pose parameter is called {label!r}{hint}") from None


def near_names(name: str, known: Collection[str]) -> str:
    """Return ``; did you mean mouth_aaa?``, empty if nothing is near."""
    import difflib

    near = difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {', '.join(near)}?" if near else ""
