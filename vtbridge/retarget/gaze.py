"""Where the irises look, from whichever of three sources moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from vtbridge.datatypes import Gaze
from vtbridge.retarget.settings import GazeSettings

ARKIT_LOOK_NAMES = tuple(
    f"eyeLook{direction}{side}"
    for direction in ("Up", "Down", "In", "Out")
    for side in ("Left", "Right")
)
PRESET_LOOK_NAMES = ("lookUp", "lookDown", "lookLeft", "lookRight")


class IrisTarget(NamedTuple):
    """Iris rotation in pose units, unclamped: ``up`` and ``own_right`` positive, 1 = full."""

    up: float = 0.0
    own_right: float = 0.0


def iris_from_face(
    blendshapes: Mapping[str, float],
    presets: Mapping[str, float],
    left_eye: Gaze | None,
    right_eye: Gaze | None,
    settings: GazeSettings,
) -> IrisTarget:
    """Return where both eyes look together, averaged.

    Some senders turn the eyes and leave the eyeLook blendshapes at exactly 0, others the
    reverse; ``settings.source`` "auto" takes the blendshapes as long as any is not 0.
    """
    if settings.source != "eyes":
        if any(map(blendshapes.get, ARKIT_LOOK_NAMES)):
            return _iris_from_arkit(blendshapes, settings.look_gain)
        if any(map(presets.get, PRESET_LOOK_NAMES)):
            return _iris_from_presets(presets)
    if settings.source != "blendshapes":
        return _iris_from_eyes(left_eye, right_eye, settings)
    return IrisTarget()


def _iris_from_arkit(blendshapes: Mapping[str, float], gain: float) -> IrisTarget:
    get = blendshapes.get
    up = get("eyeLookUpLeft", 0.0) + get("eyeLookUpRight", 0.0)
    down = get("eyeLookDownLeft", 0.0) + get("eyeLookDownRight", 0.0)
    # The left eye looks to the own right when it turns in, the right eye when it turns out.
    own_right = get("eyeLookInLeft", 0.0) + get("eyeLookOutRight", 0.0)
    own_left = get("eyeLookOutLeft", 0.0) + get("eyeLookInRight", 0.0)
    return IrisTarget((up - down) / 2 * gain, (own_right - own_left) / 2 * gain)


def _iris_from_presets(presets: Mapping[str, float]) -> IrisTarget:
    get = presets.get
    return IrisTarget(
        get("lookUp", 0.0) - get("lookDown", 0.0), get("lookRight", 0.0) - get("lookLeft", 0.0)
    )


def _iris_from_eyes(left: Gaze | None, right: Gaze | None, settings: GazeSettings) -> IrisTarget:
    eyes = [eye for eye in (left, right) if eye is not None]
    if not eyes:
        return IrisTarget()
    pitch_rad = sum(eye.pitch_rad for eye in eyes) / len(eyes)
    yaw_rad = sum(eye.yaw_rad for eye in eyes) / len(eyes)
    return IrisTarget(
        math.degrees(pitch_rad) / settings.pitch_full_deg,
        math.degrees(yaw_rad) / settings.yaw_full_deg,
    )
