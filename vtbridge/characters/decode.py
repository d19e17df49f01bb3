"""Decode a picture file from an untrusted place into straight sRGB RGBA, within bounds.

The size is read from the header by ``_header_size`` before any decoder sees the file, because
a PNG of 300 kB can decode to 600 MB and a WebP decoder allocates its canvas on opening.
"""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vtbridge.datatypes import U8Array
from vtbridge.errors import PictureError

if TYPE_CHECKING:
    from PIL import Image

MAX_SIDE = 4096
"""Longest side of a picture that is decoded, in pixels."""
MAX_FILE_BYTES = 64 * 1024 * 1024
"""Size of the largest file that is read: an uncompressed picture of ``MAX_SIDE``."""

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8\xff"
_PNG_DEPTH_OFFSET = 24
_AS_PNG = "Save it as a PNG with a transparent background"

# What people try instead: first bytes, name, why it cannot be used.
_OTHER_FORMATS: tuple[tuple[bytes, str, str], ...] = (
    (_JPEG_MAGIC, "a JPEG picture", "JPEG has no transparency"),
    (b"GIF8", "a GIF picture", "GIF is animated or has hard edges"),
    (b"BM", "a BMP picture", "its transparency is not reliable"),
    (b"II*\0", "a TIFF picture", "only PNG and WebP are read"),
    (b"MM\0*", "a TIFF picture", "only PNG and WebP are read"),
    (b"8BPS", "a Photoshop file", "only PNG and WebP are read"),
    (b"<svg", "an SVG drawing", "only PNG and WebP are read"),
    (b"<?xml", "an SVG drawing", "only PNG and WebP are read"),
)

# What Pillow and its plugins raise for damaged files; it promises no single class.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Warning,
)


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPicture:
    """A picture as it is in its file, turned upright.

    Attributes:
        rgba: uint8 [H, W, 4], sRGB, straight alpha.
        notes: sentences on what had to be changed or guessed.
    """

    rgba: U8Array
    notes: tuple[str, ...] = ()


def decode_picture(path: Path) -> DecodedPicture:
    """Decode the PNG or WebP at ``path``.

    Palettes, greys, 16 bits, colour keys, an EXIF orientation and an embedded ICC profile are
    all brought to 8-bit sRGB RGBA. PNG's gAMA and cHRM chunks are ignored, as browsers mostly do.

    Raises:
        PictureError: the file is missing, too large, damaged, animated, of another format, or
            has no alpha channel at all.
    """
    return _decode_bounded(_read_bounded(path), path, _header_size)


def decode_drawing(data: bytes, name: object) -> DecodedPicture:
    """Decode a PNG, WebP or JPEG that need not have an alpha channel.

    Args:
        data: of the file.
        name: what to call it in messages.

    Raises:
        PictureError: as ``decode_picture``, but for what has no alpha channel: that is opaque.
    """
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(f"{name} is larger than {MAX_FILE_BYTES // 2**20} MiB. Scale it down")
    return _decode_bounded(data, name, _drawing_size, opaque=True)


def read_drawing(path: Path) -> bytes:
    """Return the bytes of a picture's file.

    Raises:
        PictureError: it cannot be read, or is too large.
    """
    return _read_bounded(path)


def _decode_bounded(
    data: bytes,
    path: object,
    size_of: Callable[[bytes, object], tuple[int, int]],
    *,
    opaque: bool = False,
) -> DecodedPicture:
    width, height = size_of(data, path)
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise PictureError(
            f"{path} is {width}x{height} pixels; at most {MAX_SIDE} a side are read. "
            "Scale it down, 1024x1024 is plenty"
        )
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _decode(data, (width, height), path, opaque=opaque)
    except Image.DecompressionBombError as error:  # a header behind the one that was looked at
        raise _too_many_pixels(path) from error
    except _DECODER_ERRORS as error:
        raise PictureError(
            f"{path} is damaged and cannot be decoded ({_one_line(error)}). Export it again"
        ) from error


