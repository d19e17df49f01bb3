"""Each way to say an expression to VRChat gives its ARKit blendshape back."""

from __future__ import annotations

import pytest

from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.vrcft_shapes import (
    EYE_SHAPES,
    FINEST,
    PARAMETERS,
    WAYS,
    mixes_for,
)

OPEN = {"eyeBlinkLeft": 0.0, "eyeBlinkRight": 0.0}


def weights(**values: float) -> dict[str, float]:
    return {shape: mix.weight(values) for shape, mix in mixes_for(values)}


def test_every_blendshape_but_the_gaze_has_a_way() -> None:
    assert set(WAYS) == {name for name in ARKIT_NAMES if not name.startswith("eyeLook")}
    assert set(WAYS) >= EYE_SHAPES
    assert len(EYE_SHAPES) == 6


def test_finest_parameters_say_everything() -> None:
    assert len(set(FINEST)) == len(FINEST)
    assert set(FINEST) <= PARAMETERS
    assert set(weights(**dict.fromkeys(FINEST, 0.0))) == set(WAYS)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"JawOpen": 0.5}, {"jawOpen": 0.5}),
        ({"EyeLidLeft": 0.0}, {"eyeBlinkLeft": 1.0, "eyeWideLeft": 0.0}),
        ({"EyeLidLeft": 0.75}, {"eyeBlinkLeft": 0.0, "eyeWideLeft": 0.0}),
        ({"EyeLidRight": 0.375}, {"eyeBlinkRight": 0.5, "eyeWideRight": 0.0}),
        ({"EyeLidRight": 1.0}, {"eyeBlinkRight": 0.0, "eyeWideRight": 1.0}),
        ({"EyeLidRight": 0.875}, {"eyeBlinkRight": 0.0, "eyeWideRight": 0.5}),
        ({"EyeLid": 0.875}, dict.fromkeys(("eyeWideLeft", "eyeWideRight"), 0.5) | OPEN),
        ({"LeftEyeLid": 0.75}, {"eyeBlinkLeft": 0.25}),
        ({"EyeOpenLeft": 0.25}, {"eyeBlinkLeft": 0.75}),
        ({"EyeClosed": 0.5}, {"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5}),
        ({"LeftEyeLidExpanded": 0.4}, {"eyeBlinkLeft": 0.5, "eyeWideLeft": 0.0}),
        ({"LeftEyeLidExpanded": 0.9}, {"eyeBlinkLeft": 0.0, "eyeWideLeft": 0.5}),
        ({"JawX": -0.5}, {"jawLeft": 0.5, "jawRight": 0.0}),
        ({"JawX": 0.5}, {"jawLeft": 0.0, "jawRight": 0.5}),
        ({"JawZ": 0.5}, {"jawForward": 0.5}),
        ({"MouthX": 0.5}, {"mouthLeft": 0.0, "mouthRight": 0.5}),
        ({"MouthUpperX": -1.0, "MouthLowerX": -0.5}, {"mouthLeft": 0.75, "mouthRight": 0.0}),
        ({"SmileFrownLeft": 0.5}, {"mouthSmileLeft": 0.5, "mouthFrownLeft": 0.0}),
        ({"SmileFrownLeft": -0.5}, {"mouthSmileLeft": 0.0, "mouthFrownLeft": 0.5}),
        (
            {"MouthCornerPullLeft": 1.0, "MouthCornerSlantLeft": 0.5},
            {"mouthSmileLeft": 0.9},
        ),
        ({"MouthCornerPullLeft": 0.5}, {"mouthSmileLeft": 0.5}),
        ({"BrowLowererLeft": 1.0, "BrowPinchLeft": 0.0}, {"browDownLeft": 0.75}),
        (
            {"BrowExpressionRight": -0.5},
            {"browDownRight": 0.5, "browOuterUpRight": 0.0},
        ),
        ({"CheekPuffSuck": -0.5}, {"cheekPuff": 0.0}),
        ({"CheekPuffLeft": 1.0, "CheekPuffRight": 0.0}, {"cheekPuff": 0.5}),
        ({"LipFunnelUpper": 0.5, "LipFunnelLower": 1.0}, {"mouthFunnel": 0.75}),
        (
            {"LipSuckFunnelUpper": -1.0, "LipSuckFunnelLower": 0.5},
            {"mouthFunnel": 0.25, "mouthRollUpper": 0.0, "mouthRollLower": 0.5},
        ),
        (
            {"MouthTightenerStretchLeft": -0.5},
            {"mouthStretchLeft": 0.5},
        ),
        ({"MouthUpperUpLeft": 0.5}, {"mouthUpperUpLeft": 0.5}),
        ({"BrowInnerUpLeft": 0.5, "BrowInnerUpRight": 1.0}, {"browInnerUp": 0.75}),
    ],
)
def test_combination_is_undone(values: dict[str, float], expected: dict[str, float]) -> None:
    assert weights(**values) == pytest.approx(expected)


def test_finer_parameters_count_more() -> None:
    both = weights(SmileFrown=-1.0, MouthSmileLeft=0.5, MouthFrownLeft=0.25)
    assert (both["mouthSmileLeft"], both["mouthFrownLeft"]) == (0.5, 0.25)
    assert (both["mouthSmileRight"], both["mouthFrownRight"]) == (0.0, 1.0)


def test_what_has_not_come_is_not_told() -> None:
    assert weights() == {}
    assert weights(CheekPuffLeft=1.0) == {}


def test_exaggeration_is_clamped() -> None:
    assert weights(JawOpen=7.0, MouthPressLeft=-3.0) == {"jawOpen": 1.0, "mouthPressLeft": 0.0}
