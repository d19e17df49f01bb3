"""Numbers as smooth functions of a rotation, through the samples or near them.

A polyharmonic spline with a linear tail (Duchon 1977). The six rotations matter unequally,
so each has a scale, chosen with the smoothing by the error of leaving samples out, which the
inverse of the spline's matrix gives without fitting anew (Rippa 1999).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array

F64Array = NDArray[np.float64]

_SMOOTHINGS = (1e-4, 1e-3, 1e-2, 1e-1)
_FACTORS = (0.6, 0.8, 1.25, 1.7)
_ROUNDS = 3
_JUDGED_BY = 320
"""Samples by which scales are judged: enough to tell, few enough to invert often."""
_LEAST_SPREAD = 1e-3
"""A direction of rotations less spread than this, of 1, has no tail."""


@dataclass(frozen=True, slots=True, eq=False)
class RotationSpline:
    """A fitted spline, as ``vtbridge.render.baked.body`` evaluates it.

    Attributes:
        origin: [6], taken from a rotation.
        scale: [6], it is multiplied by then.
        centres: [n, 6], so moved.
        weights: [n + 1 + 6, numbers]: of the kernels, of 1, of the rotation so moved.
    """

    origin: F32Array
    scale: F32Array
    centres: F32Array
    weights: F32Array

    def __call__(self, rotations: F32Array) -> F64Array:
        """Return the numbers of rotations [k, 6], [k, numbers]."""
        moved = ((rotations - self.origin) * self.scale).astype(np.float64)
        rows = np.concatenate(
            [_kernel(moved, self.centres.astype(np.float64)), np.ones((len(moved), 1)), moved], 1
        )
        result: F64Array = rows @ self.weights.astype(np.float64)
        return result


def fit_spline(
    rotations: F32Array, numbers: F32Array, stop: Callable[[], bool]
) -> RotationSpline | None:
    """Return a spline of ``numbers`` [n, k] at ``rotations`` [n, 6], None if stopped.

    Numbers count by their size: errors of all are added up.
    """
    origin = rotations.mean(axis=0).astype(np.float32)
    chosen = _choose(rotations - origin, numbers, stop)
    if chosen is None:
        return None
    scale, smoothing = chosen
    centres = ((rotations - origin) * scale).astype(np.float32)
    exact = centres.astype(np.float64)
    tail = _tail(exact)
    inverse = _inverse(exact, tail, smoothing)
    count = len(exact)
    solved = inverse[:, :count] @ numbers.astype(np.float64)
    weights = np.concatenate(
        [solved[:count], solved[count : count + 1], tail @ solved[count + 1 :]]
    )
    return RotationSpline(origin, scale, centres, weights.astype(np.float32))


def _choose(
    rotations: F32Array, numbers: F32Array, stop: Callable[[], bool]
) -> tuple[F32Array, float] | None:
    """Return scales [6] and smoothing by leaving out, None if stopped."""
    step = max(1, math.ceil(len(rotations) / _JUDGED_BY))
    places, values = rotations[::step].astype(np.float64), numbers[::step].astype(np.float64)
    scale = np.ones(rotations.shape[1])
    smoothing = _SMOOTHINGS[1]
    if len(places) <= places.shape[1] + 2:
        return scale.astype(np.float32), smoothing
    best = _left_out(places * scale, values, smoothing)
    for _ in range(_ROUNDS):
        before = best
        for axis in range(len(scale)):
            for factor in _FACTORS:
                if stop():
                    return None
                tried = scale.copy()
                tried[axis] *= factor
                error = _left_out(places * tried, values, smoothing)
                if error < best:
                    best, scale = error, tried
        for other in _SMOOTHINGS:
            error = _left_out(places * scale, values, other)
            if error < best:
                best, smoothing = error, other
        if best > 0.995 * before:
            break
    return scale.astype(np.float32), smoothing


def _left_out(places: F64Array, values: F64Array, smoothing: float) -> float:
    """Return the sum of squared errors at samples left out, one at a time."""
    inverse = _inverse(places, _tail(places), smoothing)
    count = len(places)
    off = inverse[:count, :count] @ values / np.diag(inverse)[:count, None]
    error = float(np.square(off).sum())
    return error if math.isfinite(error) else math.inf


def _inverse(places: F64Array, tail: F64Array, smoothing: float) -> F64Array:
    count, extra = len(places), 1 + tail.shape[1]
    matrix = np.zeros((count + extra, count + extra))
    matrix[:count, :count] = _kernel(places, places)
    matrix[:count, :count][np.diag_indices(count)] += smoothing
    matrix[:count, count] = matrix[count, :count] = 1.0
    matrix[:count, count + 1 :] = places @ tail
    matrix[count + 1 :, :count] = (places @ tail).T
    return np.linalg.inv(matrix)


def _tail(places: F64Array) -> F64Array:
    """Return combinations of the rotations, [6, k], in which the samples are spread.

    Where the body follows the head, two rotations are one.
    """
    _, spread, directions = np.linalg.svd(places, full_matrices=False)
    spread = spread / math.sqrt(len(places))
    keep = spread > _LEAST_SPREAD
    result: F64Array = directions[keep].T / spread[keep]
    return result


def _kernel(places: F64Array, centres: F64Array) -> F64Array:
    squared = np.square(places).sum(1)[:, None] + np.square(centres).sum(1) - 2 * places @ centres.T
    squared = np.maximum(squared, 0.0)
    result: F64Array = squared * np.sqrt(squared)
    return result
