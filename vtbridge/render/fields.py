"""What the networks say about one pose, before pixels are made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtbridge.datatypes import F32Array


@dataclass(frozen=True, slots=True, eq=False)
class FrameFields:
    """A posed face, and how its picture bends and is painted over; all float32, C-contiguous.

    With ``S`` the sampling of ``morphed`` at the identity grid plus ``grid_change``
    (bilinear, borders repeated, corners not aligned), the frame is
    ``alpha * color + (1 - alpha) * S``. Pictures are network signals: RGBA planes,
    -1..1, linear light, straight alpha unless ``premultiplied``.

    The arrays belong to the poser that gave them and hold until its next call;
    ``copied`` returns some that last. They are not to be written.

    Attributes:
        morphed: the picture with its posed face, [4, 512, 512].
        grid_change: where each pixel comes from, as an offset x then y in halves of the
            picture's side, [2, 512, 512].
        alpha: how much is painted over, a value a channel, 0..1, [4, 512, 512].
        color: what is painted over, [4, 512, 512].
        face: the part of ``morphed`` at ``crops.FACE_CROP``, [4, 192, 192].
        bounded: alpha, colour and face come out of functions that keep them in their range;
            networks of THA4 have none there and go somewhat beyond.
        premultiplied: colours were multiplied by alpha, in linear light, as THA4 has them.
    """

    morphed: F32Array
    grid_change: F32Array
    alpha: F32Array
    color: F32Array
    face: F32Array
    bounded: bool = True
    premultiplied: bool = False

    def copied(self) -> FrameFields:
        """Return fields that stay valid after the poser's next call."""
        return FrameFields(
            morphed=self.morphed.copy(),
            grid_change=self.grid_change.copy(),
            alpha=self.alpha.copy(),
            color=self.color.copy(),
            face=self.face.copy(),
            bounded=self.bounded,
            premultiplied=self.premultiplied,
        )

    def copy_to(self, other: FrameFields) -> None:
        """Write these values into the arrays of ``other``, fields of the same poser."""
        np.copyto(other.morphed, self.morphed)
        np.copyto(other.grid_change, self.grid_change)
        np.copyto(other.alpha, self.alpha)
        np.copyto(other.color, self.color)
        np.copyto(other.face, self.face)
