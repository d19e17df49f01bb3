"""Which vowels an open mouth shows: a bounded least squares of four unknowns, solved exactly.

The four mouth shapes aaa, iii, uuu and ooo each stand for certain jaw and lip
blendshapes; wanted are the weights in 0..1 whose sum comes nearest to the measured
ones. The minimum is unique (the shapes are independent) and piecewise affine in the
measurement: each weight is free, stuck at 0 or stuck at 1, which makes 81 regions
with one affine solution each. They are worked out once; a solution is then one matrix
product, the region whose Karush-Kuhn-Tucker conditions hold, and its affine map.

Nearly always that region is found at once by walking towards it, each step setting free or
stopping the weights that want it (a primal-dual active set: Bergounioux, Ito, Kunisch 1999);
where the walk does not arrive, all regions are looked at, so nothing can fail to converge.

Source of the shapes: the ARKit mapping of talking-head-anime-3-demo, which minimises
the same sum of squares numerically.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple, TypeAlias

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
_STATES = _FREE, _AT_ZERO, _AT_ONE = 0, 1, 2
_MOST_STEPS = 6
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
    region = 0  # all weights free
    for _ in range(_MOST_STEPS):
        weights = []
        wanted = 0
        for state, a, b, c, d, offset in _WALK[region]:
            value = a * opening + b * lower_lip + c * funnel + d * pucker + offset
            if state == _FREE:
                weights.append(value)
                wants = _AT_ZERO if value < 0.0 else _AT_ONE if value > 1.0 else _FREE
            else:
                weights.append(1.0 if state == _AT_ONE else 0.0)
                wants = _FREE if value < 0.0 else state
            wanted = len(_STATES) * wanted + wants
        if wanted == region:
            aaa, iii, uuu, ooo = weights
            return aaa, iii, uuu, ooo
        region = wanted
    return _solve_by_all_regions(opening, lower_lip, funnel, pucker)


def _solve_by_all_regions(
    opening: float, lower_lip: float, funnel: float, pucker: float
) -> tuple[float, float, float, float]:
    measured = np.array((opening, lower_lip, funnel, pucker))
    slack = _REGIONS.slack_gain.dot(measured) + _REGIONS.slack_offset
    # The true region has no negative slack; rounding may leave -1e-16, hence the best of all.
    region = int(np.minimum.reduce(slack.reshape(8, -1)).argmax())
    weights = _REGIONS.weight_gain[region].dot(measured) + _REGIONS.weight_offset[region]
    aaa, iii, uuu, ooo = weights.tolist()
    return _unit(aaa), _unit(iii), _unit(uuu), _unit(ooo)


def vowels_from_lips(opening: float, lower_lip: float, funnel: float, pucker: float) -> Vowels:
    """Return the vowels of a mouth whose jaw and lips were measured, all arguments 0..1.

    How round the mouth is comes from the least squares; whether round means uuu or ooo
    is decided by ``funnel`` alone.
    """
    aaa, iii, uuu, ooo = solve_mouth_weights(opening, lower_lip, funnel, pucker)
    rounded = min(uuu + ooo, 1.0)
    ooo_share = min(max((funnel - _FUNNEL_OF_OOO) / _FUNNEL_OF_OOO, 0.0), 1.0)
    return Vowels(aaa, iii, rounded * (1.0 - ooo_share), rounded * ooo_share)


def _unit(weight: float) -> float:
    return 0.0 if weight <= 0.0 else min(weight, 1.0)


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


_Row: TypeAlias = tuple[int, float, float, float, float, float]
"""A weight's state, and the affine map of the four measurements to its value or slack."""


def _solve_regions() -> _Regions:
    lips_from_weights = np.array(MOUTH_SHAPES).T
    curvature = lips_from_weights.T @ lips_from_weights
    gains, offsets, slack_gains, slack_offsets = [], [], [], []
    for states in product(_STATES, repeat=4):
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


def _walk(regions: _Regions) -> tuple[tuple[_Row, ...], ...]:
    """Return each region's four rows: of a free weight its value, of another its slack."""
    slack_gain = regions.slack_gain.reshape(8, -1, 4)
    slack_offset = regions.slack_offset.reshape(8, -1)
    walk = []
    for region, states in enumerate(product(_STATES, repeat=4)):
        rows: list[_Row] = []
        for weight, state in enumerate(states):
            # The first four slacks of a region are those of its weights above their lower end.
            a, b, c, d = slack_gain[weight, region].tolist()
            rows.append((state, a, b, c, d, slack_offset.item(weight, region)))
        walk.append(tuple(rows))
    return tuple(walk)


_REGIONS = _solve_regions()
_WALK = _walk(_REGIONS)
