"""What is shown while the networks have never given anything: the drawing as it is."""

from __future__ import annotations

import cv2
import numpy as np

from vtbridge.datatypes import PICTURE_SIZE, Picture, U8Array
from vtbridge.render.alpha import network_from_straight, premultiplied_from_network


def placeholder_frame(picture: Picture, size: int) -> U8Array:
    """Return ``picture`` unposed, premultiplied sRGB, uint8 [size, size, 4]."""
    still = np.zeros((PICTURE_SIZE, PICTURE_SIZE, 4), np.uint8)
    premultiplied_from_network(network_from_straight(picture.rgba), still)
    if size == PICTURE_SIZE:
        return still
    resized = np.zeros((size, size, 4), np.uint8)
    cv2.resize(still, (size, size), dst=resized, interpolation=cv2.INTER_AREA)
    return resized
