"""Fold a sine network's weights, so that a frame computes nothing twice and no constant.

Nothing is approximated; only the order of float32 additions changes.

- The first layer of a level sees the position through two of its columns and the pose
  through others. The pose is the same for all pixels, so its columns become a bias, one
  small matrix product a frame; of the position, ``x`` and ``y`` remain.
- A level's first layer also sees the level below, doubled bilinearly. Doubling and a
  matrix product commute, so the product is taken at the smaller side, with a quarter of
  the pixels, as the last layer of the level below.
- The network's sine is ``sin(30 * t)``. Weights hold ``30 / pi`` instead, so that a sine
  is ``sin(pi * t)``: reduced to half a turn exactly, by subtracting the nearest integer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.errors import WeightsError
from vtbridge.render.models.tha4_student import OMEGA, POSITION_SIZE, SirenShape

_TURNS = OMEGA / math.pi


@dataclass(frozen=True, slots=True)
class FoldedLayer:
    """``x -> weight @ x + bias``, and ``sin(pi * .)`` of it where ``sine``.

    Attributes:
        weight: [out, in].
        bias: [out].
        sine: False for a linear layer.
    """

    weight: F32Array
    bias: F32Array
    sine: bool = True


@dataclass(frozen=True, slots=True)
class FoldedLevel:
    """One level: a first sine layer over positions, then layers over pixels.

    The first gives ``sin(pi * (at_x * x + at_y * y + at_pose @ pose + bias + below))``,
    where ``below`` is what the level below gave, doubled if its side is half of this one's.

    Attributes:
        side: of its grid of pixels.
        at_x: [channels].
        at_y: [channels].
        at_pose: [channels, pose].
        bias: [channels].
        layers: the others; the last one is linear: the next level's ``below``, or the
            network's outputs.
        below_side: side of the level below, 0 if there is none.
    """

    side: int
    at_x: F32Array
    at_y: F32Array
    at_pose: F32Array
    bias: F32Array
    layers: tuple[FoldedLayer, ...]
    below_side: int

    def pose_bias(self, pose: F32Array) -> F32Array:
        """Return the bias [channels] that ``pose`` makes of the first layer."""
        bias: F32Array = self.at_pose @ pose + self.bias
        return bias


def fold_network(
    shape: SirenShape, arrays: Mapping[str, NDArray[Any]], *, outputs: tuple[int, ...] = ()
) -> tuple[FoldedLevel, ...]:
    """Return the levels of a network, the smallest first.

    Args:
        shape: of the network.
        arrays: its weights by name.
        outputs: which of its outputs the last level gives, in this order; one may be given
            more than once. Empty means all, once.

    Raises:
        WeightsError: a weight is absent or of another shape.
    """
    take = _Weights(shape, arrays)
    levels: list[FoldedLevel] = []
    for number, level in enumerate(shape.levels):
        weight, bias = take(f"levels.{number}.0", _TURNS)
        below = weight.shape[1] - POSITION_SIZE - shape.pose_size
        at_x, at_y = weight[:, below], weight[:, below + 1]
        layers = [
            _layer(*take(f"levels.{number}.{index}", _TURNS))
            for index in range(1, len(level.widths))
        ]
        if number + 1 < len(shape.levels):
            # What the next level's first layer does to this one's answer.
            above, _ = take(f"levels.{number + 1}.0", _TURNS)
            product = above[:, : level.widths[-1]]
            layers.append(_layer(product, np.zeros(len(product)), sine=False))
        else:
            weight_out, bias_out = take("last", 1.0)
            chosen = list(outputs or range(shape.out_channels))
            layers.append(_layer(weight_out[chosen], bias_out[chosen], sine=False))
        levels.append(
            FoldedLevel(
                side=level.size,
                at_x=_f32(at_x),
                at_y=_f32(at_y),
                at_pose=_f32(weight[:, below + POSITION_SIZE :]),
                bias=_f32(bias),
                layers=tuple(layers),
                below_side=shape.levels[number - 1].size if number else 0,
            )
        )
    return tuple(levels)


class _Weights:
    """A network's weights in float64, checked as they are taken."""

    def __init__(self, shape: SirenShape, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._shapes = shape.tensors()
        self._arrays = arrays

    def __call__(self, layer: str, scale: float) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return weight [out, in] and bias [out] of ``layer``, scaled."""
        return self._one(f"{layer}.weight") * scale, self._one(f"{layer}.bias") * scale

    def _one(self, name: str) -> NDArray[Any]:
        array = self._arrays.get(name)
        if array is None or array.shape != self._shapes[name]:
            what = "is missing" if array is None else f"has the shape {list(array.shape)}"
            raise WeightsError(f"weight {name!r} of a student {what}: import its folder again")
        return array.astype(np.float64)


def _layer(weight: NDArray[Any], bias: NDArray[Any], *, sine: bool = True) -> FoldedLayer:
    return FoldedLayer(_f32(weight), _f32(bias), sine)


def _f32(values: NDArray[Any]) -> F32Array:
    return np.ascontiguousarray(values, np.float32)
