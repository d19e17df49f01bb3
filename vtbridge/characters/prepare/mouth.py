"""Strengthen the line of a closed mouth: the networks open only what they can see."""

from __future__ import annotations

import cv2
import numpy as np

from vtbridge.datatypes import PICTURE_SIZE, F32Array, U8Array

WANTED_CONTRAST = 110.0
"""How far the line should differ from the skin around it, of 255; good drawings have 107 to 146."""

_LINES: tuple[int, int, int, int] = (239, 166, 273, 183)
"""Where the line of a closed mouth lies: left, top, right, bottom in a 512 picture."""
_LEAST_SEEN = 8.0
"""A contrast below this is no line: skin painted over a mouth has 5."""
_LINE = (246, 175, 266, 175, 256, 178)
"""Where a mouth is drawn that is not there: both corners and the middle, in a 512 picture."""


def contrast(rgba: U8Array) -> float:
    """Return how far the mouth's line differs from the skin, 0..255.

    Args:
        rgba: uint8 [S, S, 4], placed by the specification, straight alpha.
    """
    line, _ = _line_and_skin(rgba)
    return float(np.percentile(np.abs(line).max(axis=2), 99))


def with_clear_mouth(rgba: U8Array) -> tuple[U8Array, str]:
    """Return the picture with a mouth that can be seen, and what was done in words.

    What is faint is strengthened; where there is nothing, a thin line is drawn.

    Args:
        rgba: uint8 [S, S, 4], placed by the specification, straight alpha.
    """
    seen = contrast(rgba)
    if seen < _LEAST_SEEN:
        return _drawn(rgba), "drew the line of a closed mouth, for there was none"
    gain = WANTED_CONTRAST / seen
    if gain <= 1.0:
        return rgba.copy(), "left the mouth as it is: its line is clear"
    line, skin = _line_and_skin(rgba)
    part = _part(rgba)
    result = rgba.copy()
    mouth = result[part]
    mouth[..., :3] = np.clip(np.rint(skin + line * gain), 0, 255).astype(np.uint8)
    mouth[mouth[..., 3] == 0] = 0
    return result, f"darkened the mouth's line by {gain - 1:.0%}"


def _part(rgba: U8Array) -> tuple[slice, slice]:
    scale = len(rgba) / PICTURE_SIZE
    left, top, right, bottom = (round(edge * scale) for edge in _LINES)
    return np.s_[top:bottom, left:right]


def _line_and_skin(rgba: U8Array) -> tuple[F32Array, F32Array]:
    """Return how the mouth's region differs from its skin, and the skin, float32 [h, w, 3].

    The skin is what is left when everything narrow is taken away; shadow and jaw, which are
    broad, belong to it.
    """
    region = np.ascontiguousarray(rgba[_part(rgba)][..., :3])
    size = max(3, round(11 * len(rgba) / PICTURE_SIZE)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx(region, cv2.MORPH_CLOSE, kernel)
    skin: F32Array = cv2.GaussianBlur(closed, (0, 0), size / 4).astype(np.float32)
    line = np.minimum(region.astype(np.float32) - skin, 0.0)
    return line * _middle(*line.shape[:2])[..., None], skin


def _middle(height: int, width: int) -> F32Array:
    """Return 1 in the middle of the mouth's region and 0 at its edges, where the jaw may be."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    off = np.hypot((x + 0.5) / width * 2 - 1, ((y + 0.5) / height * 2 - 1) * 0.9)
    faded: F32Array = np.clip((1.0 - off) * 3.0, 0.0, 1.0)
    return faded


def _drawn(rgba: U8Array) -> U8Array:
    """Return the picture with a thin curved line where a mouth belongs."""
    scale, finer = len(rgba) / PICTURE_SIZE, 8
    x0, y0, x1, y1, middle_x, middle_y = (value * scale for value in _LINE)
    t = np.linspace(0.0, 1.0, 33)
    bend_x, bend_y = 2 * middle_x - (x0 + x1) / 2, 2 * middle_y - (y0 + y1) / 2
    x = (1 - t) ** 2 * x0 + 2 * t * (1 - t) * bend_x + t**2 * x1
    y = (1 - t) ** 2 * y0 + 2 * t * (1 - t) * bend_y + t**2 * y1
    points = np.rint(np.stack([x, y], 1) * finer).astype(np.int32)
    mask = np.zeros((len(rgba) * finer // 2, len(rgba) * finer), np.uint8)
    cv2.polylines(mask, [points], isClosed=False, color=255, thickness=round(1.8 * scale * finer))
    small = cv2.resize(mask, (len(rgba), len(rgba) // 2), interpolation=cv2.INTER_AREA)
    share = np.zeros(rgba.shape[:2], np.float32)
    share[: len(small)] = small / np.float32(255)
    share *= rgba[..., 3] / np.float32(255)
    colours = rgba[..., :3].astype(np.float32)
    dark = colours * np.array((0.55, 0.32, 0.32), np.float32)
    result = rgba.copy()
    result[..., :3] = np.rint(colours + share[..., None] * (dark - colours)).astype(np.uint8)
    return result
