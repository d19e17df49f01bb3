"""The ARKit blendshapes of a face, from 146 of its landmarks.

``LANDMARKS_USED`` and ``NAMES`` are facts about the network, from MediaPipe's
``face_blendshapes_graph.cc`` (Apache-2.0, which GPL-3.0 programs may use).

The network was fitted to ARKit, but not everywhere to its range: an open jaw ends at
0.6..0.8, a frown at 0.1. ``as_arkit`` stretches those that an avatar would miss.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, read_only
from vtbridge.tracking.webcam.networks import FaceNetworks
from vtbridge.tracking.webcam.running_percentile import RunningPercentile

F64Array = NDArray[np.float64]

# fmt: off
LANDMARKS_USED = read_only(np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63,
    65, 66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133,
    136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163,
    168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270,
    276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317,
    318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379,
    380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454,
    466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
], np.intp))
# fmt: on
"""Indices [146] of the landmarks that the network takes."""

NAMES: tuple[str, ...] = (
    "_neutral",
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight"),
    *("eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight"),
    *("eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight"),
    *("eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight"),
    *("eyeWideLeft", "eyeWideRight"),
    *("jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
"""What the network's 52 outputs mean, in order; there is no ``tongueOut``."""

_JAW_GAIN = 1.3
_JAW_HIGHEST_REST = 0.1
_JAW_REST_SHARE = 0.1
_FROWN_GAIN = 2.5
_LOWER_LIP_OF_JAW = 0.7
"""How far an open jaw takes the lower lip along in iPhones' recordings; the network sees
a fifth of it, and without it a wide mouth is drawn half round."""


def weigh_blendshapes(networks: FaceNetworks, points: F64Array) -> dict[str, float]:
    """Return what the network says about landmarks, 51 ARKit names to 0..1.

    Args:
        networks: the networks.
        points: float64 [478, >=2], x and y in pixels of the picture.
    """
    chosen: F32Array = points[LANDMARKS_USED, :2].astype(np.float32)
    weights = np.nan_to_num(networks.weigh_blendshapes(chosen), nan=0.0)
    clamped = np.clip(weights, 0.0, 1.0).tolist()
    return dict(zip(NAMES[1:], clamped[1:], strict=True))


class ArkitRange:
    """Stretch the network's weak blendshapes to what an iPhone sends for the same face."""

    def __init__(self) -> None:
        self._jaw = RunningPercentile(0.0, 2 * _JAW_HIGHEST_REST)

    def reset(self) -> None:
        """Forget whose jaw it was."""
        self._jaw.reset()

    def as_arkit(self, shapes: dict[str, float], elapsed_s: float) -> dict[str, float]:
        """Return ``shapes`` with jaw, lower lip and frown corrected.

        Args:
            shapes: what ``weigh_blendshapes`` gave.
            elapsed_s: time since the picture before.
        """
        jaw = shapes["jawOpen"]
        self._jaw.add(jaw, elapsed_s)
        rest = min(self._jaw.at(_JAW_REST_SHARE, otherwise=0.0), _JAW_HIGHEST_REST)
        opening = min(max(jaw - rest, 0.0) * _JAW_GAIN, 1.0)
        rounding = max(shapes["mouthFunnel"], shapes["mouthPucker"])
        lower_lip = _LOWER_LIP_OF_JAW * opening * (1.0 - rounding)
        return shapes | {
            "jawOpen": opening,
            "mouthLowerDownLeft": max(shapes["mouthLowerDownLeft"], lower_lip),
            "mouthLowerDownRight": max(shapes["mouthLowerDownRight"], lower_lip),
            "mouthFrownLeft": min(shapes["mouthFrownLeft"] * _FROWN_GAIN, 1.0),
            "mouthFrownRight": min(shapes["mouthFrownRight"] * _FROWN_GAIN, 1.0),
        }
