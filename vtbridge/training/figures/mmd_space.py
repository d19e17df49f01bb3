"""What PMX and PMD share: MikuMikuDance's space, which looks along +z, and its light."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vtbridge.datatypes import F32Array

EDGE_WIDTH = 0.006
"""Width of an edge of size 1, as a share of the head's height: a pixel where that has 160."""
_LIGHT = 0.6
"""How much of the diffuse colour MikuMikuDance's light adds to the ambient one, at first."""


def turned(vectors: F32Array) -> F32Array:
    """Return float32 [N, 3] vectors in a figure's space: the character faces +z, not -z."""
    flipped: F32Array = np.ascontiguousarray(vectors, np.float32) * np.array([1, 1, -1], np.float32)
    return flipped


def lit_color(
    diffuse: Sequence[float], ambient: Sequence[float], alpha: float, *, light: float = _LIGHT
) -> tuple[float, float, float, float]:
    """Return what a material looks like in MikuMikuDance's own light, 0..1 each."""
    r, g, b = (_unit(light * d + a) for d, a in zip(diffuse, ambient, strict=True))
    return (r, g, b, _unit(alpha))


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 1.0
