"""Run a folded sine network on several threads, whole or where it matters."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.render.siren.folding import FoldedLevel
from vtbridge.render.siren.numpy_level import NumpyLevel

try:
    from vtbridge.render.siren import _siren
except ImportError:  # not built: no compiler with GCC's vector types
    _siren = None  # type: ignore[assignment]

BoolArray = NDArray[np.bool_]


class Level(Protocol):
    """One level, ready to run; see ``NumpyLevel``."""

    @property
    def isa(self) -> str:
        """Name of the instruction set in use."""

    @property
    def out_floats(self) -> int:
        """Size of what ``work`` writes."""

    def work(
        self,
        bias: F32Array,
        below: F32Array | None,
        out: F32Array,
        pixels: NDArray[np.int32],
        counter: NDArray[np.int64],
    ) -> None:
        """Compute ``pixels`` until none is left; several threads may."""


class Crew:
    """Threads that work on one level at a time, the calling one among them.

    Args:
        threads: how many in all.
    """

    def __init__(self, threads: int) -> None:
        self._helpers = threads - 1
        self._pool = (
            ThreadPoolExecutor(self._helpers, thread_name_prefix="siren") if threads > 1 else None
        )

    def run(
        self,
        level: Level,
        bias: F32Array,
        below: F32Array | None,
        out: F32Array,
        pixels: NDArray[np.int32],
    ) -> None:
        """Compute ``pixels`` of ``level``; returns when all of them are done."""
        work = (bias, below, out, pixels, np.zeros(1, np.int64))
        if self._pool is None:
            level.work(*work)
            return
        helping = [self._pool.submit(level.work, *work) for _ in range(self._helpers)]
        try:
            level.work(*work)
        finally:
            for helper in helping:
                helper.result()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()


class SirenNetwork:
    """A sine network with its memory.

    Args:
        levels: from ``fold_network``.
        crew: who computes.
        isa: instruction set, None for the widest that the processor has.
    """

    def __init__(
        self, levels: Sequence[FoldedLevel], crew: Crew, *, isa: str | None = None
    ) -> None:
        self._crew = crew
        self._folded = tuple(levels)
        self._channels = len(self._folded[-1].layers[-1].bias)
        last = len(self._folded) - 1
        self._levels = [
            open_level(level, self._channels if number == last else 0, isa=isa)
            for number, level in enumerate(self._folded)
        ]
        self._outs = [np.zeros(level.out_floats, np.float32) for level in self._levels]
        self._pixels = _pixels_of(self._folded, None)

    @property
    def isa(self) -> str:
        """Name of the instruction set in use."""
        return self._levels[0].isa

    @property
    def side(self) -> int:
        """Side of what it gives, in pixels."""
        return self._folded[-1].side

    def restrict(self, wanted: BoolArray | None) -> None:
        """Compute only where ``wanted`` [side, side]; the outputs are 0 elsewhere.

        What is computed is the same as without; None asks for all again.
        """
        self._pixels = _pixels_of(self._folded, wanted)
        for out in self._outs:
            out[:] = 0

    def run(self, pose: F32Array) -> F32Array:
        """Return the outputs [channels, side, side] for ``pose``, valid until the next call."""
        below: F32Array | None = None
        for number, folded in enumerate(self._folded):
            out = self._outs[number]
            bias = folded.pose_bias(pose)
            self._crew.run(self._levels[number], bias, below, out, self._pixels[number])
            below = out
        return self._outs[-1].reshape(self._channels, self.side, self.side)


def open_level(level: FoldedLevel, planes: int, *, isa: str | None = None) -> Level:
    """Return ``level`` ready to run, by the extension if it was built.

    Args:
        level: what to compute.
        planes: give so many outputs as planes; 0 gives all of them pixel by pixel.
        isa: ``numpy``, or an instruction set of the extension; None takes the fastest.

    Raises:
        ValueError: the processor does not have ``isa``.
    """
    if _siren is None or isa == NumpyLevel.isa:  # type: ignore[redundant-expr]
        return NumpyLevel(level, planes)
    layers = tuple(
        (len(layer.bias), layer.weight, layer.bias, layer.sine) for layer in level.layers
    )
    return _siren.Level(level.side, level.at_x, level.at_y, layers, level.below_side, planes, isa)


def _pixels_of(levels: Sequence[FoldedLevel], wanted: BoolArray | None) -> list[NDArray[np.int32]]:
    """Return each level's pixels that it takes to know the last level where ``wanted``."""
    pixels: list[NDArray[np.int32]] = []
    for level in reversed(levels):
        if wanted is None:
            pixels.append(np.arange(level.side**2, dtype=np.int32))
            continue
        pixels.append(np.flatnonzero(wanted).astype(np.int32))
        if level.below_side:
            wanted = _seen_below(wanted, level.below_side)
    return pixels[::-1]


def _seen_below(wanted: BoolArray, side: int) -> BoolArray:
    """Return from which pixels of the level below those that are ``wanted`` are made."""
    if len(wanted) == side:
        return wanted
    seen: BoolArray = np.any(wanted.reshape(side, 2, side, 2), axis=(1, 3))
    for axis in (0, 1):
        near = np.moveaxis(seen, axis, 0)
        wide = near.copy()
        wide[1:] |= near[:-1]
        wide[:-1] |= near[1:]
        seen = np.moveaxis(wide, 0, axis)
    return seen
