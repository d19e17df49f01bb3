"""The coarse motion of a body: smooth, so that it can be undone, and near to where things go.

What it does not say, the texture says (``vtbridge.render.baked.body``); it need only be the
same in learning and in drawing.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import PICTURE_SIZE, F32Array
from vtbridge.render.baked.body import CONTROLS, TILE
from vtbridge.training.distill.body_samples import BodySample
from vtbridge.training.distill.planes import sampled_at

_SIDE = PICTURE_SIZE
_COARSE = 4
"""Pixels of a picture that are one where motion is smoothed."""
_REACH_PX = 16.0
"""Deviation of the Gaussian that smooths it."""
_COARSE_ITERATIONS = 10
_ITERATIONS = 1
_LEAST = 1e-4


def spline_weights() -> F32Array:
    """Return what each pixel of a line takes of each control, [512, 35]."""
    weights = np.zeros((_SIDE, CONTROLS), np.float32)
    pixels = np.arange(_SIDE)
    t = ((pixels % TILE) + 0.5) / TILE
    u = 1 - t
    taps = (u**3, 3 * t**3 - 6 * t**2 + 4, 3 * u**3 - 6 * u**2 + 4, t**3)
    for number, tap in enumerate(taps):
        weights[pixels, pixels // TILE + number] = tap / 6
    return weights


_WEIGHTS = spline_weights()
_CONTROL_PX = np.clip((np.arange(CONTROLS) - 1) * float(TILE), 0, _SIDE - 1)


def motion_from_controls(controls: F32Array) -> F32Array:
    """Return the motion in pixels, [2, 512, 512], of controls [2, 35, 35]."""
    motion = _WEIGHTS @ controls @ _WEIGHTS.T
    return motion.astype(np.float32)


def controls_from_sample(sample: BodySample, presence: F32Array) -> F32Array:
    """Return controls, [2, 35, 35], of the smoothed grid change of a sample.

    Args:
        sample: what moves.
        presence: how much is seen at its pixels, 0..1, [m]; where nothing is, the motion
            around goes on.
    """
    sums = np.zeros((3, _SIDE * _SIDE), np.float32)
    sums[:2, sample.places] = sample.grid_change * presence
    sums[2, sample.places] = presence
    coarse = sums.reshape(3, _SIDE // _COARSE, _COARSE, _SIDE // _COARSE, _COARSE).mean((2, 4))
    total = max(float(coarse[2].sum()), _LEAST)
    mean = coarse[:2].sum((1, 2)) / total
    sigma = _REACH_PX / _COARSE
    blurred = [
        cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        for plane in (coarse[0] - mean[0] * coarse[2], coarse[1] - mean[1] * coarse[2], coarse[2])
    ]
    smooth = np.stack(blurred[:2]) / (blurred[2] + _LEAST) + mean[:, None, None]
    at = ((_CONTROL_PX + 0.5) / _COARSE - 0.5).astype(np.float32)
    columns, rows = np.meshgrid(at, at)
    return sampled_at(smooth.astype(np.float32), columns, rows)


def seen_from_source(
    motion: F32Array, x: NDArray[np.float32], y: NDArray[np.float32]
) -> tuple[F32Array, F32Array]:
    """Return where in a frame source places are seen: the motion undone.

    Args:
        motion: [2, 512, 512], in pixels.
        x: columns of the places, any shape.
        y: rows, the shape of ``x``.
    """
    # Found coarsely first, where most of the iterations cost little.
    nodes = np.arange(-_COARSE, _SIDE + _COARSE, _COARSE).astype(np.float32)
    node_x, node_y = np.meshgrid(nodes, nodes)
    offset = np.zeros((2, *node_x.shape), np.float32)
    for _ in range(_COARSE_ITERATIONS):
        offset = -sampled_at(motion, node_x + offset[0], node_y + offset[1])
    one = np.float32(1)
    offset = sampled_at(offset, x / np.float32(_COARSE) + one, y / np.float32(_COARSE) + one)
    for _ in range(_ITERATIONS):
        seen_x, seen_y = x + offset[0], y + offset[1]
        offset = -sampled_at(motion, seen_x, seen_y)
    return x + offset[0], y + offset[1]
