"""Where to look for a lost face: the whole picture, and in turn parts of it, enlarged.

The detector sees 128x128 pixels, so a face must be about an eighth as wide as what it looks
at. Parts of half the width find faces of half the size, and so on; to stay cheaper than
tracking, each picture is searched once whole and in two parts.
"""

from __future__ import annotations

import math

from vtbridge.datatypes import U8Array
from vtbridge.tracking.webcam.region import Region, whole_picture

_ZOOMS = (2, 4)
_SMALLEST_PART = 240
"""Side in pixels of the smallest part worth a look: a face in it has 30 pixels."""
_PARTS_A_PICTURE = 2

_AROUND = 2.0
"""Side of the part where the face was last, against its region."""


class Search:
    """Choose the parts of the pictures to search, one picture after the other."""

    def __init__(self) -> None:
        self._turn = 0
        self._last: Region | None = None

    def reset(self) -> None:
        """Begin anew in the middle."""
        self._turn = 0
        self._last = None

    def lost_at(self, region: Region) -> None:
        """Look at ``region`` first from now on: the face was there a moment ago."""
        self._last = region
        self._turn = 0

    def windows(self, rgb: U8Array) -> list[Region]:
        """Return the upright squares of this picture to search, in order."""
        whole = whole_picture(rgb)
        parts = enlarged_parts(rgb)
        if self._last is not None:
            side = min(self._last.side * _AROUND, whole.side)
            parts.insert(0, Region(self._last.x, self._last.y, side))
        count = min(_PARTS_A_PICTURE, len(parts))
        chosen = [parts[(self._turn + step) % len(parts)] for step in range(count)]
        self._turn += count
        return [whole, *chosen]


def enlarged_parts(rgb: U8Array) -> list[Region]:
    """Return overlapping squares of a half, then of a quarter of the picture's longer side.

    Those of one size come from the middle outwards.
    """
    height, width = rgb.shape[:2]
    parts = []
    for zoom in _ZOOMS:
        side = max(height, width) / zoom
        if side >= _SMALLEST_PART:
            level = [
                Region(x, y, side) for x in _centres(width, side) for y in _centres(height, side)
            ]
            level.sort(key=lambda part: math.hypot(part.x - width / 2, part.y - height / 2))
            parts += level
    return parts


def _centres(length: float, side: float) -> list[float]:
    """Return centres of windows that cover ``length`` and overlap by half or more."""
    if length <= side:
        return [length / 2]
    steps = math.ceil((length - side) / (side / 2))
    return [side / 2 + step * (length - side) / steps for step in range(steps + 1)]
