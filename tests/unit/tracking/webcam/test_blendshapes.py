"""The network's blendshapes become ARKit's, in name and range."""

from __future__ import annotations

from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.webcam.blendshapes import LANDMARKS_USED, NAMES, ArkitRange
from vtbridge.tracking.webcam.networks import BLENDSHAPE_LANDMARKS, BLENDSHAPES, LANDMARKS

FRAME_S = 1 / 30


def shapes(**values: float) -> dict[str, float]:
    return dict.fromkeys(NAMES[1:], 0.0) | values


def test_names_are_arkits_without_the_tongue() -> None:
    assert len(NAMES) == BLENDSHAPES
    assert set(NAMES[1:]) == set(ARKIT_NAMES) - {"tongueOut"}


def test_landmarks_are_distinct_and_exist() -> None:
    indices = LANDMARKS_USED.tolist()
    assert len(indices) == BLENDSHAPE_LANDMARKS
    assert indices == sorted(set(indices))
    assert indices[-1] == LANDMARKS - 1


def test_jaw_is_measured_from_its_rest_and_reaches_the_end() -> None:
    arkit = ArkitRange()
    for _ in range(60):
        rested = arkit.as_arkit(shapes(jawOpen=0.06), FRAME_S)
    assert rested["jawOpen"] < 0.01
    assert arkit.as_arkit(shapes(jawOpen=0.85), FRAME_S)["jawOpen"] == 1.0
    assert 0.2 < arkit.as_arkit(shapes(jawOpen=0.25), FRAME_S)["jawOpen"] < 0.3


def test_mouth_kept_open_is_never_taken_for_shut() -> None:
    arkit = ArkitRange()
    for _ in range(60):
        held = arkit.as_arkit(shapes(jawOpen=0.5), FRAME_S)["jawOpen"]
    assert held > 0.45


def test_reset_forgets_the_jaw() -> None:
    arkit = ArkitRange()
    for _ in range(60):
        arkit.as_arkit(shapes(jawOpen=0.1), FRAME_S)
    arkit.reset()
    arkit.as_arkit(shapes(jawOpen=0.0), 0.1)
    assert arkit.as_arkit(shapes(jawOpen=0.1), FRAME_S)["jawOpen"] > 0.1


def test_frown_is_stretched_and_others_stay() -> None:
    given = shapes(mouthFrownLeft=0.1, mouthFrownRight=0.9, mouthSmileLeft=0.4)
    arkit = ArkitRange().as_arkit(given, FRAME_S)
    assert arkit["mouthFrownLeft"] == 0.25
    assert arkit["mouthFrownRight"] == 1.0
    assert arkit["mouthSmileLeft"] == 0.4
    assert given["mouthFrownLeft"] == 0.1


def test_open_jaw_takes_the_lower_lip_along_unless_the_mouth_is_round() -> None:
    wide = ArkitRange().as_arkit(shapes(jawOpen=0.8, mouthLowerDownLeft=0.1), FRAME_S)
    assert wide["mouthLowerDownLeft"] == wide["mouthLowerDownRight"] > 0.6
    round_ = ArkitRange().as_arkit(shapes(jawOpen=0.8, mouthFunnel=0.9), FRAME_S)
    assert round_["mouthLowerDownLeft"] < 0.1
    shown = ArkitRange().as_arkit(shapes(mouthLowerDownRight=0.5), FRAME_S)
    assert (shown["mouthLowerDownLeft"], shown["mouthLowerDownRight"]) == (0.0, 0.5)
