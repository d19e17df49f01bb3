"""What a watcher saw: the noted frames, as arrays in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

I64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """Every frame that one reader got, in order.

    Attributes:
        seen_ns, published_ns: int64 [N], monotonic.
        epoch: int64 [N], start of the renderer that drew it.
        number: int64 [N].
        checksum: int64 [N], of every fourth row.
        step: float64 [N], mean difference to the frame before, 0..255.
        spread: greatest such difference between any two of a sample of calm frames.
        thrown_away: copies that the reader's own check refused.
    """

    seen_ns: I64Array
    published_ns: I64Array
    epoch: I64Array
    number: I64Array
    checksum: I64Array
    step: NDArray[np.float64]
    spread: float
    thrown_away: int

    @classmethod
    def of(
        cls,
        noted: Sequence[tuple[int, ...]],
        steps: Sequence[float],
        *,
        spread: float,
        thrown_away: int,
    ) -> Self:
        """Take rows of (seen_ns, published_ns, epoch, number, checksum)."""
        seen_ns, published_ns, epoch, number, checksum = np.array(noted, np.int64).reshape(-1, 5).T
        step = np.array(steps, np.float64)
        return cls(seen_ns, published_ns, epoch, number, checksum, step, spread, thrown_away)

    def save(self, path: Path) -> None:
        """Write a ``.npz``."""
        arrays = {name: getattr(self, name) for name in self.__slots__}
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote."""
        with np.load(path) as kept:
            found = {name: kept[name] for name in cls.__slots__}
        spread, thrown_away = float(found.pop("spread")), int(found.pop("thrown_away"))
        return cls(**found, spread=spread, thrown_away=thrown_away)
