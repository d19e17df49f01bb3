"""Eyelids: how far each eye is shut, measured on the mesh and against the person's own eyes.

The network's own eyeBlink depends on the head's yaw and differs between the eyes (0.6
and 0.9 for two shut eyes); the ratio of an eye's height to its width does not. Its open
value differs between people, so it is learnt: the wide-open level as a running
percentile of the times when the eyes are open, the shut level of those when they are not.

Source of the ratio: Soukupova and Cech, Real-Time Eye Blink Detection using Facial
Landmarks, 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtbridge.tracking.webcam.running_percentile import RunningPercentile

F64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EyeContour:
    """Landmarks of one eye: corners, and two pairs of upper and lower lid."""

    outer: int
    inner: int
    lids: tuple[tuple[int, int], tuple[int, int]]


RIGHT_EYE = EyeContour(outer=33, inner=133, lids=((160, 144), (158, 153)))
LEFT_EYE = EyeContour(outer=263, inner=362, lids=((385, 380), (387, 373)))

_EXPECTED_OPEN = 0.30
_OPEN_BOUNDS = (0.08, 0.6)
_OPEN_SHARE = 0.7
_EXPECTED_SHUT = 0.15
_SHUT_BOUNDS = (0.08, 0.4)
_SHUT_SHARE = 0.25
_DEEPEST_LEARNT = 0.45
_NETWORK_SAYS_SHUT = 0.5

_STILL_OPEN = 0.88
"""Share of the open level above which an eye is not shut at all: lids are never still."""
_WIDE_FROM, _WIDE_FULL = 1.12, 1.45
_NETWORK_WIDE_REST, _NETWORK_WIDE_GAIN = 0.05, 2.5

_NEAR_EYE_FROM_RAD = math.radians(25.0)
_NEAR_EYE_ONLY_RAD = math.radians(40.0)


@dataclass(frozen=True, slots=True)
class Lids:
    """How far one eye is shut and how wide it is, ARKit's eyeBlink and eyeWide, 0..1."""

    blink: float
    wide: float


def aspect_ratio(points: F64Array, eye: EyeContour) -> float:
    """Return the height of an eye over its width, about 0.3 open and below 0.1 shut.

    The width is measured in depth too, or a turned head would seem to widen its eyes; the
    height is not, for the depths of the two lids are what the mesh knows least.

    Args:
        points: float64 [478, 3], as in ``FaceLandmarks.points``.
        eye: which eye.
    """
    height = sum(math.hypot(*(points[upper] - points[lower])[:2]) for upper, lower in eye.lids) / 2
    width = math.hypot(*(points[eye.outer] - points[eye.inner]))
    return height / width if width > 0 else 0.0


class EyelidCalibration:
    """What one eye's aspect ratio means, learnt while it is watched."""

    def __init__(self) -> None:
        self._open = RunningPercentile(0.0, 0.64, expected=_EXPECTED_OPEN)
        self._shut = RunningPercentile(0.0, 0.64, expected=_EXPECTED_SHUT, expected_s=0.5)

    def reset(self) -> None:
        """Forget whose eye it was."""
        self._open.reset()
        self._shut.reset()

    def lids(
        self, ratio: float, network_blink: float, network_wide: float, elapsed_s: float
    ) -> Lids:
        """Return what ``ratio`` means, and learn from it.

        Args:
            ratio: see ``aspect_ratio``.
            network_blink: the network's opinion, which tells a shut eye from a narrow one.
            network_wide: the same about a widened eye.
            elapsed_s: time since the picture before.
        """
        # Learnt first: a person with narrow eyes should not start with them half shut.
        if network_blink < _NETWORK_SAYS_SHUT:
            self._open.add(ratio, elapsed_s)
        lowest, highest = _OPEN_BOUNDS
        wide_open = min(max(self._open.at(_OPEN_SHARE, otherwise=_EXPECTED_OPEN), lowest), highest)
        share = ratio / wide_open
        if network_blink >= _NETWORK_SAYS_SHUT and share < _DEEPEST_LEARNT:
            self._shut.add(share, elapsed_s)
        lowest, highest = _SHUT_BOUNDS
        shut = min(max(self._shut.at(_SHUT_SHARE, otherwise=_EXPECTED_SHUT), lowest), highest)
        wide = max(
            (share - _WIDE_FROM) / (_WIDE_FULL - _WIDE_FROM),
            (network_wide - _NETWORK_WIDE_REST) * _NETWORK_WIDE_GAIN,
        )
        return Lids(
            blink=min(max((_STILL_OPEN - share) / (_STILL_OPEN - shut), 0.0), 1.0),
            wide=min(max(wide, 0.0), 1.0),
        )


def near_eye_weights(yaw_rad: float) -> tuple[float, float]:
    """Return how far to believe the left and the right eye, 0..1, when the head is turned.

    Turned to its own right, a head hides its right eye behind the nose.
    """
    span = _NEAR_EYE_ONLY_RAD - _NEAR_EYE_FROM_RAD
    hidden = min(max((abs(yaw_rad) - _NEAR_EYE_FROM_RAD) / span, 0.0), 1.0)
    return (1.0, 1.0 - hidden) if yaw_rad > 0 else (1.0 - hidden, 1.0)


class Eyelids:
    """Both eyes of one person."""

    def __init__(self) -> None:
        self._left = EyelidCalibration()
        self._right = EyelidCalibration()

    def reset(self) -> None:
        """Forget whose eyes they were."""
        self._left.reset()
        self._right.reset()

    def measure(
        self, points: F64Array, network: dict[str, float], yaw_rad: float, elapsed_s: float
    ) -> tuple[Lids, Lids]:
        """Return left and right lids; an eye behind the nose follows the other one.

        Args:
            points: float64 [478, 3], as in ``FaceLandmarks.points``.
            network: the network's blendshapes.
            yaw_rad: of the head, to the own right.
            elapsed_s: time since the picture before.
        """
        left_weight, right_weight = near_eye_weights(yaw_rad)
        # An eye that is hidden teaches nothing about what it looks like.
        left, right = (
            calibration.lids(
                aspect_ratio(points, eye),
                network[f"eyeBlink{side}"],
                network[f"eyeWide{side}"],
                elapsed_s * weight,
            )
            for calibration, eye, side, weight in (
                (self._left, LEFT_EYE, "Left", left_weight),
                (self._right, RIGHT_EYE, "Right", right_weight),
            )
        )
        return _mixed(left, right, left_weight), _mixed(right, left, right_weight)


def _mixed(own: Lids, other: Lids, own_weight: float) -> Lids:
    return Lids(
        blink=own.blink * own_weight + other.blink * (1.0 - own_weight),
        wide=own.wide * own_weight + other.wide * (1.0 - own_weight),
    )
