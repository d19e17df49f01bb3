"""A picture of any size within a picture of a given size, as the character stands."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vtbridge.datatypes import U8Array


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle, pixels from the upper left corner."""

    left: int
    top: int
    width: int
    height: int

    def of(self, pixels: U8Array) -> U8Array:
        """Return the rectangle's part of uint8 [H, W, C], a view."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]


def place_in(found: tuple[int, int], width: int, height: int) -> Place:
    """Return where a picture of the size ``found`` goes: as large as fits, middle, lower edge."""
    scale = min(width / found[0], height / found[1])
    size = max(round(found[0] * scale), 1), max(round(found[1] * scale), 1)
    return Place((width - size[0]) // 2, height - size[1], *size)


def scaled(premultiplied: U8Array, place: Place) -> U8Array:
    """Return uint8 [H, W, 4], premultiplied alpha, in the size of ``place``."""
    height, width = premultiplied.shape[:2]
    size = place.width, place.height
    if size == (width, height):
        return premultiplied
    how = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(premultiplied, size, interpolation=how), np.uint8)


def fitted(premultiplied: U8Array, width: int, height: int) -> U8Array:
    """Return uint8 [height, width, 4]; transparent where ``premultiplied`` does not reach."""
    found_height, found_width = premultiplied.shape[:2]
    if (found_width, found_height) == (width, height):
        return premultiplied
    place = place_in((found_width, found_height), width, height)
    shown = np.zeros((height, width, 4), np.uint8)
    place.of(shown)[:] = scaled(premultiplied, place)
    return shown
