"""ARKit's blendshapes to the 45 parameters exactly as talking-head-anime-3-demo does it.

The formulas are those of its iFacialMocap puppeteer, seams included: the mouth switches
between closed and open at one value of jawOpen, and never shows smirk, eee or delta.
"""

from __future__ import annotations

from collections.abc import Mapping

from vtbridge.pose_params import PoseParam
from vtbridge.retarget.arkit_to_tha import BROW_DOWN_PARAMS, LID_PARAMS, SIDES
from vtbridge.retarget.mouth import vowels_from_lips
from vtbridge.retarget.settings import RetargetSettings

# Where the ramps begin and how long they are, in units of the blendshape.
_SMILE_FROM, _SMILE_RAMP = 0.4, 0.2
_BROW_DOWN_FULL = 0.4
_EYE_WIDE_FULL = 0.5
_BLINK_FULL = 0.8
_SQUINT_FROM, _SQUINT_RAMP = 0.1, 0.6
_FROWN_FULL = 0.6
_JAW_FROM, _JAW_RAMP = 0.1, 0.3


def write_face_like_reference(
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
    for side, offset in SIDES:
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
    _write_mouth(values, shapes, _unit(smile))


def _write_mouth(values: list[float], shapes: Mapping[str, float], smile: float) -> None:
    get = shapes.get
    values[PoseParam.MOUTH_RAISED_CORNER_LEFT] = smile
    values[PoseParam.MOUTH_RAISED_CORNER_RIGHT] = smile
    opening = _unit((get("jawOpen", 0.0) - _JAW_FROM) / _JAW_RAMP)
    if opening == 0.0:
        frown = get("mouthFrownLeft", 0.0) + get("mouthFrownRight", 0.0)
        lowered = _unit(frown / _FROWN_FULL)
        values[PoseParam.MOUTH_LOWERED_CORNER_LEFT] = lowered
        values[PoseParam.MOUTH_LOWERED_CORNER_RIGHT] = lowered
        return
    vowels = vowels_from_lips(
        opening,
        _unit(get("mouthLowerDownLeft", 0.0) + get("mouthLowerDownRight", 0.0)),
        _unit(get("mouthFunnel", 0.0)),
        _unit(get("mouthPucker", 0.0)),
    )
    values[PoseParam.MOUTH_AAA] = vowels.aaa
    values[PoseParam.MOUTH_III] = vowels.iii
    values[PoseParam.MOUTH_UUU] = vowels.uuu
    values[PoseParam.MOUTH_OOO] = vowels.ooo


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
