"""Find and decode the pictures on a model, within its folder and within bounds."""

from __future__ import annotations

import io
import struct
import unicodedata
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vtbridge.datatypes import U8Array
from vtbridge.errors import DatasetError

MAX_SIDE = 1024
"""Longest side that is kept; pictures of data sets are far smaller."""
MAX_COUNT = 128
_MAX_SOURCE_SIDE = 8192
_MAX_BYTES = 128 << 20
_FORMATS = ("PNG", "JPEG", "BMP", "TGA", "GIF", "WEBP", "TIFF", "DDS")
_MAX_DEPTH = 16

# What Pillow and its plugins raise for damaged files; it promises no single class.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Warning,
)


def read_textures(names: Sequence[str], folder: Path) -> list[U8Array | None]:
    """Return the pictures that a model calls by ``names``; None for what is missing or damaged.

    Args:
        names: as in the file, with slashes of any kind and in any case; ``""`` is none.
        folder: of the model; nothing outside it is read.

    Raises:
        DatasetError: there are too many.
    """
    check_count(len({name for name in names if name}))
    read: dict[str, U8Array | None] = {"": None}
    for name in names:
        if name not in read:
            path = find_texture(name, folder)
            read[name] = None if path is None else _read(path)
    return [read[name] for name in names]


def check_count(count: int) -> None:
    """Refuse more textures than memory should hold.

    Raises:
        DatasetError: there are too many.
    """
    if count > MAX_COUNT:
        raise DatasetError(f"it has {count} textures, more than {MAX_COUNT}: merge some")


def find_texture(name: str, folder: Path) -> Path | None:
    """Return the file below ``folder`` that a model calls ``name``, None if there is none."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    absolute = name.startswith(("/", "\\")) or any(":" in part or "\0" in part for part in parts)
    if not parts or absolute or ".." in parts or len(parts) > _MAX_DEPTH:
        return None
    at = folder
    for part in parts:
        found = _named(part, at)
        if found is None:
            return None
        at = found
    try:
        inside = at.resolve().is_relative_to(folder.resolve())
        return at if inside and at.is_file() else None
    except OSError:
        return None


def _named(part: str, folder: Path) -> Path | None:
    """Return what ``folder`` has under a name; files made on Windows do not care for its case."""
    try:
        if (folder / part).exists():
            return folder / part
        wanted = _folded(part)
        return next(
            (path for path in sorted(folder.iterdir()) if _folded(path.name) == wanted), None
        )
    except OSError:
        return None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _read(path: Path) -> U8Array | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError:
        return None
    return decode_texture(content)


def decode_texture(content: bytes, *, opaque: bool = False) -> U8Array | None:
    """Return a picture as uint8 [H, W, 4], straight alpha, at most ``MAX_SIDE`` on a side.

    Args:
        content: of its file.
        opaque: True leaves the alpha out.

    Returns:
        None if it cannot be decoded.
    """
    from PIL import Image

    if len(content) > _MAX_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
                if not 0 < max(picture.size) <= _MAX_SOURCE_SIDE:
                    return None
                rgba = picture.convert("RGBA")
            if opaque:
                rgba.putalpha(255)
            rgba.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
        return np.array(rgba, np.uint8)
    except _DECODER_ERRORS:
        return None
