"""Load a character's picture from disk as the posers want it: 512x512, straight alpha, checked.

A larger drawing is kept beside it, so that frames of more than 512 pixels can show its details.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import cv2
import numpy as np

from vtbridge.characters.decode import DecodedPicture, decode_picture
from vtbridge.characters.specification import Finding, Severity, check_picture
from vtbridge.datatypes import PICTURE_SIZE, Picture, U8Array, read_only
from vtbridge.errors import PictureError

ORIGINAL_SIZE = 2048
"""Side of the largest drawing that is kept, in pixels; more is reduced to it."""

_log = logging.getLogger(__name__)


def load_picture(path: Path, *, name: str = "", credit: str = "") -> Picture:
    """Return the picture at ``path``, scaled to 512x512 if it is not.

    What is larger is also kept, at up to 2048x2048 pixels, as ``Picture.original``; the digest
    is that of the 512x512 pixels. Warnings of ``inspect_picture`` are logged.

    Args:
        path: a PNG or WebP file.
        name: what to call it, default the file's name.
        credit: line that must be shown with it.

    Raises:
        PictureError: it cannot be decoded, or nothing can pose it (no transparency, nothing
            where the head belongs). The message names the file and the remedy.
    """
    picture, findings = inspect_picture(path, name=name, credit=credit)
    for finding in findings:
        if finding.severity is Severity.ERROR:
            raise PictureError(f"{path}: {finding}")
        _log.warning("%s: %s", path, finding)
    return picture


def inspect_picture(
    path: Path, *, name: str = "", credit: str = ""
) -> tuple[Picture, list[Finding]]:
    """Return the picture at ``path`` and everything that was found out about it.

    Raises:
        PictureError: it cannot be decoded, or has no alpha channel.
    """
    decoded = decode_picture(path)
    picture = picture_of(decoded.rgba, name or path.name, credit=credit)
    return picture, [*check_picture(picture), *_source_findings(decoded)]


def picture_of(rgba: U8Array, name: str, *, credit: str = "") -> Picture:
    """Return pixels as posers want them.

    Args:
        rgba: uint8 [H, W, 4], sRGB, straight alpha; padded to a square.
        name: what to call it.
        credit: line that must be shown with it.
    """
    square = _squared(rgba)
    scaled = _scaled(square, PICTURE_SIZE)
    return Picture(
        rgba=read_only(scaled),
        name=name,
        digest=hashlib.sha256(scaled.tobytes()).hexdigest(),
        credit=credit,
        original=_original(square),
    )


def _squared(rgba: U8Array) -> U8Array:
    """Return ``rgba`` [H, W, 4] padded transparently to a square.

    On both sides of a tall picture, above a wide one, whose lower edge is mostly a cut through
    the body.
    """
    height, width = rgba.shape[:2]
    if height == width:
        return rgba
    side = max(height, width)
    square = np.zeros((side, side, 4), np.uint8)
    left = (side - width) // 2
    square[side - height :, left : left + width] = rgba
    return square


def _original(square: U8Array) -> U8Array | None:
    """Return ``square`` [S, S, 4] for ``Picture.original``, None if 512 pixels hold all of it."""
    if len(square) <= PICTURE_SIZE:
        return None
    return read_only(_scaled(square, min(len(square), ORIGINAL_SIZE)))


def _scaled(square: U8Array, side: int) -> U8Array:
    """Return ``square`` [S, S, 4] as [side, side, 4] with RGB 0 where alpha is 0, a copy.

    Colours are scaled premultiplied, else those of invisible pixels would show as a fringe.
    """
    from PIL import Image

    if len(square) > side:
        # Hamming is as sharp as bicubic but never negative: no ringing, which would leave a
        # faint second outline in the transparent part. Pillow premultiplies RGBA by itself.
        image = Image.fromarray(square, "RGBA")
        scaled = np.array(image.resize((side, side), Image.Resampling.HAMMING), np.uint8)
    elif len(square) < side:
        scaled = _upscaled(square, side)
    else:
        scaled = square.copy()
    scaled[scaled[..., 3] == 0] = 0
    return scaled


def _upscaled(rgba: U8Array, side: int) -> U8Array:
    """Return the small square ``rgba`` scaled up to [side, side, 4] by bicubic interpolation.

    In floating point, because overshoot clipped between the passes would tint the edges.
    """
    values = rgba.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255.0
    scaled = cv2.resize(values, (side, side), interpolation=cv2.INTER_CUBIC)
    colours = scaled[..., :3] * 255.0 / np.maximum(scaled[..., 3:], 1.0)
    straight = np.dstack([colours, scaled[..., 3]])
    result: U8Array = np.clip(np.rint(straight), 0, 255).astype(np.uint8)
    return result


def _source_findings(decoded: DecodedPicture) -> list[Finding]:
    """Return what scaling and conversion did to the picture."""
    height, width = decoded.rgba.shape[:2]
    sentences: list[tuple[str, str]] = [
        (note, "Save it as an 8-bit sRGB PNG if the colours look wrong") for note in decoded.notes
    ]
    if height != width:
        sentences.append(
            (
                f"it is {width}x{height}, not square, and was padded transparently",
                "Crop or extend it to a square with the head in its place",
            )
        )
    if max(width, height) < PICTURE_SIZE:
        sentences.append(
            (
                f"it is small: upscaled from {width}x{height} to {PICTURE_SIZE}x{PICTURE_SIZE}",
                f"Use a picture of at least {PICTURE_SIZE}x{PICTURE_SIZE} for sharp lines",
            )
        )
    return [Finding(Severity.WARNING, sentence, remedy) for sentence, remedy in sentences]
