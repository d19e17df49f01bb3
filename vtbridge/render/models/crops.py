"""Where the networks look in the picture; needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of a picture; ``x`` and ``y`` are its left and top edge, in pixels.

    ``image[:, :, crop.rows, crop.columns]`` cuts it out of an array [N, C, H, W], and
    ``vtbridge.render.models.blocks.paste`` puts it back.
    """

    x: int
    y: int
    size: int

    @property
    def rows(self) -> slice:
        """Its part of the axis H."""
        return slice(self.y, self.y + self.size)

    @property
    def columns(self) -> slice:
        """Its part of the axis W."""
        return slice(self.x, self.x + self.size)


def middle_of(outer: int, inner: int) -> Crop:
    """Return the square of side ``inner`` in the middle of one of side ``outer``."""
    return Crop(x=(outer - inner) // 2, y=(outer - inner) // 2, size=inner)


def fade_of_head(size: int) -> NDArray[np.float32]:
    """Return how much of what networks say of the head counts, float32 [1, 1, size, size].

    All of it, but for a sixteenth of the side where the picture goes on beside and below,
    so that no edge is seen there. At the top it ends with the picture.
    """
    inside = (np.arange(size, dtype=np.float32) + 0.5) / (size / 16)
    across = np.minimum(np.minimum(inside, inside[::-1]), 1)
    down = np.minimum(inside[::-1], 1)
    fade: NDArray[np.float32] = (down[:, None] * across)[None, None]
    return fade


BROW_CROP = Crop(x=192, y=64, size=128)
"""What the eyebrow networks see of the 512x512 picture."""

FACE_CROP = Crop(x=160, y=32, size=192)
"""What the face morpher sees of the 512x512 picture."""

HEAD_CROP = Crop(x=128, y=0, size=256)
"""The picture of THA1 and THA2: with brows and face where THA3 has them in the 512x512 one."""

HALVED_HEAD = Crop(x=HEAD_CROP.x // 2, y=HEAD_CROP.y // 2, size=HEAD_CROP.size // 2)
"""Where that is in the picture at half its size."""

BROWS_IN_FACE = Crop(x=BROW_CROP.x - FACE_CROP.x, y=BROW_CROP.y - FACE_CROP.y, size=BROW_CROP.size)
"""Where the eyebrow crop lies inside the face crop."""

FIRST_CROPS: Mapping[str, Crop] = MappingProxyType({"brow_crop": BROW_CROP, "head": HEAD_CROP})
"""What the stage that runs once a picture may see of it, by the name of its input."""
