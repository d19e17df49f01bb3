"""What part of a picture each zoom shows, by where the specification puts the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vtbridge.app.animate.zoom import Zoom
from vtbridge.characters.specification import HEAD_BOTTOM, HEAD_TOP
from vtbridge.datatypes import PICTURE_SIZE


@dataclass(frozen=True, slots=True)
class View:
    """A square of the character's picture, in the middle of its width.

    Attributes:
        top: its upper edge, pixels of the picture.
        side: its length, pixels of the picture.
    """

    top: int
    side: int

    @property
    def bottom(self) -> int:
        """Its lower edge, pixels of the picture."""
        return self.top + self.side


_HEAD = HEAD_BOTTOM - HEAD_TOP
_ABOVE_HEAD = HEAD_TOP - 5 * _HEAD // 16
"""Leaves room for hair that stands up, and for nodding."""

VIEWS: Mapping[Zoom, View] = MappingProxyType(
    {
        Zoom.FULL: View(0, PICTURE_SIZE),
        Zoom.BUST: View(_ABOVE_HEAD, 19 * _HEAD // 8),
        Zoom.FACE: View(_ABOVE_HEAD, 3 * _HEAD // 2),
    }
)
"""The part that each shows at least; a canvas that is no square shows more beside it."""