def _read_bounded(path: Path) -> bytes:
    """Return the bytes of a regular file of at most ``MAX_FILE_BYTES``."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise PictureError(f"{path} is not a file. Give the path of a PNG or WebP picture")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise PictureError(f"{path} cannot be read: {reason}. Check the path") from error
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(
            f"{path} is larger than {MAX_FILE_BYTES // 2**20} MiB. Scale it down to 1024x1024"
        )
    return data


def _too_many_pixels(path: object) -> PictureError:
    return PictureError(
        f"{path} claims more than {MAX_SIDE} pixels a side, which is the most that is read. "
        "Scale it down, 1024x1024 is plenty"
    )


def _drawing_size(data: bytes, path: object) -> tuple[int, int]:
    """Return width and height without decoding, of JPEG too."""
    if not data.startswith(_JPEG_MAGIC):
        return _header_size(data, path)
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:  # reads no pixels
            return image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(path) from error
    except _DECODER_ERRORS as error:
        raise PictureError(
            f"{path} is damaged and cannot be decoded ({_one_line(error)}). Export it again"
        ) from error


def _header_size(data: bytes, path: object) -> tuple[int, int]:
    """Return width and height as the header tells them, without decoding."""
    if data.startswith(_PNG_MAGIC) and data[12:16] == b"IHDR" and len(data) >= 33:
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        size = _webp_size(data)
        if size is not None:
            return size
    for magic, name, reason in _OTHER_FORMATS:
        if data.startswith(magic):
            raise PictureError(f"{path} is {name}: {reason}. {_AS_PNG}")
    if data.startswith(_PNG_MAGIC) or data[:4] == b"RIFF":
        raise PictureError(f"{path} is damaged: its header is cut off. Export it again")
    if not data:
        raise PictureError(f"{path} is an empty file. {_AS_PNG}")
    raise PictureError(f"{path} is no PNG or WebP picture. {_AS_PNG}")


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Return the canvas size of a WebP file (RFC 9649), None if its first chunk is unknown."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        return width, height
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _decode(data: bytes, size: tuple[int, int], path: object, *, opaque: bool) -> DecodedPicture:
    """Decode ``data``, whose ``size`` is known to be bounded."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=("PNG", "WEBP", "JPEG")) as image:
        # Pillow obeys the last header of a file that has two.
        if image.size != size:
            raise PictureError(
                f"{path} states two sizes, {size[0]}x{size[1]} and {image.width}x{image.height} "
                "pixels. Export it again"
            )
        if getattr(image, "n_frames", 1) > 1:
            raise PictureError(f"{path} is animated. Save one frame as a PNG")
        if not opaque and "A" not in image.getbands() and "transparency" not in image.info:
            raise PictureError(
                f"{path} has no transparency (its pixels are {image.mode}). Remove the "
                "background in a paint program and save it as a PNG with an alpha channel"
            )
        depth = data[_PNG_DEPTH_OFFSET] if image.format == "PNG" else 8
        notes: list[str] = []
        profile = image.info.get("icc_profile")
        image.load()
        rgba = _rgba_from_image(image, depth, path)
        if profile:
            rgba, note = _srgb_from_profile(rgba, profile)
            notes += [note] if note else []
        orientation = image.getexif().get(0x0112, 1)
        if orientation != 1:
            rgba.getexif()[0x0112] = orientation
            rgba = ImageOps.exif_transpose(rgba)
    return DecodedPicture(np.array(rgba, np.uint8), tuple(notes))


def _rgba_from_image(image: Image.Image, depth: int, path: object) -> Image.Image:
    """Return ``image`` as RGBA; colour keys that Pillow compares at the wrong depth are mended."""
    from PIL import Image

    key = image.info.get("transparency")
    if image.mode.startswith("I"):
        # convert() clips 16-bit greys at 255 instead of scaling them.
        levels = np.asarray(image, np.int64)
        grey = ((levels * 255 + 32767) // 65535).astype(np.uint8)
        alpha = np.where(levels == key, 0, 255).astype(np.uint8)
        return Image.fromarray(np.dstack([grey, grey, grey, alpha]), "RGBA")
    if image.mode == "RGB" and depth == 16:
        raise PictureError(
            f"{path} has 16 bits and a colour key instead of an alpha channel. "
            "Save it as an 8-bit PNG with an alpha channel"
        )
    if image.mode == "L" and isinstance(key, int) and depth < 8:
        grey = np.asarray(image.convert("L"))
        scaled_key = key * 255 // ((1 << depth) - 1)
        alpha = np.where(grey == scaled_key, 0, 255).astype(np.uint8)
        return Image.fromarray(np.dstack([grey, grey, grey, alpha]), "RGBA")
    return image.convert("RGBA")


def _srgb_from_profile(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """Return ``image`` converted to sRGB and a note, empty when it was sRGB already."""
    from PIL import Image, ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(source).strip() or "unnamed"
        if "sRGB" in name:
            return image, ""
        if source.profile.xcolor_space.strip() != "RGB":
            return image, f"its {name} colour profile is not for RGB and was ignored"
        colours = ImageCms.profileToProfile(
            image.convert("RGB"), source, ImageCms.createProfile("sRGB")
        )
    except (ImageCms.PyCMSError, *_DECODER_ERRORS) as error:
        return image, f"its colour profile was ignored ({_one_line(error)})"
    if colours is None:
        return image, f"its {name} colour profile could not be applied"
    merged = Image.merge("RGBA", (*colours.split(), image.getchannel("A")))
    return merged, f"its colours were converted from {name} to sRGB"


def _one_line(error: BaseException) -> str:
    """Return the message of ``error`` on one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:160]
