"""A few buffers for fields on their way from the networks' thread to the display's."""

from __future__ import annotations

from collections import deque

from vtbridge.render.fields import FrameFields


class FieldsPool:
    """Lend out at most ``size`` buffers, 15 MB each; they are made once and used again.

    Each has one owner at a time, whichever thread that is on: whoever took it gives it back.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._made = 0
        self._free: deque[FrameFields] = deque()

    def copy_of(self, fields: FrameFields) -> FrameFields | None:
        """Return a copy of ``fields`` in a buffer of the pool, None if all are lent out.

        For one thread at a time; ``give_back`` may come from another.
        """
        try:
            buffer = self._free.popleft()
        except IndexError:
            if self._made == self._size:
                return None
            self._made += 1
            return fields.copied()
        fields.copy_to(buffer)
        return buffer

    def give_back(self, buffer: FrameFields) -> None:
        """Take back what ``copy_of`` gave; its values may change from now on."""
        self._free.append(buffer)
