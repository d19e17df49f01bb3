"""Pictures beside each other, as files of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.training.evaluate.metrics import seen

_GAIN = 4.0
"""Differences are shown this many times as large."""


def save_row(path: Path, pictures: Sequence[F32Array], *, difference: bool = True) -> None:
    """Write signals [4, H, W] beside each other, over grey, as PNG.

    Args:
        path: of the file.
        pictures: of one size; the last but one is the truth, the last what was made of it, where
            ``difference`` is asked for.
        difference: adds what parts the last two.
    """
    shown = [seen(picture) for picture in pictures]
    if difference:
        shown.append(np.clip(np.abs(shown[-1] - shown[-2]) * _GAIN, 0, 1))
    write_png(path, as_u8(np.concatenate(shown, axis=1)))


def save_picture(path: Path, picture: F32Array) -> None:
    """Write signals [4, H, W] over grey as PNG."""
    write_png(path, as_u8(seen(picture)))


def as_u8(rgb: F32Array) -> U8Array:
    """Return 0..255 of 0..1."""
    return (rgb * 255 + 0.5).clip(0, 255).astype(np.uint8)


def write_png(path: Path, rgb: U8Array) -> None:
    """Write uint8 [H, W, 3].

    Raises:
        OSError: the file cannot be written.
    """
    _, png = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    path.write_bytes(png.tobytes())
