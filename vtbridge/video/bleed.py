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

from vtbridge.datatypes import F32Array, U8Array

_SMALLEST = 2
_COARSE = 8
_FAINT = 8
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


def bled_quickly(premultiplied: U8Array) -> U8Array:
    """Return straight colours and alpha, in a sixth of the time that ``bled`` takes.

    What is hardly seen (alpha below 8 of 255) takes colours from a picture of an eighth of
    the size; composited, no pixel is more than 8 levels off for it.

    Args:
        premultiplied: uint8 [H, W, 4], premultiplied alpha.

    Returns:
        uint8 [H, W, 4], straight alpha.
    """
    height, width = premultiplied.shape[:2]
    size = (max(width // _COARSE, 1), max(height // _COARSE, 1))
    small = np.asarray(cv2.resize(premultiplied, size, interpolation=cv2.INTER_AREA), np.float32)
    small[small[..., 3] < _FAINT] = 0  # so few levels tell no colour
    coarse = np.zeros(small.shape, np.uint8)
    coarse[..., :3] = np.clip(np.rint(bled(small)), 0, 255)
    around = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    straight = cv2.cvtColor(premultiplied, cv2.COLOR_mRGBA2RGBA)
    alpha = np.ascontiguousarray(premultiplied[..., 3])
    # Four bytes at once: a mask over the channels takes ten times as long.
    np.copyto(straight.view(np.uint32), around.view(np.uint32), where=alpha[..., None] < _FAINT)
    cv2.insertChannel(alpha, straight, 3)
    return np.asarray(straight, np.uint8)


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
