"""Pictures of differences that a character's faces are sums of, in 8 bits each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.training.distill.face_samples import SHAPE, FaceSamples

_LEAST_SPAN: Final = 2.0
"""Levels, seen under its alpha, that a value has to differ by to count as moving: what differs
less does so because the morpher's normalisation looks at the whole face."""

_ROWS_AT_ONCE: Final = 32
_SPARE_ROWS: Final = 8
_ITERATIONS: Final = 1
_PEAK: Final = 127


@dataclass(frozen=True, slots=True, eq=False)
class FaceBasis:
    """Rows whose sums are faces.

    Attributes:
        rows: int8 [K, E].
        scales: what the rows are to be multiplied by to be levels, [K].
        isometry: from weights of the rows to coordinates in which a distance is the distance of
            the faces in levels, lower triangular, [K, K].
    """

    rows: NDArray[np.int8]
    scales: F32Array
    isometry: F32Array

    def coordinates(self, differences: F32Array) -> F32Array:
        """Return the coordinates of the sums nearest to ``differences`` [n, E], [n, K]."""
        rows = self.rows.astype(np.float32) * self.scales[:, None]
        against = differences @ rows.T
        # With G = L L' the weights are against @ inv(G), and the coordinates those times L.
        result: F32Array = np.linalg.solve(self.isometry, against.T).T
        return np.ascontiguousarray(result, np.float32)


def moving_places(samples: FaceSamples) -> NDArray[np.intp]:
    """Return the places of a flat face [192 * 192 * 4] where something is seen to move, or one."""
    span = samples.span.reshape(SHAPE).astype(np.float32)
    span[..., :3] *= samples.most.reshape(SHAPE)[..., 3:] / np.float32(255)
    places = np.flatnonzero(span > _LEAST_SPAN)
    return places if len(places) else np.zeros(1, np.intp)


def fit_basis(differences: F32Array, most_rows: int) -> FaceBasis:
    """Return the rows that come nearest to all faces at once.

    The first principal components (by random projections: Halko, Martinsson, Tropp 2011,
    "Finding structure with randomness"), a few at a time. Each few are rounded to 8 bits
    and taken out of the faces as they are then, so that the next ones make up for the rounding.

    Args:
        differences: faces less the one at rest, in levels, [n, E].
        most_rows: there are fewer where there are fewer faces or places.
    """
    most_rows = min(most_rows, *differences.shape)
    random = np.random.default_rng(0)
    residual = differences.copy()
    rows: list[NDArray[np.int8]] = []
    scales: list[F32Array] = []
    left = most_rows
    while left > 0:
        few = _leading_rows(residual, min(_ROWS_AT_ONCE, left), random)
        scale = np.abs(few).max(axis=1) / np.float32(_PEAK)
        scale[scale == 0] = 1
        rounded = np.rint(few / scale[:, None])
        rows.append(rounded.astype(np.int8))
        scales.append(scale)
        rounded *= scale[:, None]
        basis, _ = np.linalg.qr(rounded.T)
        residual -= (residual @ basis) @ basis.T
        left -= len(few)
    rows_all, scales_all = np.concatenate(rows), np.concatenate(scales)
    exact = (rows_all.astype(np.float32) * scales_all[:, None]).astype(np.float64)
    gram = exact @ exact.T
    gram[np.diag_indices_from(gram)] += 1e-6 * np.trace(gram) / len(gram)
    return FaceBasis(rows_all, scales_all, np.linalg.cholesky(gram).astype(np.float32))


def _leading_rows(faces: F32Array, count: int, random: np.random.Generator) -> F32Array:
    """Return about the first ``count`` right singular vectors of ``faces``, [count, E]."""
    width = min(count + _SPARE_ROWS, *faces.shape)
    directions = random.standard_normal((faces.shape[1], width), np.float32)
    for _ in range(_ITERATIONS):
        onto, _ = np.linalg.qr(faces @ directions)
        directions, _ = np.linalg.qr(faces.T @ onto)
    onto, _ = np.linalg.qr(faces @ directions)
    _, _, vectors = np.linalg.svd(onto.T @ faces, full_matrices=False)
    leading: F32Array = vectors[:count]
    return leading
