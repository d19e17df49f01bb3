"""Which vowels an open mouth shows: a bounded least squares of four unknowns, solved exactly.

The four mouth shapes aaa, iii, uuu and ooo each stand for certain jaw and lip
blendshapes; wanted are the weights in 0..1 whose sum comes nearest to the measured
ones. The minimum is unique (the shapes are independent) and piecewise affine in the
measurement: each weight is free, stuck at 0 or stuck at 1, which makes 81 regions
with one affine solution each. They are worked out once; a solution is then one matrix
product, the region whose Karush-Kuhn-Tucker conditions hold, and its affine map.
Nothing iterates, so nothing can fail to converge.

Source of the shapes: the ARKit mapping of talking-head-anime-3-demo, which minimises
the same sum of squares numerically.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F64Array = NDArray[np.float64]

# Rows aaa, iii, uuu, ooo; columns jaw opening, lower lip down, funnel, pucker.
MOUTH_SHAPES: tuple[tuple[float, float, float, float], ...] = (
    (1.0, 1.0, 0.0, 0.0),
    (0.0, 1.0, 0.0, 0.0),
    (0.5, 0.3, 0.25, 0.75),
    (1.0, 0.5, 0.5, 0.4),
)
_FREE, _AT_ZERO, _AT_ONE = range(3)
_FUNNEL_OF_OOO = 0.25
"""Funnel at which a round mouth begins to be ooo instead of uuu, and the width of the change."""


class Vowels(NamedTuple):
    """Weights of the mouth shapes, each 0..1."""

    aaa: float = 0.0
    iii: float = 0.0
    uuu: float = 0.0
    ooo: float = 0.0


def solve_mouth_weights(
    opening: float, lower_lip: float, funnel: float, pucker: float
) -> tuple[float, float, float, float]:
    """Return the weights in 0..1 of ``MOUTH_SHAPES`` nearest to the four finite measurements."""
    measured = np.array((opening, lower_lip, funnel, pucker))
    slack = (_REGIONS.slack_gain @ measured + _REGIONS.slack_offset).reshape(8, -1)
    # The true region has no negative slack; rounding may leave -1e-16, hence the best of all.
    region = int(slack.min(axis=0).argmax())
    weights = _REGIONS.weight_gain[region] @ measured + _REGIONS.weight_offset[region]
    aaa, iii, uuu, ooo = (min(max(weight, 0.0), 1.0) for weight in weights.tolist())
    return aaa, iii, uuu, ooo


def vowels_from_lips(opening: float, lower_lip: float, funnel: float, pucker: float) -> Vowels:
    """Return the vowels of a mouth whose jaw and lips were measured, all arguments 0..1.

    How round the mouth is comes from the least squares; whether round means uuu or ooo
    is decided by ``funnel`` alone.
    """
    aaa, iii, uuu, ooo = solve_mouth_weights(opening, lower_lip, funnel, pucker)
    rounded = min(uuu + ooo, 1.0)
    ooo_share = min(max((funnel - _FUNNEL_OF_OOO) / _FUNNEL_OF_OOO, 0.0), 1.0)
    return Vowels(aaa, iii, rounded * (1.0 - ooo_share), rounded * ooo_share)


class _Regions(NamedTuple):
    """The 81 affine solutions and the conditions under which each is the minimum.

    Attributes:
        weight_gain: [81, 4, 4], weights = gain @ measured + offset.
        weight_offset: [81, 4].
        slack_gain: [8 * 81, 4]; all eight slacks of a region are >= 0 where it holds.
        slack_offset: [8 * 81].
    """

    weight_gain: F64Array
    weight_offset: F64Array
    slack_gain: F64Array
    slack_offset: F64Array


def _solve_regions() -> _Regions:
    lips_from_weights = np.array(MOUTH_SHAPES).T
    curvature = lips_from_weights.T @ lips_from_weights
    gains, offsets, slack_gains, slack_offsets = [], [], [], []
    for states in product((_FREE, _AT_ZERO, _AT_ONE), repeat=4):
        free = [index for index, state in enumerate(states) if state == _FREE]
        gain = np.zeros((4, 4))
        offset = np.array([float(state == _AT_ONE) for state in states])
        if free:
            inverse = np.linalg.inv(curvature[np.ix_(free, free)])
            gain[free] = inverse @ lips_from_weights.T[free]
            offset[free] = -inverse @ curvature[free] @ offset
        slope_gain = curvature @ gain - lips_from_weights.T
        slope_offset = curvature @ offset
        low_gain, low_offset = gain.copy(), offset.copy()
        high_gain, high_offset = -gain, 1.0 - offset
        for index, state in enumerate(states):
            if state != _FREE:
                # At 0 the sum of squares must rise with the weight, at 1 it must fall.
                sign = 1.0 if state == _AT_ZERO else -1.0
                low_gain[index] = high_gain[index] = sign * slope_gain[index]
                low_offset[index] = high_offset[index] = sign * slope_offset[index]
        gains.append(gain)
        offsets.append(offset)
        slack_gains.append(np.concatenate((low_gain, high_gain)))
        slack_offsets.append(np.concatenate((low_offset, high_offset)))
    return _Regions(
        np.array(gains),
        np.array(offsets),
        np.stack(slack_gains, axis=1).reshape(-1, 4),
        np.stack(slack_offsets, axis=1).reshape(-1),
    )


_REGIONS = _solve_regions()
