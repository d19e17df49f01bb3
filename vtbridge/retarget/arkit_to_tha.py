"""ARKit's blendshapes to the 45 parameters: smooth, and with all the shapes there are.

It follows talking-head-anime-3-demo's mapping (``arkit_reference``) where that one is good,
and differs on purpose:

- every seam is a ramp, and ramps are as long as faces really move, so that nothing jumps;
- lips count, not the jaw: a jaw dropped behind closed lips leaves the mouth closed;
- each side of brows and mouth moves by itself;
- half-closed lids look unimpressed or relaxed where brows or mouth say so;
- mouth_smirk, mouth_eee, mouth_delta and a pout are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from vtbridge.pose_params import PoseParam
from vtbridge.retarget.mouth import vowels_from_lips
from vtbridge.retarget.settings import MouthSettings, RetargetSettings

SIDES = (("Left", 0), ("Right", 1))
"""Suffix of a blendshape, and how far its pose parameter lies behind that of the left side."""

BROW_NAMES = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight", "browDownLeft", "browDownRight")
BLINK_NAMES = ("eyeBlinkLeft", "eyeBlinkRight")
EYELID_NAMES = tuple(
    f"{shape}{side}"
    for shape in ("eyeBlink", "eyeWide", "eyeSquint", "cheekSquint")
    for side, _ in SIDES
)
SMILE_NAMES = tuple(f"mouth{shape}{side}" for shape in ("Smile", "Dimple") for side, _ in SIDES)
MOUTH_NAMES = (
    *("jawOpen", "jawLeft", "jawRight", "mouthClose", "mouthFunnel", "mouthPucker"),
    *("mouthLeft", "mouthRight", "mouthShrugLower", "mouthShrugUpper", "tongueOut"),
    *(f"mouth{shape}{side}" for shape in ("Frown", "LowerDown", "Stretch") for side, _ in SIDES),
)

BROW_DOWN_PARAMS = {
    "angry": PoseParam.EYEBROW_ANGRY_LEFT,
    "troubled": PoseParam.EYEBROW_TROUBLED_LEFT,
    "serious": PoseParam.EYEBROW_SERIOUS_LEFT,
    "lowered": PoseParam.EYEBROW_LOWERED_LEFT,
}
"""Left parameter that a lowered brow moves, by ``eyebrow_down_as``; the right one follows it."""

LID_PARAMS = {"wink": PoseParam.EYE_WINK_LEFT, "relaxed": PoseParam.EYE_RELAXED_LEFT}
"""Left parameter that a closing lid moves, by ``wink_as``; the right one follows it."""


class _Side(NamedTuple):
    """One side's blendshapes and pose parameters.

    Looked up once: putting names together and asking an enum costs as much as the mapping.
    """

    brow_outer_up: str
    brow_down: str
    blink: str
    wide: str
    squint: str
    cheek_squint: str
    brow_happy: int
    brow_raised: int
    brow_troubled: int
    unimpressed: int
    relaxed: int
    happy_wink: int
    surprised: int
    lower_lid: int
    raised_corner: int
    lowered_corner: int
    offset: int


def _side(side: str, offset: int) -> _Side:
    return _Side(
        brow_outer_up=f"browOuterUp{side}",
        brow_down=f"browDown{side}",
        blink=f"eyeBlink{side}",
        wide=f"eyeWide{side}",
        squint=f"eyeSquint{side}",
        cheek_squint=f"cheekSquint{side}",
        brow_happy=PoseParam.EYEBROW_HAPPY_LEFT + offset,
        brow_raised=PoseParam.EYEBROW_RAISED_LEFT + offset,
        brow_troubled=PoseParam.EYEBROW_TROUBLED_LEFT + offset,
        unimpressed=PoseParam.EYE_UNIMPRESSED_LEFT + offset,
        relaxed=PoseParam.EYE_RELAXED_LEFT + offset,
        happy_wink=PoseParam.EYE_HAPPY_WINK_LEFT + offset,
        surprised=PoseParam.EYE_SURPRISED_LEFT + offset,
        lower_lid=PoseParam.EYE_RAISED_LOWER_EYELID_LEFT + offset,
        raised_corner=PoseParam.MOUTH_RAISED_CORNER_LEFT + offset,
        lowered_corner=PoseParam.MOUTH_LOWERED_CORNER_LEFT + offset,
        offset=offset,
    )


_SIDES = tuple(_side(side, offset) for side, offset in SIDES)
_AAA, _III, _UUU = map(int, (PoseParam.MOUTH_AAA, PoseParam.MOUTH_III, PoseParam.MOUTH_UUU))
_EEE, _OOO, _DELTA = map(int, (PoseParam.MOUTH_EEE, PoseParam.MOUTH_OOO, PoseParam.MOUTH_DELTA))
_SMIRK = int(PoseParam.MOUTH_SMIRK)

_OWN_SIDE = 0.75
"""Share of its own side in a corner of the mouth; the rest comes from the other side."""
_UNIMPRESSED_CLOSES = 0.35
"""How far eye_unimpressed = 1 closes the eye; seen in what the networks draw."""


def write_face_from_arkit(
    values: list[float], shapes: Mapping[str, float], settings: RetargetSettings
) -> None:
    """Set brows, eyelids and mouth in the 45 ``values``.

    Args:
        values: pose in the making, zeros for what is written here.
        shapes: ARKit name to 0..1, measured from the neutral face; absent = 0.
        settings: how brows and lids are shown, and how strongly the rarer shapes.
    """
    get = shapes.get
    smiles = get("mouthSmileLeft", 0.0), get("mouthSmileRight", 0.0)
    smile = (smiles[0] + smiles[1]) / 2
    smiling = _gate(smile, 0.3, 0.7)
    _write_brows(values, shapes, smile, smiling, settings)
    _write_eyes(values, shapes, smile, smiling, settings)
    _write_mouth(values, shapes, smiles, settings.mouth)


def _write_brows(
    values: list[float],
    shapes: Mapping[str, float],
    smile: float,
    smiling: float,
    settings: RetargetSettings,
) -> None:
    get = shapes.get
    inner_up = get("browInnerUp", 0.0)
    happy = smiling * _ramp(smile, 0.05, 0.7)
    down_as = BROW_DOWN_PARAMS[settings.eyebrow_down_as]
    for side in _SIDES:
        outer_up = get(side.brow_outer_up, 0.0)
        # Inner ends up alone is worry; together with the outer ends it is surprise.
        troubled = (1.0 - smiling) * _ramp(inner_up - outer_up, 0.15, 0.6)
        raised = _ramp(0.4 * inner_up + 0.6 * outer_up, 0.06, 0.6)
        values[side.brow_happy] = happy
        values[side.brow_raised] = raised * (1.0 - 0.5 * happy)
        values[side.brow_troubled] = troubled
        down = (1.0 - smiling) * _ramp(get(side.brow_down, 0.0), 0.05, 0.7)
        values[down_as + side.offset] = max(values[down_as + side.offset], down)


def _write_eyes(
    values: list[float],
    shapes: Mapping[str, float],
    smile: float,
    smiling: float,
    settings: RetargetSettings,
) -> None:
    get, eyes = shapes.get, settings.eyes
    lid = LID_PARAMS[settings.wink_as]
    faint_smile = _gate(smile, 0.08, 0.3)
    for side in _SIDES:
        # Eyes that laugh are shut in a drawing before they are in a face.
        closed = _ramp(get(side.blink, 0.0), 0.04, 0.8 - 0.15 * smiling)
        eye_squint = get(side.squint, 0.0)
        unimpressed = relaxed = 0.0
        half = _gate(closed, 0.12, 0.35) * (1.0 - _gate(closed, 0.6, 0.9))
        if half > 0.0:
            frown = _gate(max(get(side.brow_down, 0.0), eye_squint), 0.2, 0.6)
            scowl = frown * (1.0 - faint_smile)
            unimpressed = _unit(half * scowl * eyes.unimpressed_gain)
            relaxed = closed * _unit(half * faint_smile * eyes.relaxed_gain) * (1.0 - smiling)
        rest = max(closed - relaxed - _UNIMPRESSED_CLOSES * unimpressed, 0.0)
        values[side.unimpressed] = unimpressed
        values[side.relaxed] = relaxed
        values[side.happy_wink] = smiling * rest
        values[lid + side.offset] += (1.0 - smiling) * rest
        values[side.surprised] = (1.0 - closed) * _ramp(get(side.wide, 0.0), 0.06, 0.5)
        values[side.lower_lid] = _ramp(max(get(side.cheek_squint, 0.0), 0.8 * eye_squint), 0.1, 0.7)


def _write_mouth(
    values: list[float],
    shapes: Mapping[str, float],
    smiles: tuple[float, float],
    settings: MouthSettings,
) -> None:
    get = shapes.get
    lips_apart = max(
        get("jawOpen", 0.0) - get("mouthClose", 0.0), 0.5 * get("tongueOut", 0.0) - 0.1
    )
    opening = _ramp(lips_apart, 0.04, 0.5)
    openness = min(opening / settings.open_seam, 1.0)
    frowns = get("mouthFrownLeft", 0.0), get("mouthFrownRight", 0.0)
    chin_up = 0.3 * max(get("mouthShrugLower", 0.0) - 0.2, 0.0)
    for side in _SIDES:
        own, other = side.offset, 1 - side.offset
        smile = _OWN_SIDE * smiles[own] + (1.0 - _OWN_SIDE) * smiles[other]
        frown = _OWN_SIDE * frowns[own] + (1.0 - _OWN_SIDE) * frowns[other]
        values[side.raised_corner] = _ramp(smile, 0.04, 0.65)
        values[side.lowered_corner] = (1.0 - openness) * _ramp(frown + chin_up, 0.1, 0.55)
    _write_closed_mouth(values, shapes, smiles, 1.0 - openness, settings)
    if openness == 0.0:
        return
    vowels = vowels_from_lips(
        opening,
        _ramp((get("mouthLowerDownLeft", 0.0) + get("mouthLowerDownRight", 0.0)) / 2, 0.03, 0.6),
        _unit(get("mouthFunnel", 0.0)),
        _unit(get("mouthPucker", 0.0)),
    )
    stretch = (get("mouthStretchLeft", 0.0) + get("mouthStretchRight", 0.0)) / 2
    eee_share = _unit(settings.eee_gain * _ramp(stretch, 0.2, 0.6))
    delta_share = _unit(settings.delta_gain * _ramp((frowns[0] + frowns[1]) / 2, 0.2, 0.6))
    values[_AAA] = openness * vowels.aaa * (1.0 - delta_share)
    values[_DELTA] = openness * vowels.aaa * delta_share
    values[_III] = openness * vowels.iii * (1.0 - eee_share)
    values[_EEE] = openness * vowels.iii * eee_share
    values[_UUU] += openness * vowels.uuu
    values[_OOO] = openness * vowels.ooo


def _write_closed_mouth(
    values: list[float],
    shapes: Mapping[str, float],
    smiles: tuple[float, float],
    closedness: float,
    settings: MouthSettings,
) -> None:
    get = shapes.get
    # The networks draw mouth_smirk as a sly grin, not lopsided: a one-sided smile is one most.
    mouth_aside = abs(get("mouthLeft", 0.0) - get("mouthRight", 0.0))
    jaw_aside = abs(get("jawLeft", 0.0) - get("jawRight", 0.0))
    dimple_aside = abs(get("mouthDimpleLeft", 0.0) - get("mouthDimpleRight", 0.0))
    smirk = max(
        _ramp(abs(smiles[0] - smiles[1]), 0.12, 0.45),
        _ramp(dimple_aside, 0.15, 0.5),
        0.6 * _ramp(max(mouth_aside, jaw_aside), 0.2, 0.7),
    )
    values[_SMIRK] = closedness * _unit(settings.smirk_gain * smirk)
    pout = _ramp(get("mouthPucker", 0.0), 0.4, 0.9)
    values[_UUU] = closedness * _unit(settings.pout_gain * pout)


def _unit(value: float) -> float:
    # Comparisons cost a third of min and max, and a face is a hundred of these.
    return 0.0 if value <= 0.0 else min(value, 1.0)


def _ramp(value: float, start: float, full: float) -> float:
    """Return 0 below ``start``, 1 above ``full``, linear between."""
    if value <= start:
        return 0.0
    return 1.0 if value >= full else (value - start) / (full - start)


def _gate(value: float, start: float, full: float) -> float:
    """Return ``_ramp`` with level ends."""
    if value <= start:
        return 0.0
    if value >= full:
        return 1.0
    share = (value - start) / (full - start)
    return share * share * (3.0 - 2.0 * share)
