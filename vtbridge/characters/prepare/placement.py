"""Put a cut-out figure where the specification wants it: the head in its box, the body below."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.characters.picture import ORIGINAL_SIZE
from vtbridge.characters.prepare.face import HeadBox
from vtbridge.characters.specification import HEAD_LEFT, HEAD_RIGHT, HEAD_TOP
from vtbridge.datatypes import PICTURE_SIZE, U8Array

_HEAD_SIDE = HEAD_RIGHT - HEAD_LEFT


def place(rgba: U8Array, head: HeadBox) -> U8Array:
    """Return the figure as a square picture with its head in the specification's box.

    The square has as many pixels as the drawing gives, 512 to 2048: it is never enlarged beyond
    what 512 need.

    Args:
        rgba: uint8 [H, W, 4], straight alpha, background transparent.
        head: what belongs into the box of the head.
    """
    drawn = PICTURE_SIZE * head.side / _HEAD_SIDE
    side = int(min(max(round(drawn), PICTURE_SIZE), ORIGINAL_SIZE))
    scale = _HEAD_SIDE / head.side * side / PICTURE_SIZE
    left = HEAD_LEFT * side / PICTURE_SIZE - head.x * scale
    top = HEAD_TOP * side / PICTURE_SIZE - head.y * scale
    source: NDArray[Any] = rgba.astype(np.float32)
    source[..., :3] *= source[..., 3:] / 255.0
    if scale < 1.0:
        # A transformation takes single pixels; what is made smaller has to be averaged first.
        width, height = (max(1, round(edge * scale)) for edge in (rgba.shape[1], rgba.shape[0]))
        source = cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA)
    shift_x = scale * rgba.shape[1] / source.shape[1]
    shift_y = scale * rgba.shape[0] / source.shape[0]
    # Centres of pixels lie at halves.
    matrix = np.array(
        [
            [shift_x, 0.0, left + (shift_x - 1.0) / 2],
            [0.0, shift_y, top + (shift_y - 1.0) / 2],
        ],
        np.float32,
    )
    placed = cv2.warpAffine(
        source, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT
    )
    alpha = np.clip(placed[..., 3:], 0.0, 255.0)
    colours = np.clip(placed[..., :3] * 255.0 / np.maximum(alpha, 1.0), 0.0, 255.0)
    result = np.rint(np.dstack([colours, alpha])).astype(np.uint8)
    result[result[..., 3] == 0] = 0
    return result
