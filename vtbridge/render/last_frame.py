"""The frame that was shown last, which outlives one that could not be drawn."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np

from vtbridge.datatypes import U8Array


class LastFrame:
    """Hold the last frame, and a second one into which the next is drawn.

    Args:
        size: side of the frames in pixels.
    """

    def __init__(self, size: int) -> None:
        self._shown, self._spare = (np.zeros((size, size, 4), np.uint8) for _ in range(2))
        self._key: Hashable = None
        self._repeated = False

    @property
    def repeated(self) -> bool:
        """True if the last ``of`` gave the frame that was there already."""
        return self._repeated

    def of(self, key: Hashable, draw: Callable[[U8Array], None]) -> U8Array:
        """Return the frame of ``key``, drawn unless it is the last one.

        Args:
            key: equal for equal frames; not None.
            draw: fills uint8 [size, size, 4]; where it raises, the last frame is still whole
                and still the last.

        Returns:
            uint8 [size, size, 4], whole until the second frame drawn after it.
        """
        self._repeated = key == self._key
        if not self._repeated:
            draw(self._spare)
            self._shown, self._spare = self._spare, self._shown
            self._key = key
        return self._shown

    def forget(self) -> None:
        """Have the next frame drawn, whatever its key."""
        self._key = None
