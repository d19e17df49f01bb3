"""The average face of MediaPipe, which lies in the model file as a protocol buffer.

Axes: x to the viewer's right (the subject's own left), y up, z towards the viewer,
centimetres.

Source of the layout: ``GeometryPipelineMetadata`` and ``Mesh3d`` in MediaPipe's
``modules/face_geometry/protos`` (Apache-2.0).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import read_only

F64Array = NDArray[np.float64]

VERTICES = 468
"""Of the mesh; the landmarks have ten more, the irises."""

_VERTEX_NUMBERS = 5  # x, y, z and two texture coordinates
_MOST_FIELDS = 20_000

# Field numbers.
_MESH, _BASIS = 1, 2
_VERTEX_BUFFER = 3
_LANDMARK_ID, _WEIGHT = 1, 2

# Wire types.
_VARINT, _BYTES, _FIXED32 = 0, 2, 5


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalFace:
    """What a head pose is measured against.

    Attributes:
        basis: int [N], the landmarks that move least with the expression.
        points: float64 [N, 3], where they are in the average face.
        weights: float64 [N], how much each counts, sum 1.
    """

    basis: NDArray[np.intp]
    points: F64Array
    weights: F64Array


def parse_canonical_face(content: bytes) -> CanonicalFace:
    """Parse the metadata of the geometry pipeline.

    Raises:
        ValueError: it is cut off or not what the layout says.
    """
    numbers: list[float] = []
    basis: list[int] = []
    weights: list[float] = []
    for field, value in _fields(content):
        match field, value:
            case (int(number), bytes(mesh)) if number == _MESH:
                numbers = [
                    v for f, v in _fields(mesh) if f == _VERTEX_BUFFER and isinstance(v, float)
                ]
            case (int(number), bytes(entry)) if number == _BASIS:
                values = dict(_fields(entry))
                # Protocol buffers leave zeros out.
                landmark, weight = values.get(_LANDMARK_ID, 0), values.get(_WEIGHT, 0.0)
                if not isinstance(landmark, int) or not isinstance(weight, float):
                    raise ValueError("an entry of its landmark basis is malformed")
                basis.append(landmark)
                weights.append(weight)
    vertices = np.array(numbers, np.float64)
    if vertices.size != VERTICES * _VERTEX_NUMBERS or not np.isfinite(vertices).all():
        raise ValueError(f"its canonical face has {vertices.size} numbers")
    chosen, counts = np.array(basis, np.intp), np.array(weights, np.float64)
    if chosen.size < 4 or not ((chosen >= 0) & (chosen < VERTICES)).all():
        raise ValueError("its landmark basis is malformed")
    if not np.isfinite(counts).all() or counts.min() < 0 or counts.sum() <= 0:
        raise ValueError("the weights of its landmark basis are malformed")
    points = vertices.reshape(VERTICES, _VERTEX_NUMBERS)[chosen, :3]
    return CanonicalFace(read_only(chosen), read_only(points), read_only(counts / counts.sum()))


def _fields(content: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield the number and value of every field of one message."""
    at = 0
    for _ in range(_MOST_FIELDS):
        if at == len(content):
            return
        key, at = _varint(content, at)
        match key & 7:
            case wire if wire == _VARINT:
                value, at = _varint(content, at)
                yield key >> 3, value
            case wire if wire == _FIXED32:
                yield key >> 3, struct.unpack("<f", _slice(content, at, 4))[0]
                at += 4
            case wire if wire == _BYTES:
                size, at = _varint(content, at)
                yield key >> 3, _slice(content, at, size)
                at += size
            case wire:
                raise ValueError(f"its metadata has a field of wire type {wire}")
    raise ValueError("its metadata has too many fields")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        byte = _slice(content, at, 1)[0]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("its metadata has a number that does not end")


def _slice(content: bytes, at: int, size: int) -> bytes:
    if at + size > len(content):
        raise ValueError("its metadata is cut off")
    return content[at : at + size]
