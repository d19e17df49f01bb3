"""A level of a sine network in numpy: what ``_siren.c`` does, where it was not built."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.render.siren.folding import FoldedLevel

_TOGETHER = 4096
"""Pixels that go through all layers together: few enough to stay in the cache."""


class NumpyLevel:
    """Like ``_siren.Level``, slower; the reference that it is tested against.

    Args:
        level: what to compute.
        planes: give so many outputs as planes; 0 gives all of them pixel by pixel.
    """

    isa = "numpy"

    def __init__(self, level: FoldedLevel, planes: int) -> None:
        self._level = level
        self._planes = planes
        self._width = len(level.layers[-1].bias)
        at = (np.arange(level.side) * 2 + 1) / level.side - 1
        self._position: F32Array = at.astype(np.float32)

    @property
    def out_floats(self) -> int:
        """Size of what ``work`` writes."""
        return self._level.side**2 * (self._planes or self._width)

    def work(
        self,
        bias: F32Array,
        below: F32Array | None,
        out: F32Array,
        pixels: NDArray[np.int32],
        counter: NDArray[np.int64],
    ) -> None:
        """Compute ``pixels`` unless another thread does; ``counter`` is 0 for the first.

        Args:
            bias: [channels] of the first layer, with the pose in it.
            below: what the level below wrote, None where there is none.
            out: written where the pixels are, [planes, side, side] or
                [side, side, channels], flat.
            pixels: which to compute, numbered row by row.
            counter: [1].
        """
        if counter[0]:
            return  # numpy shares no work: the first thread does it all
        counter[0] = 1
        area = self._level.side**2
        for first in range(0, len(pixels), _TOGETHER):
            some = pixels[first : first + _TOGETHER]
            features = self._features(some, bias, below)
            if self._planes:
                out.reshape(self._planes, area)[:, some] = features.T[: self._planes]
            else:
                out.reshape(area, -1)[some] = features

    def _features(
        self, pixels: NDArray[np.int32], bias: F32Array, below: F32Array | None
    ) -> F32Array:
        level = self._level
        rows, columns = np.divmod(pixels, level.side)
        turns: F32Array = self._position[rows, None] * level.at_y + bias
        turns += self._position[columns, None] * level.at_x
        if below is not None:
            turns += self._sampled(below, rows, columns)
        features = _sine(turns)
        for layer in level.layers:
            features = np.asarray(features @ layer.weight.T + layer.bias, np.float32)
            if layer.sine:
                features = _sine(features)
        return features

    def _sampled(
        self, below: F32Array, rows: NDArray[np.int32], columns: NDArray[np.int32]
    ) -> F32Array:
        """Return what the level below gave at these pixels: bilinear, borders repeated."""
        side = self._level.below_side
        plane = below.reshape(side, side, -1)
        if side == self._level.side:
            return plane[rows, columns]
        near_row, far_row = _neighbours(rows, side)
        near_column, far_column = _neighbours(columns, side)
        near = 0.75 * plane[near_row, near_column] + 0.25 * plane[near_row, far_column]
        far = 0.75 * plane[far_row, near_column] + 0.25 * plane[far_row, far_column]
        return np.asarray(0.75 * near + 0.25 * far, np.float32)


def _neighbours(index: NDArray[np.int32], side: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return between which pixels of ``side`` those of twice the side lie, the nearer first."""
    near = index // 2
    return near, np.clip(np.where(index % 2, near + 1, near - 1), 0, side - 1)


def _sine(turns: F32Array) -> F32Array:
    """Return ``sin(pi * turns)``; what is reduced first keeps its last bits."""
    nearest = np.rint(turns)
    odd = (nearest.astype(np.int32) & 1).astype(np.float32)
    result: F32Array = np.sin((turns - nearest) * np.float32(np.pi)) * (1 - 2 * odd)
    return result
