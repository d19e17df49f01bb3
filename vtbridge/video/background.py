"""What is behind a character: a colour, or a picture that covers it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from vtbridge.datatypes import U8Array
from vtbridge.errors import ConfigError

MOST_BACKGROUND_PIXELS = 64 << 20

_COLOUR = re.compile(r"#?([0-9a-f]{6}|[0-9a-f]{3})", re.IGNORECASE)


def open_background(text: str, width: int, height: int, *, option: str = "--background") -> U8Array:
    """Return a background of a colour, ``#00ff00``, or of a picture file that covers it.

    Args:
        text: either of them.
        width: wanted, pixels.
        height: wanted, pixels.
        option: what the user set, for messages.

    Returns:
        uint8 [height, width, 3], sRGB.

    Raises:
        ConfigError: it is neither, or the picture cannot be read.
    """
    if match := _COLOUR.fullmatch(text.strip()):
        digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
        colour = np.array([int(digits[at : at + 2], 16) for at in (0, 2, 4)], np.uint8)
        return np.tile(colour, (height, width, 1))
    return _picture_background(Path(text), width, height, option)


def _picture_background(path: Path, width: int, height: int, option: str) -> U8Array:
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_BACKGROUND_PIXELS:
                raise ConfigError(
                    f"{option} {path} is {image.width}x{image.height} pixels: scale it down"
                )
            upright = ImageOps.exif_transpose(image).convert("RGB")
            return np.array(ImageOps.fit(upright, (width, height)), np.uint8)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{option} {path}: neither a colour such as #00ff00 nor a picture file"
        ) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ConfigError(
            f"{option} {path} cannot be read ({error}): save it as PNG or JPEG"
        ) from error
