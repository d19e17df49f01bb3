"""Sound as every part here takes it: mono float32 at one rate, in blocks of 20 ms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vtbridge.datatypes import F32Array

SAMPLE_RATE = 16_000
"""Samples a second; vowels lie far below its half."""
BLOCK_SAMPLES = SAMPLE_RATE // 50
"""Samples in a block: one face each, 50 faces a second."""

_LOUDEST = 4.0
"""Files of floats may go beyond full scale; what goes beyond this is damage."""


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """A piece of sound and when it was there.

    Attributes:
        samples: float32 [BLOCK_SAMPLES], -1..1, mono at ``SAMPLE_RATE``.
        t_ns: monotonic time at which its last sample was there.
    """

    samples: F32Array
    t_ns: int


class BlockCutter:
    """Cut pieces of any length into blocks; what is left waits for the next piece."""

    def __init__(self) -> None:
        self._left: F32Array = np.zeros(0, np.float32)

    def cut(self, samples: F32Array) -> Iterator[F32Array]:
        """Yield the whole blocks that float32 [N] ``samples`` completes, values made sane."""
        sane = np.clip(np.nan_to_num(samples), -_LOUDEST, _LOUDEST)
        joined = np.concatenate((self._left, sane))
        whole = len(joined) - len(joined) % BLOCK_SAMPLES
        self._left = joined[whole:]
        for start in range(0, whole, BLOCK_SAMPLES):
            yield joined[start : start + BLOCK_SAMPLES]
