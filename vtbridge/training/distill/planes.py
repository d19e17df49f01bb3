"""Pictures as planes, sampled between their pixels as the compositor does."""

from __future__ import annotations

import numpy as np
import torch

from vtbridge.datatypes import F32Array


def sampled(planes: F32Array, moved: F32Array) -> F32Array:
    """Return each pixel of ``planes`` as seen after a grid change.

    Args:
        planes: float32 [C, H, W].
        moved: where each pixel comes from, an offset in pixels, x then y, [2, H, W].
    """
    height, width = planes.shape[1:]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return sampled_at(planes, columns + moved[0], rows + moved[1])


def sampled_at(planes: F32Array, x: F32Array, y: F32Array, *, zeros: bool = False) -> F32Array:
    """Return ``planes`` at places, bilinearly, borders repeated.

    Args:
        planes: float32 [C, H, W].
        x: columns, any shape.
        y: rows, the shape of ``x``.
        zeros: beyond the borders there is 0.

    Returns:
        float32 [C, *x.shape].
    """
    height, width = planes.shape[1:]
    grid = np.stack(
        [(x.reshape(1, -1) + 0.5) * (2 / width) - 1, (y.reshape(1, -1) + 0.5) * (2 / height) - 1],
        axis=-1,
    ).astype(np.float32)
    with torch.no_grad():
        values = torch.nn.functional.grid_sample(
            torch.from_numpy(np.ascontiguousarray(planes))[None],
            torch.from_numpy(grid)[None],
            mode="bilinear",
            padding_mode="zeros" if zeros else "border",
            align_corners=False,
        )
    result: F32Array = values.numpy().reshape(planes.shape[0], *x.shape)
    return result
