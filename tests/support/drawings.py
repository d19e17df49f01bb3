"""Drawings as users bring them, made of the built-in characters: elsewhere, opaque, with faults."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from vtbridge.characters import BUILTIN
from vtbridge.characters.picture import load_picture
from vtbridge.datatypes import F32Array, U8Array

SKY = (120, 180, 220)
MOUTH_MIDDLE = (256, 176)
"""Where the built-in characters' mouths are, in a 512 picture."""


def builtin(name: str = "michi") -> U8Array:
    """Return a built-in character, uint8 [512, 512, 4], straight alpha."""
    return load_picture(BUILTIN[name]).rgba.copy()


def moved(rgba: U8Array, *, scale: float, x: float, y: float, size: tuple[int, int]) -> U8Array:
    """Return ``rgba`` drawn ``scale`` times as large with its upper left corner at ``x``, ``y``.

    Args:
        rgba: straight alpha.
        scale: 0.3 to 3.
        x: in pixels of the result; may be negative.
        y: the same.
        size: width and height of the result.
    """
    source = rgba.astype(np.float32)
    source[..., :3] *= source[..., 3:] / 255.0
    half = (scale - 1.0) / 2  # centres of pixels lie at halves
    matrix = np.array([[scale, 0.0, x + half], [0.0, scale, y + half]], np.float32)
    drawn = cv2.warpAffine(source, matrix, size, flags=cv2.INTER_LINEAR)
    colours = drawn[..., :3] * 255.0 / np.maximum(drawn[..., 3:], 1.0)
    straight = np.dstack([colours, drawn[..., 3]])
    result: U8Array = np.clip(np.rint(straight), 0, 255).astype(np.uint8)
    return result


def on(ground: tuple[int, int, int] | F32Array, rgba: U8Array) -> U8Array:
    """Return ``rgba`` laid over a colour, or colours [H, W, 3]; opaque."""
    alpha = rgba[..., 3:] / np.float32(255)
    colours = rgba[..., :3] * alpha + np.asarray(ground, np.float32) * (1 - alpha)
    opaque = np.full((*rgba.shape[:2], 1), 255)
    return np.dstack([np.rint(colours), opaque]).astype(np.uint8)


def shaded(height: int, width: int) -> F32Array:
    """Return a background that grows lighter downwards, float32 [H, W, 3]."""
    light = np.linspace(120, 210, height, dtype=np.float32)[:, None, None]
    return np.ascontiguousarray(np.broadcast_to(light, (height, width, 3)))


def without_mouth(rgba: U8Array) -> U8Array:
    """Return a placed character [512, 512, 4] with skin painted over its mouth."""
    result = rgba.copy()
    x, y = MOUTH_MIDDLE
    skin = np.median(result[y - 12 : y - 9, x - 16 : x + 16, :3].reshape(-1, 3), axis=0)
    mask = np.zeros(rgba.shape[:2], np.float32)
    cv2.ellipse(mask, (x, y), (20, 8), 0, 0, 360, 1.0, -1)
    share = cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None]
    result[..., :3] = np.rint(result[..., :3] * (1 - share) + skin * share).astype(np.uint8)
    return result


def png(rgba: U8Array) -> bytes:
    """Return a PNG of uint8 [H, W, 4], straight alpha."""
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgba)).save(content, format="PNG", compress_level=1)
    return content.getvalue()
