"""The few directions in which a tile changes, held in 8 bits.

Each tile has its own, by a truncated singular value decomposition (Halko, Martinsson, Tropp
2011, "Finding structure with randomness"); how many, all tiles together say: the next
component always goes where it takes most error away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array

_MOST = 64
"""Components of a tile at most."""
_POWER_ITERATIONS = 2
_LEAST_SHARE = 1e-9
"""Of the strongest direction's mean square; less is rounding."""
_LEVELS = 127.0


@dataclass(frozen=True, slots=True, eq=False)
class TileBasis:
    """Mean and components of every tile, as ``vtbridge.render.baked.body`` has them.

    Attributes:
        counts: components of each tile, [tiles].
        basis: int8 [sum of counts, channels, pixels].
        scale: what one step of ``basis`` is, float32 [sum of counts, channels].
        mean: float16 [tiles, channels, pixels].
        amounts: of each component in each sample, float32 [n, sum of counts].
        energy: mean square that each component takes of the error, [sum of counts].
    """

    counts: U8Array
    basis: NDArray[np.int8]
    scale: F32Array
    mean: NDArray[np.float16]
    amounts: F32Array
    energy: F32Array

    def tile(self, number: int) -> F32Array:
        """Return a tile of every sample as the basis has it, [n, channels, pixels]."""
        first = int(self.counts[:number].sum(dtype=np.int64))
        part = slice(first, first + int(self.counts[number]))
        held = self.basis[part] * self.scale[part, :, None]
        result: F32Array = np.tensordot(self.amounts[:, part], held, 1)
        result += self.mean[number]
        return result


def fit_tiles(
    tile: Callable[[int], F32Array],
    weight: F32Array,
    most: int,
    stop: Callable[[], bool],
) -> TileBasis | None:
    """Return the basis of tiles, None if stopped.

    Args:
        tile: gives a tile's samples, float32 [n, channels, pixels].
        weight: how much an error counts, [tiles, channels, pixels], over 0.
        most: components of all tiles together.
        stop: asked before each tile.
    """
    tiles, channels, pixels = weight.shape
    found: list[tuple[F32Array, F32Array]] = []
    means = np.empty(weight.shape, np.float16)
    for number in range(tiles):
        if stop():
            return None
        samples = tile(number)
        means[number] = samples.mean(axis=0)
        off = (samples - means[number]) * weight[number]
        found.append(_directions(off.reshape(len(samples), -1)))
    counts = _share(found, most)
    parts = [
        _quantised(vectors[:count].reshape(count, channels, pixels) / weight[number])
        for number, ((_, vectors), count) in enumerate(zip(found, counts, strict=True))
    ]
    basis = np.concatenate([part[0] for part in parts])
    scale = np.concatenate([part[1] for part in parts])
    samples = tile(0)
    amounts = np.empty((len(samples), len(basis)), np.float32)
    first = 0
    for number, count in enumerate(counts):
        if stop():
            return None
        if count:
            part = slice(first, first + count)
            off = (tile(number) - means[number]) * weight[number]
            held = basis[part] * scale[part, :, None] * weight[number]
            # What 8 bits made of the directions is no longer quite orthogonal.
            inverse = np.linalg.pinv(held.reshape(count, -1))
            amounts[:, part] = off.reshape(len(off), -1) @ inverse
            first += count
    energy = np.concatenate(
        [strength[:count] for (strength, _), count in zip(found, counts, strict=True)]
    )
    return TileBasis(
        counts=np.array(counts, np.uint8),
        basis=basis,
        scale=scale,
        mean=means,
        amounts=amounts,
        energy=energy.astype(np.float32),
    )


def _directions(off: F32Array) -> tuple[F32Array, F32Array]:
    """Return the strongest directions of samples and the mean square along each."""
    rows, columns = off.shape
    most = min(_MOST, rows - 1, columns)
    if most < 1 or not off.any():
        return np.empty(0, np.float32), np.empty((0, columns), np.float32)
    matrix = torch.from_numpy(np.ascontiguousarray(off))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        span = matrix @ torch.randn(columns, min(most + 8, rows, columns), generator=generator)
        for _ in range(_POWER_ITERATIONS):
            span = matrix @ (matrix.T @ torch.linalg.qr(span)[0])
        within = torch.linalg.qr(span)[0].T @ matrix
        # The few rows' own products tell their singular vectors more cheaply than they do.
        squared, mixing = torch.linalg.eigh((within @ within.T).double())
        squared, mixing = squared.flip(0)[:most], mixing.flip(1)[:, :most]
        real = squared > _LEAST_SHARE * squared[0]
        squared, mixing = squared[real], mixing[:, real]
        vectors = mixing.float().T @ within / squared.sqrt().float()[:, None]
    return (squared / rows).float().numpy(), vectors.numpy()


def _share(found: list[tuple[F32Array, F32Array]], most: int) -> list[int]:
    """Return how many components each tile gets of ``most`` in all."""
    strengths = np.concatenate([strength for strength, _ in found])
    if not len(strengths) or most < 1:
        return [0] * len(found)
    total = float(strengths.sum())
    least = np.sort(strengths)[::-1][min(most, len(strengths)) - 1]
    least = max(float(least), 1e-9 * total)
    return [int((strength >= least).sum()) for strength, _ in found]


def _quantised(vectors: F32Array) -> tuple[NDArray[np.int8], F32Array]:
    """Return vectors [k, channels, pixels] in 8 bits, and their steps."""
    scale = np.abs(vectors).max(axis=2) / _LEVELS
    steps = np.where(scale > 0, scale, 1.0)
    return np.rint(vectors / steps[:, :, None]).astype(np.int8), scale.astype(np.float32)
