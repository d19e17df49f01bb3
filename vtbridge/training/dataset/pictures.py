"""Pictures as the shards hold them: PNG, sRGB, straight alpha."""

from __future__ import annotations

import cv2
import numpy as np

from vtbridge.datatypes import U8Array
from vtbridge.errors import DatasetError

_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 3)


def encoded(rgba: U8Array) -> bytes:
    """Return a picture, uint8 [S, S, 4], as PNG."""
    done, png = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA), _PNG)
    if not done:
        raise DatasetError(f"a picture of {rgba.shape} cannot be made a PNG")
    return png.tobytes()


def picture_of(png: bytes, what: str) -> U8Array:
    """Return the picture of a PNG, uint8 [S, S, 4].

    Raises:
        DatasetError: it is none; the message names ``what``.
    """
    bgra = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if bgra is None or bgra.ndim != 3 or bgra.shape[2] != 4 or bgra.dtype != np.uint8:
        raise DatasetError(f"{what} is no RGBA picture: render the data set again")
    return np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA), np.uint8)
