"""Operations on buffers, packed for the engine; see ``operations.h`` for what each one does."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.render.native._native import Engine, Program

ALIGNMENT = 16
"""Buffers begin at a multiple of this, and pixels have a multiple of it as channels, in floats:
one cache line, the widest vector."""

HEAD_WIDTH = 16
"""Channels that heads give together at most."""

_OP_WORDS = 64
_BASE_SHIFT = 40
_ARENA, _WEIGHTS, _FIRST_ARRAY = 0, 1, 2


class Kind(IntEnum):
    """What an operation does; the numbers are those of ``operations.h``."""

    CONV = 0
    HEADS = 1
    NORMALISE = 2
    RESIDUAL = 3
    PIXELS = 4
    CONSTANT_CHANNELS = 5
    COPY = 6
    PASTE = 7
    HALVE = 8
    DOUBLE = 9
    WARP = 10
    BLEND = 11
    UNIT = 12


class Mode(IntEnum):
    """How a depthwise convolution goes over its input."""

    K3 = 0
    K7 = 1
    HALVING = 2
    DOUBLING = 3


class Activation(IntEnum):
    """What becomes of a head's answer."""

    NONE = 0
    SIGMOID = 1
    TANH = 2
    ADD = 3


@dataclass(eq=False, slots=True)
class Buffer:
    """Floats in the arena, alive from the first to the last operation that names them."""

    floats: int
    offset: int = 0
    first: int = -1
    last: int = -1


@dataclass(frozen=True, slots=True)
class Operand:
    """A place in the weights or in one of the arrays, or a part of a buffer."""

    base: int
    offset: int = 0
    buffer: Buffer | None = None

    def at(self, floats: int) -> Operand:
        """Return the place ``floats`` further on."""
        return Operand(self.base, self.offset + floats, self.buffer)


NOTHING = Operand(-1)
"""Where an operation may do without."""


def float_bits(value: float) -> int:
    """Return the bits of ``value`` as float32, as an operation holds them."""
    return int(np.float32(value).view(np.uint32))


def rounded_up(count: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // ALIGNMENT) * ALIGNMENT


@dataclass(slots=True)
class ProgramBuilder:
    """Collect operations and weights, then place the buffers in memory.

    Buffers that are never alive together share it.

    Args:
        engine: what will run the program; decides how weights are packed.
    """

    engine: Engine
    _ops: list[list[int | Operand]] = field(default_factory=list)
    _weights: list[F32Array] = field(default_factory=list)
    _weight_floats: int = 0
    _arrays: list[int] = field(default_factory=list)
    _buffers: dict[int, Buffer] = field(default_factory=dict)

    def array(self, floats: int) -> Operand:
        """Return the next array that ``run`` is given, of ``floats`` numbers."""
        self._arrays.append(floats)
        return Operand(_FIRST_ARRAY + len(self._arrays) - 1)

    def buffer(self, floats: int) -> Operand:
        """Return memory for ``floats`` numbers, undefined until an operation writes it."""
        return Operand(_ARENA, 0, Buffer(rounded_up(floats)))

    def weights(self, values: F32Array) -> Operand:
        """Return a place that holds ``values``."""
        operand = Operand(_WEIGHTS, self._weight_floats)
        flat = np.ascontiguousarray(values, np.float32).reshape(-1)
        padded = np.zeros(rounded_up(flat.size), np.float32)
        padded[: flat.size] = flat
        self._weights.append(padded)
        self._weight_floats += padded.size
        return operand

    def panels(self, matrix: F32Array) -> Operand:
        """Return a place that holds ``matrix`` [depth, width] in the engine's panels."""
        depth, width = matrix.shape
        columns = self.engine.columns
        return self.weights(matrix.reshape(depth, width // columns, columns).transpose(1, 0, 2))

    def add(self, kind: Kind, *words: int | Operand) -> None:
        """Append an operation; operands among its words are kept alive for it."""
        number = len(self._ops)
        for word in words:
            if isinstance(word, Operand) and word.buffer is not None:
                buffer = word.buffer
                self._buffers[id(buffer)] = buffer
                buffer.first = number if buffer.first < 0 else buffer.first
                buffer.last = number
        self._ops.append([int(kind), *words])

    def build(self) -> Program:
        """Return the program with its memory."""
        arena_floats = _place(list(self._buffers.values()))
        packed = np.zeros((len(self._ops), _OP_WORDS), np.int64)
        for row, op in zip(packed, self._ops, strict=True):
            row[: len(op)] = [_word(word) for word in op]
        weights = np.concatenate(self._weights) if self._weights else np.zeros(0, np.float32)
        return Program(
            self.engine, packed.tobytes(), weights.data, arena_floats, tuple(self._arrays)
        )


def _word(word: int | Operand) -> int:
    if not isinstance(word, Operand):
        return word
    if word.base < 0:
        return -1
    start = word.buffer.offset if word.buffer is not None else 0
    return word.base << _BASE_SHIFT | start + word.offset


def _place(buffers: Sequence[Buffer]) -> int:
    """Give every buffer an offset, largest first, and return how many floats they need."""
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda buffer: -buffer.floats):
        rivals = sorted(
            (other for other in placed if _overlap(buffer, other)), key=lambda other: other.offset
        )
        ends = [0, *itertools.accumulate((rival.offset + rival.floats for rival in rivals), max)]
        starts = [*(rival.offset for rival in rivals), None]
        buffer.offset = next(
            end
            for end, start in zip(ends, starts, strict=True)
            if start is None or start - end >= buffer.floats
        )
        placed.append(buffer)
    return max((buffer.offset + buffer.floats for buffer in buffers), default=0)


def _overlap(a: Buffer, b: Buffer) -> bool:
    return a.first <= b.last and b.first <= a.last
