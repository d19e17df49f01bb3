"""Colour under transparent pixels, so that encoders cannot darken a character's edge.

A lossy encoder stores colour at half resolution and by blocks: what lies beside the edge
flows into it. Black there becomes the dark fringe that users see in OBS. Transparent pixels
therefore take the colour of what is nearest: averages over ever larger squares are taken
(pull), then the transparent squares are filled from the next larger ones (push).

Source: Gortler, Grzeszczuk, Szeliski, Cohen: The Lumigraph, SIGGRAPH 1996, section 3.3.
"""

from __future__ import annotations

import cv2
import numpy as np

from vtbridge.datatypes import F32Array

_SMALLEST = 2
_IN_A_SQUARE = np.float32(4)


def bled(premultiplied: F32Array) -> F32Array:
    """Return straight colours, also where nothing is seen.

    Args:
        premultiplied: float32 [H, W, 4], 0..255, premultiplied alpha.

    Returns:
        float32 [H, W, 3], 0..255: the straight colour where alpha is over 0, elsewhere a
        blend of the nearest such colours; 0 everywhere if all is transparent.
    """
    alpha = premultiplied[..., 3:]
    visible = alpha > 0
    full = np.float32(255)
    straight = premultiplied[..., :3] * (full / np.where(visible, alpha, full))
    if not visible.all():
        straight = np.where(visible, straight, _filled(premultiplied))
    return np.asarray(straight, np.float32)


def _filled(premultiplied: F32Array) -> F32Array:
    """Return straight colours [H, W, 3], those of transparent pixels from larger squares."""
    height, width = premultiplied.shape[:2]
    colour, alpha = premultiplied[..., :3], premultiplied[..., 3:]
    if min(height, width) <= _SMALLEST:
        total = float(alpha.sum())
        mean = colour.sum(axis=(0, 1)) * (255 / total) if total > 0 else np.zeros(3)
        return np.broadcast_to(mean.astype(np.float32), (height, width, 3))
    half = ((width + 1) // 2, (height + 1) // 2)
    smaller = np.asarray(cv2.resize(premultiplied, half, interpolation=cv2.INTER_AREA), np.float32)
    # One seen pixel is enough to know the colour of a square of four.
    smaller *= np.minimum(_IN_A_SQUARE, 255 / np.maximum(smaller[..., 3:], 1))
    around = cv2.resize(_filled(smaller), (width, height), interpolation=cv2.INTER_LINEAR)
    # Alpha says how much of a square is known; the rest comes from around it.
    known = alpha / np.float32(255)
    return colour + (1 - known) * np.asarray(around, np.float32)
