"""ARKit's blendshapes to THA3's brows, eyes and mouth.

The formulas are those of the talking-head-anime-3-demo's iFacialMocap puppeteer, so that a
face looks as it does there. Additions: a soft border between closed and open mouth
(``mouth.open_seam``), and mouth_smirk and mouth_eee, which are off by default.
"""

from __future__ import annotations

from collections.abc import Mapping

from vtbridge.pose_params import PoseParam
from vtbridge.retarget.mouth import vowels_from_lips
from vtbridge.retarget.settings import MouthSettings, RetargetSettings

_SIDES = (("Left", 0), ("Right", 1))
"""Suffix of a blendshape, and how far its pose parameter lies behind that of the left side."""

BROW_NAMES = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight", "browDownLeft", "browDownRight")
BLINK_NAMES = ("eyeBlinkLeft", "eyeBlinkRight")
EYELID_NAMES = tuple(
    f"{shape}{side}" for shape in ("eyeBlink", "eyeWide", "cheekSquint") for side, _ in _SIDES
)
MOUTH_NAMES = (
    *("jawOpen", "jawLeft", "jawRight", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    "mouthShrugUpper",
    *(
        f"mouth{shape}{side}"
        for shape in ("Smile", "Frown", "LowerDown", "Stretch")
        for side, _ in _SIDES
    ),
)

# Where the reference's ramps begin and how long they are, in units of the blendshape.
_SMILE_FROM, _SMILE_RAMP = 0.4, 0.2
_BROW_DOWN_FULL = 0.4
_EYE_WIDE_FULL = 0.5
_BLINK_FULL = 0.8
_SQUINT_FROM, _SQUINT_RAMP = 0.1, 0.6
_FROWN_FULL = 0.6
_JAW_FROM, _JAW_RAMP = 0.1, 0.3
_SIDEWAYS_FROM = 0.15
_STRETCH_FROM = 0.25


def write_face_from_arkit(
    values: list[float], shapes: Mapping[str, float], settings: RetargetSettings
) -> None:
    """Set brows, eyelids and mouth in the 45 ``values``.

    Args:
        values: pose in the making, zeros for what is written here.
        shapes: ARKit name to 0..1, measured from the neutral face; absent = 0.
        settings: how brows and lids are shown.
    """
    get = shapes.get
    smile = (get("mouthSmileLeft", 0.0) + get("mouthSmileRight", 0.0)) / 2 + get(
        "mouthShrugUpper", 0.0
    )
    smiling = _unit((smile - _SMILE_FROM) / _SMILE_RAMP)
    serious = 1.0 - smiling

    brow_down = BROW_DOWN_PARAMS[settings.eyebrow_down_as]
    lid = LID_PARAMS[settings.wink_as]
    brow_inner_up = get("browInnerUp", 0.0)
    brow_happy = _unit(smile) * smiling
    for side, offset in _SIDES:
        brow_up = _unit(brow_inner_up + get(f"browOuterUp{side}", 0.0))
        closed = _unit(get(f"eyeBlink{side}", 0.0) / _BLINK_FULL)
        squint = get(f"cheekSquint{side}", 0.0)
        values[PoseParam.EYEBROW_RAISED_LEFT + offset] = brow_up
        values[brow_down + offset] = serious * _unit(get(f"browDown{side}", 0.0) / _BROW_DOWN_FULL)
        values[PoseParam.EYEBROW_HAPPY_LEFT + offset] = brow_happy
        values[PoseParam.EYE_SURPRISED_LEFT + offset] = _unit(
            get(f"eyeWide{side}", 0.0) / _EYE_WIDE_FULL
        )
        values[lid + offset] = serious * closed
        values[PoseParam.EYE_HAPPY_WINK_LEFT + offset] = smiling * closed
        values[PoseParam.EYE_RAISED_LOWER_EYELID_LEFT + offset] = _unit(
            (squint - _SQUINT_FROM) / _SQUINT_RAMP
        )
    _write_mouth(values, shapes, _unit(smile), settings.mouth)


def _write_mouth(
    values: list[float], shapes: Mapping[str, float], smile: float, settings: MouthSettings
) -> None:
    get = shapes.get
    values[PoseParam.MOUTH_RAISED_CORNER_LEFT] = smile
    values[PoseParam.MOUTH_RAISED_CORNER_RIGHT] = smile
    if settings.smirk_gain:
        sideways = max(
            abs(get("jawLeft", 0.0) - get("jawRight", 0.0)),
            abs(get("mouthLeft", 0.0) - get("mouthRight", 0.0)),
        )
        values[PoseParam.MOUTH_SMIRK] = _unit((sideways - _SIDEWAYS_FROM) * settings.smirk_gain)

    opening = _unit((get("jawOpen", 0.0) - _JAW_FROM) / _JAW_RAMP)
    # The reference switches between a closed and an open mouth, which flickers on the border.
    openness = min(opening / settings.open_seam, 1.0) if settings.open_seam else float(opening > 0)
    frown = get("mouthFrownLeft", 0.0) + get("mouthFrownRight", 0.0)
    lowered = (1.0 - openness) * _unit(frown / _FROWN_FULL)
    values[PoseParam.MOUTH_LOWERED_CORNER_LEFT] = lowered
    values[PoseParam.MOUTH_LOWERED_CORNER_RIGHT] = lowered
    if openness == 0.0:
        return
    vowels = vowels_from_lips(
        opening,
        _unit(get("mouthLowerDownLeft", 0.0) + get("mouthLowerDownRight", 0.0)),
        _unit(get("mouthFunnel", 0.0)),
        _unit(get("mouthPucker", 0.0)),
    )
    stretch = (get("mouthStretchLeft", 0.0) + get("mouthStretchRight", 0.0)) / 2
    eee_share = _unit((stretch - _STRETCH_FROM) * settings.eee_gain)
    values[PoseParam.MOUTH_AAA] = openness * vowels.aaa
    values[PoseParam.MOUTH_III] = openness * vowels.iii * (1.0 - eee_share)
    values[PoseParam.MOUTH_EEE] = openness * vowels.iii * eee_share
    values[PoseParam.MOUTH_UUU] = openness * vowels.uuu
    values[PoseParam.MOUTH_OOO] = openness * vowels.ooo


BROW_DOWN_PARAMS = {
    "angry": PoseParam.EYEBROW_ANGRY_LEFT,
    "troubled": PoseParam.EYEBROW_TROUBLED_LEFT,
    "serious": PoseParam.EYEBROW_SERIOUS_LEFT,
    "lowered": PoseParam.EYEBROW_LOWERED_LEFT,
}
"""Left parameter that a lowered brow moves, by ``eyebrow_down_as``; the right one follows it."""

LID_PARAMS = {"wink": PoseParam.EYE_WINK_LEFT, "relaxed": PoseParam.EYE_RELAXED_LEFT}
"""Left parameter that a closing lid moves, by ``wink_as``; the right one follows it."""


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
