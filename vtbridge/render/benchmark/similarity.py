"""How alike two frames are where the character is: PSNR and SSIM, as users see them.

Frames are compared composited over middle grey, because that is what is seen: colour under
alpha 0 counts for nothing, a wrong edge counts as much as it shows. Only the bounding box of
what either frame shows is looked at; the empty rest would flatter everybody.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from vtbridge.datatypes import F32Array, U8Array

IDENTICAL_DB = 99.0
"""PSNR told of equal frames, whose error is 0."""

_GREY = 127.5
_PEAK = 255.0
_WINDOW, _SIGMA = (11, 11), 1.5
_MARGIN = _WINDOW[0] // 2
_C1, _C2 = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two frames are: ``psnr_db`` in the box, at most 99; ``ssim`` there, -1..1."""

    psnr_db: float
    ssim: float


def likeness(frame: U8Array, truth: U8Array) -> Likeness:
    """Compare two frames.

    Args:
        frame: uint8 [H, W, 4], premultiplied sRGB.
        truth: the frame it should be, of the same shape.
    """
    box = _box(frame[..., 3] | truth[..., 3])
    seen, wanted = _over_grey(frame[box]), _over_grey(truth[box])
    error = float(np.mean((seen - wanted) ** 2, dtype=np.float64))
    psnr_db = 10 * math.log10(_PEAK**2 / error) if error else IDENTICAL_DB
    return Likeness(min(psnr_db, IDENTICAL_DB), ssim(seen, wanted))


def ssim(one: F32Array, other: F32Array) -> float:
    """Return the mean structural similarity of two pictures, float32 [H, W, C], 0..255.

    A Gaussian window of 11 pixels, each channel by itself, only where the whole window lies
    inside (Wang, Bovik, Sheikh, Simoncelli 2004, "Image quality assessment").
    """
    mean_one, mean_other = _blurred(one), _blurred(other)
    product = mean_one * mean_other
    squares = mean_one**2 + mean_other**2
    covariance = _blurred(one * other) - product
    variances = _blurred(one**2 + other**2) - squares
    alike = (2 * product + _C1) * (2 * covariance + _C2)
    alike /= (squares + _C1) * (variances + _C2)
    return float(alike.mean(dtype=np.float64))


def _over_grey(frame: U8Array) -> F32Array:
    """Return what is seen of premultiplied RGBA over grey, float32 [H, W, 3], 0..255."""
    clear = 1 - frame[..., 3:].astype(np.float32) / np.float32(_PEAK)
    return frame[..., :3] + np.float32(_GREY) * clear


def _box(alpha: U8Array) -> tuple[slice, slice]:
    """Return the bounding box of what is visible, at least as large as SSIM's window."""
    rows, columns = (np.flatnonzero(alpha.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(None), slice(None)
    return _span(rows, alpha.shape[0]), _span(columns, alpha.shape[1])


def _span(places: np.ndarray[tuple[int, ...], np.dtype[np.intp]], size: int) -> slice:
    first, last = int(places[0]), int(places[-1])
    short = max(_WINDOW[0] - (last - first + 1), 0)
    first = max(min(first - short // 2, size - _WINDOW[0]), 0)
    return slice(first, max(last + 1, first + _WINDOW[0]))


def _blurred(picture: F32Array) -> F32Array:
    blurred: F32Array = cv2.GaussianBlur(picture, _WINDOW, _SIGMA)  # type: ignore[assignment]
    return blurred[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
