"""Where the eyes look: the irises between the corners of the eyes, on a round eyeball.

Sideways this agrees with the network's eyeLook blendshapes at 35 degrees for 1
(correlation 0.99). Up and down the lids hide most of the iris, so both are averaged,
each less what it shows for somebody who looks straight ahead.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import Gaze
from vtbridge.tracking.webcam.eyes import LEFT_EYE, RIGHT_EYE, EyeContour, Lids, near_eye_weights

F64Array = NDArray[np.float64]

RIGHT_IRIS = 468
LEFT_IRIS = 473

GAZE_RAD_PER_LOOK = math.radians(35.0)
"""Angle of an eye whose eyeLook blendshape is 1."""

# The eyeball against the eye's corners, in widths of the eye. An eye is about 30 mm wide,
# and its iris turns on a radius of about 12 mm.
_RADIUS = 0.40
_DEPTH = 0.20
_OUTWARD = 0.05
_UPWARD = 0.07
_LARGEST_SINE = 0.95

_NETWORK_REST_RAD = math.radians(-5.0)
"""Pitch that the network sees in eyes that look straight ahead."""

_SHUT = 0.6
"""Blink above which the iris is only guessed; the last gaze is kept."""

AHEAD = Gaze()


class GazeTracker:
    """Both eyes of one person; they turn together."""

    def __init__(self) -> None:
        self._last = AHEAD

    def reset(self) -> None:
        """Forget where the eyes looked."""
        self._last = AHEAD

    def measure(
        self,
        points: F64Array,
        rotation: F64Array,
        yaw_rad: float,
        network: dict[str, float],
        lids: tuple[Lids, Lids],
    ) -> Gaze:
        """Return the gaze against the head, the last one while both eyes are shut.

        Args:
            points: float64 [478, 3], as in ``FaceLandmarks.points``.
            rotation: of the head, see ``rotation_from_face``.
            yaw_rad: of the head, to the own right.
            network: the network's blendshapes.
            lids: of the left and the right eye.
        """
        left_weight, right_weight = (
            near * (1.0 if lid.blink < _SHUT else 0.0)
            for near, lid in zip(near_eye_weights(yaw_rad), lids, strict=True)
        )
        total = left_weight + right_weight
        if total <= 0.0:
            return self._last
        left = iris_direction(points, rotation, LEFT_EYE, LEFT_IRIS, outward=1.0)
        right = iris_direction(points, rotation, RIGHT_EYE, RIGHT_IRIS, outward=-1.0)
        direction = (left * left_weight + right * right_weight) / total
        iris_pitch_rad = math.atan2(direction[1], math.hypot(direction[0], direction[2]))
        pitch_rad = (iris_pitch_rad + network_pitch_rad(network)) / 2
        self._last = Gaze(pitch_rad, math.atan2(-direction[0], direction[2]))
        return self._last


def iris_direction(
    points: F64Array, rotation: F64Array, eye: EyeContour, iris: int, *, outward: float
) -> F64Array:
    """Return where one eye looks, a vector [3] of length 1 in the canonical face's axes.

    Only x and y of the iris are used: its depth is not measured but follows from the
    eyeball's radius.

    Args:
        points: float64 [478, 3], as in ``FaceLandmarks.points``.
        rotation: of the head, see ``rotation_from_face``.
        eye: which eye.
        iris: landmark of its iris' centre.
        outward: sign of x away from the nose: 1 for the own left eye, -1 for the right.
    """
    outer, inner = points[eye.outer], points[eye.inner]
    width = math.hypot(*(outer - inner))
    if width <= 0.0:
        return np.array([0.0, 0.0, 1.0])
    seen = (points[iris] - (outer + inner) / 2)[:2] * (1.0, -1.0) / width
    centre = rotation @ (outward * _OUTWARD, _UPWARD, -_DEPTH)
    across = (seen - centre[:2]) / _RADIUS
    sine = math.hypot(*across)
    if sine > _LARGEST_SINE:
        across = across * (_LARGEST_SINE / sine)
        sine = _LARGEST_SINE
    towards_viewer = math.sqrt(1.0 - sine * sine)
    direction: F64Array = rotation.T @ (across[0], across[1], towards_viewer)
    return direction


def network_pitch_rad(network: dict[str, float]) -> float:
    """Return how far up the network sees the eyes look, on average."""
    up = network["eyeLookUpLeft"] + network["eyeLookUpRight"]
    down = network["eyeLookDownLeft"] + network["eyeLookDownRight"]
    return (up - down) / 2 * GAZE_RAD_PER_LOOK - _NETWORK_REST_RAD


def looks_from_gaze(gaze: Gaze) -> dict[str, float]:
    """Return the eight eyeLook blendshapes of two eyes that look the same way."""
    up, own_right = gaze.pitch_rad / GAZE_RAD_PER_LOOK, gaze.yaw_rad / GAZE_RAD_PER_LOOK
    looks = {
        "eyeLookUpLeft": up,
        "eyeLookUpRight": up,
        "eyeLookDownLeft": -up,
        "eyeLookDownRight": -up,
        "eyeLookInLeft": own_right,
        "eyeLookOutRight": own_right,
        "eyeLookOutLeft": -own_right,
        "eyeLookInRight": -own_right,
    }
    return {name: min(max(0.0, value), 1.0) for name, value in looks.items()}
