"""Pictures as the shards hold them: PNG, sRGB, straight alpha."""

from __future__ import annotations

import cv2
import numpy as np

from vtbridge.datatypes import U8Array
from vtbridge.errors import DatasetError

_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 3)
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


def encoded(rgba: U8Array) -> bytes:
    """Return a picture, uint8 [S, S, 4], as PNG."""
    done, png = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA), _PNG)
    if not done:
        raise DatasetError(f"a picture of {rgba.shape} cannot be made a PNG")
    return png.tobytes()


def picture_of(png: bytes, size: int, what: str) -> U8Array:
    """Return the picture of a PNG, uint8 [size, size, 4].

    Raises:
        DatasetError: it is none of that size; the message names ``what``.
    """
    # Looked at before it is decoded: a small file may claim to be larger than any memory.
    if png[:16] == _PNG_BEGIN and png[16:24] == size.to_bytes(4) * 2:
        bgra = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        if bgra is not None and bgra.shape == (size, size, 4) and bgra.dtype == np.uint8:
            return np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA), np.uint8)
    raise DatasetError(f"{what} is no RGBA picture of {size} x {size}: render the data set again")
