"""Walk through the bytes of an untrusted file; nothing is allocated that the file cannot fill."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.errors import DatasetError


class ByteCursor:
    """A place in little-endian bytes that moves on as they are read.

    Every method raises DatasetError where the bytes end too early.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def take(self, size: int) -> memoryview:
        """Return the next bytes."""
        if not 0 <= size <= self.left:
            raise DatasetError(
                f"it wants {size} bytes at byte {self._at} and has {self.left}: "
                "the file is cut off or damaged, get it anew"
            )
        self._at += size
        return memoryview(self._data)[self._at - size : self._at]

    def rest(self) -> memoryview:
        """Return all that is left without moving on."""
        return memoryview(self._data)[self._at :]

    def skip(self, size: int) -> None:
        """Move on."""
        self.take(size)

    def unpack(self, layout: str) -> tuple[Any, ...]:
        """Return the next numbers, ``layout`` as in ``struct``."""
        layout = "<" + layout
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def integer(self, layout: str = "i") -> int:
        """Return the next integer."""
        value: int = self.unpack(layout)[0]
        return value

    def floats(self, count: int) -> tuple[float, ...]:
        """Return the next 4-byte floats."""
        return self.unpack(f"{count}f")

    def count(self, layout: str, least_size: int, what: str) -> int:
        """Return how many things follow, each of ``least_size`` bytes or more."""
        count = self.integer(layout)
        if not 0 <= count * least_size <= self.left:
            raise DatasetError(
                f"it claims {count} {what} and has {self.left} bytes left: "
                "the file is cut off or damaged, get it anew"
            )
        return count

    def records(self, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """Return the next ``count`` records, a copy."""
        if count < 0:
            raise DatasetError(f"it claims {count} records: the file is damaged, get it anew")
        return np.frombuffer(self.take(count * dtype.itemsize), dtype, count).copy()
