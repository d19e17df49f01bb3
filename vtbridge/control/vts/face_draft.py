"""A face that can still be changed: what single input parameters read from it and write to it.

Signs: VTube Studio's x goes to the right of the screen, which is the character's own left;
its y goes up. A face frame counts turns to the own right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose

GAZE_RAD_PER_LOOK = math.radians(35.0)
"""Angle of an eye whose eyeLook blendshape is 1, as ARKit has it."""
MOST_ARKIT_NAMES = 26
"""With fewer blendshapes the retargeter prefers presets where a face has any."""

_WIDE_OPEN = 0.55
"""jawOpen of a mouth that is wide open."""
_LOOK_PRESETS = ("lookUp", "lookDown", "lookLeft", "lookRight")
_SIDES = ("Left", "Right")

Read = Callable[["FaceDraft"], float | None]
Write = Callable[["FaceDraft", float], None]


class FaceDraft:
    """The values of one face while they are changed.

    Args:
        face: where to begin; None = a face of which nothing is known.
    """

    def __init__(self, face: FaceFrame | None) -> None:
        self.shapes = {} if face is None else dict(face.blendshapes)
        self.presets = {} if face is None else dict(face.presets)
        self.head = None if face is None else face.head
        self.eyes: dict[str, Gaze | None] = {
            "Left": None if face is None else face.left_eye,
            "Right": None if face is None else face.right_eye,
        }
        self.speaks_presets = bool(self.presets) and len(self.shapes) < MOST_ARKIT_NAMES
        self.knows_looks = any(_look(self, side) is not None for side in _SIDES)

    def frame(self, t_ns: int, source: str) -> FaceFrame:
        """Return the face as it is now; the draft is not to be changed any more."""
        return FaceFrame(
            t_ns=t_ns,
            source=source,
            blendshapes=MappingProxyType(self.shapes),
            presets=MappingProxyType(self.presets),
            head=self.head,
            left_eye=self.eyes["Left"],
            right_eye=self.eyes["Right"],
        )


def unit(value: float) -> float:
    """Return ``value`` within 0..1."""
    return min(max(value, 0.0), 1.0)


def read_shape(name: str) -> Read:
    """Return what reads one ARKit blendshape, 0..1."""
    return lambda draft: draft.shapes.get(name)


def write_shape(name: str) -> Write:
    """Return what writes one ARKit blendshape, 0..1."""

    def write(draft: FaceDraft, value: float) -> None:
        draft.shapes[name] = unit(value)

    return write


def read_turn(axis: str) -> Read:
    """Return what reads FaceAngleX, Y or Z in degrees."""

    def read(draft: FaceDraft) -> float | None:
        head = draft.head
        if head is None:
            return None
        radians = {"X": -head.yaw_rad, "Y": head.pitch_rad, "Z": -head.roll_rad}[axis]
        return math.degrees(radians)

    return read


def write_turn(axis: str) -> Write:
    """Return what writes FaceAngleX, Y or Z, degrees within +-90."""

    def write(draft: FaceDraft, value: float) -> None:
        head = draft.head or HeadPose()
        radians = math.radians(min(max(value, -90.0), 90.0))
        draft.head = HeadPose(
            pitch_rad=radians if axis == "Y" else head.pitch_rad,
            yaw_rad=-radians if axis == "X" else head.yaw_rad,
            roll_rad=-radians if axis == "Z" else head.roll_rad,
        )

    return write


def read_mouth_open(draft: FaceDraft) -> float | None:
    """Return how far the lips are apart, 0..1."""
    if draft.speaks_presets and "aa" in draft.presets:
        return unit(draft.presets["aa"])
    if "jawOpen" not in draft.shapes:
        return None
    apart = draft.shapes["jawOpen"] - draft.shapes.get("mouthClose", 0.0)
    return unit(apart / _WIDE_OPEN)


def write_mouth_open(draft: FaceDraft, value: float) -> None:
    """Open the mouth, 0..1."""
    if draft.speaks_presets:
        draft.presets["aa"] = unit(value)
    draft.shapes["jawOpen"] = _WIDE_OPEN * unit(value)
    draft.shapes["mouthClose"] = 0.0


def read_smile(draft: FaceDraft) -> float | None:
    """Return 0 for a frown, 0.5 at rest, 1 for a smile."""
    if draft.speaks_presets and "happy" in draft.presets:
        return 0.5 + 0.5 * unit(draft.presets["happy"])
    if "mouthSmileLeft" not in draft.shapes:
        return None
    get = draft.shapes.get
    smile = get("mouthSmileLeft", 0.0) + get("mouthSmileRight", 0.0)
    frown = get("mouthFrownLeft", 0.0) + get("mouthFrownRight", 0.0)
    return unit(0.5 + 0.25 * (smile - frown))


def write_smile(draft: FaceDraft, value: float) -> None:
    """Smile above 0.5, frown below."""
    bent = 2.0 * unit(value) - 1.0
    if draft.speaks_presets:
        draft.presets["happy"] = unit(bent)
    for side in _SIDES:
        draft.shapes[f"mouthSmile{side}"] = unit(bent)
        draft.shapes[f"mouthFrown{side}"] = unit(-bent)


def read_mouth_x(draft: FaceDraft) -> float | None:
    """Return how far the mouth is aside, -1..1, to the right of the screen."""
    if "mouthLeft" not in draft.shapes:
        return None
    return draft.shapes["mouthLeft"] - draft.shapes.get("mouthRight", 0.0)


def write_mouth_x(draft: FaceDraft, value: float) -> None:
    """Move the mouth aside."""
    draft.shapes["mouthLeft"] = unit(value)
    draft.shapes["mouthRight"] = unit(-value)


def read_brows(*sides: str) -> Read:
    """Return what reads the height of the brows of ``sides``: 0 low, 0.5 at rest, 1 raised."""

    def read(draft: FaceDraft) -> float | None:
        get = draft.shapes.get
        if f"browOuterUp{sides[0]}" not in draft.shapes:
            return None
        raised = sum(get(f"browOuterUp{s}", 0.0) - get(f"browDown{s}", 0.0) for s in sides)
        return unit(0.5 + 0.5 * raised / len(sides))

    return read


def write_brows(*sides: str) -> Write:
    """Return what raises and lowers the brows of ``sides``."""

    def write(draft: FaceDraft, value: float) -> None:
        bent = 2.0 * unit(value) - 1.0
        for side in sides:
            draft.shapes[f"browOuterUp{side}"] = unit(bent)
            draft.shapes[f"browDown{side}"] = unit(-bent)
        if len(sides) == len(_SIDES):
            draft.shapes["browInnerUp"] = unit(bent)
            if draft.speaks_presets:
                draft.presets["browsUp"], draft.presets["browsDown"] = unit(bent), unit(-bent)

    return write


def read_anger(draft: FaceDraft) -> float | None:
    """Return how far both brows are drawn down, 0..1."""
    if "browDownLeft" not in draft.shapes:
        return None
    return unit((draft.shapes["browDownLeft"] + draft.shapes.get("browDownRight", 0.0)) / 2)


def write_anger(draft: FaceDraft, value: float) -> None:
    """Draw both brows down."""
    if draft.speaks_presets:
        draft.presets["angry"] = unit(value)
    for side in _SIDES:
        draft.shapes[f"browDown{side}"] = unit(value)


def read_eye_open(side: str) -> Read:
    """Return what reads how far an eye is open: 0 shut, 1 at rest, more = wide."""

    def read(draft: FaceDraft) -> float | None:
        if draft.speaks_presets and (shut := _preset_blink(draft, side)) is not None:
            return 1.0 - shut
        shut = draft.shapes.get(f"eyeBlink{side}")
        if shut is None:
            return None
        return 1.0 - unit(shut)

    return read


def write_eye_open(side: str) -> Write:
    """Return what opens an eye."""

    def write(draft: FaceDraft, value: float) -> None:
        if draft.speaks_presets:
            for each in _SIDES:
                draft.presets[f"blink{each}"] = _preset_blink(draft, each) or 0.0
            draft.presets.pop("blink", None)
            draft.presets[f"blink{side}"] = unit(1.0 - value)
        draft.shapes[f"eyeBlink{side}"] = unit(1.0 - value)
        if value > 1.0:
            draft.shapes[f"eyeWide{side}"] = unit(value - 1.0)

    return write


def read_look(side: str, axis: str) -> Read:
    """Return what reads EyeLeftX and the like, -1..1."""

    def read(draft: FaceDraft) -> float | None:
        look = _look(draft, side)
        if look is None:
            return None
        up, own_right = look
        return -own_right if axis == "X" else up

    return read


def write_look(side: str, axis: str) -> Write:
    """Return what turns an eye, -1..1.

    Blendshapes and angles say the same afterwards: which of them counts is the user's setting.
    """

    def write(draft: FaceDraft, value: float) -> None:
        bounded = min(max(value, -1.0), 1.0)
        for preset in _LOOK_PRESETS:
            draft.presets.pop(preset, None)
        for each in _SIDES:
            up, own_right = _look(draft, each) or (0.0, 0.0)
            if each == side or not draft.knows_looks:  # nobody else turns the other eye
                up, own_right = (up, -bounded) if axis == "X" else (bounded, own_right)
            _set_look(draft, each, up, own_right)

    return write


def _look(draft: FaceDraft, side: str) -> tuple[float, float] | None:
    """Return how far an eye looks up and to the own right, None if nothing tells."""
    get, eye = draft.shapes.get, draft.eyes[side]
    shapes = [get(f"eyeLook{way}{side}", 0.0) for way in ("Up", "Down", "In", "Out")]
    if any(shapes) or (eye is None and f"eyeLookUp{side}" in draft.shapes):
        up, down, inward, outward = shapes
        own_right = inward - outward if side == "Left" else outward - inward
        return up - down, own_right
    if eye is None:
        return None
    return eye.pitch_rad / GAZE_RAD_PER_LOOK, eye.yaw_rad / GAZE_RAD_PER_LOOK


def _set_look(draft: FaceDraft, side: str, up: float, own_right: float) -> None:
    inward = own_right if side == "Left" else -own_right
    draft.shapes[f"eyeLookUp{side}"] = unit(up)
    draft.shapes[f"eyeLookDown{side}"] = unit(-up)
    draft.shapes[f"eyeLookIn{side}"] = unit(inward)
    draft.shapes[f"eyeLookOut{side}"] = unit(-inward)
    draft.eyes[side] = Gaze(up * GAZE_RAD_PER_LOOK, own_right * GAZE_RAD_PER_LOOK)


def _preset_blink(draft: FaceDraft, side: str) -> float | None:
    get = draft.presets.get
    both, own = get("blink"), get(f"blink{side}")
    if both is None and own is None:
        return None
    return unit(max(both or 0.0, own or 0.0))
