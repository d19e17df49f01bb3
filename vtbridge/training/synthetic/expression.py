"""What a pose of THA3's 45 parameters asks of lids, brows and mouth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import PoseParam

Side = Literal["LEFT", "RIGHT"]


@dataclass(frozen=True, slots=True)
class Lids:
    """One eye; all 0..1 but the gaze, which is -1..1, x to the subject's left, y up."""

    wink: float = 0.0
    happy: float = 0.0
    relaxed: float = 0.0
    surprised: float = 0.0
    unimpressed: float = 0.0
    lower_lid: float = 0.0
    small: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0


@dataclass(frozen=True, slots=True)
class Brow:
    """One brow, in widths of an eye.

    Attributes:
        tilt: how far its outer end sinks, and its inner end rises.
        drop: how far all of it sinks.
        bend: how far its middle rises above its ends.
    """

    tilt: float = 0.0
    drop: float = 0.0
    bend: float = 0.0


def lids_of(pose: F32Array, side: str) -> Lids:
    """Return the eye of a side, ``LEFT`` or ``RIGHT``."""

    def value(name: str) -> float:
        return pose.item(PoseParam[f"{name}_{side}"])

    wink, happy, relaxed = value("EYE_WINK"), value("EYE_HAPPY_WINK"), value("EYE_RELAXED")
    shut = max(1.0, wink + happy + relaxed)
    return Lids(
        wink=wink / shut,
        happy=happy / shut,
        relaxed=relaxed / shut,
        surprised=value("EYE_SURPRISED"),
        unimpressed=value("EYE_UNIMPRESSED"),
        lower_lid=value("EYE_RAISED_LOWER_EYELID"),
        small=value("IRIS_SMALL"),
        # THA3 turns the iris as it turns the head: positive to the subject's right.
        gaze_x=-pose.item(PoseParam.IRIS_ROTATION_Y),
        gaze_y=pose.item(PoseParam.IRIS_ROTATION_X),
    )


def brow_of(pose: F32Array, side: str) -> Brow:
    """Return the brow of a side, ``LEFT`` or ``RIGHT``."""

    def value(name: str) -> float:
        return pose.item(PoseParam[f"EYEBROW_{name}_{side}"])

    troubled, angry, serious = value("TROUBLED"), value("ANGRY"), value("SERIOUS")
    lowered, raised, happy = value("LOWERED"), value("RAISED"), value("HAPPY")
    return Brow(
        tilt=0.3 * (troubled - angry) - 0.15 * serious,
        drop=0.25 * (lowered - raised) + 0.1 * (angry + serious) - 0.12 * happy - 0.08 * troubled,
        bend=0.2 * happy - 0.06 * serious,
    )
