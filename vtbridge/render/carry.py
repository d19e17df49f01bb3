"""Carry what the editor said of an earlier pose to where the picture has moved since.

The rotator says cheaply where each pixel comes from; the editor, twice as dear, corrects
that and says what to paint over. What it says belongs to the places of the picture, not
of the frame: with ``then`` and ``now`` the rotator's grid changes of both poses, what is
seen at ``x`` was seen at about ``x + now(x) - then(x)``. So alpha, colour and correction
are sampled there, bilinearly, and the correction is added to ``now``.

Measured on recorded poses, 50 ms apart: 42.1 dB where leaving them in their places gives
41.6, and the worst frame 38.4 instead of 36.3; 150 ms apart 40.2 and 32.5 instead of 39.0
and 28.8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtbridge.datatypes import PICTURE_SIZE, F32Array
from vtbridge.render import _carry

_PLANES = 10


@dataclass(frozen=True, slots=True, eq=False)
class EditedFields:
    """What the editor says about a pose, as ``FrameFields`` has it.

    Attributes:
        grid_change: [2, S, S].
        alpha: [4, S, S].
        color: [4, S, S].
    """

    grid_change: F32Array
    alpha: F32Array
    color: F32Array


class Carrier:
    """Keep one answer of the editor and carry it to later poses.

    Args:
        size: side of the editor's planes, a multiple of 16.
    """

    def __init__(self, size: int = PICTURE_SIZE) -> None:
        self._kept = np.empty((_PLANES, size, size), np.float32)
        self._then = np.empty((2, size // 2, size // 2), np.float32)
        self._carried = EditedFields(
            np.empty((2, size, size), np.float32),
            np.empty((4, size, size), np.float32),
            np.empty((4, size, size), np.float32),
        )

    def keep(self, edited: EditedFields, rotated: F32Array) -> None:
        """Take a copy of ``edited`` and of the rotator's grid change that it corrected.

        Args:
            edited: float32, C-contiguous.
            rotated: float32 [2, S/2, S/2], C-contiguous.

        Raises:
            ValueError: the shapes do not fit together.
        """
        _carry.keep(edited.grid_change, edited.alpha, edited.color, rotated, self._kept)
        np.copyto(self._then, rotated)

    def carried(self, rotated: F32Array) -> EditedFields:
        """Return what was kept, carried to a pose; valid until the next call.

        Args:
            rotated: the rotator's grid change of that pose, float32 [2, S/2, S/2],
                C-contiguous.

        Raises:
            ValueError: its shape is another.
        """
        out = self._carried
        _carry.carry(self._kept, self._then, rotated, out.grid_change, out.alpha, out.color)
        return out
