"""The two student networks of one character, ready to run, each quality level in its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import PICTURE_SIZE, F32Array
from vtbridge.pose_params import POSE_SIZE, ROTATION_SLICE, PoseParam
from vtbridge.render.models.tha4_student import (
    ALPHA,
    COLOR,
    EXPRESSION_SIZE,
    GRID_CHANGE,
    STUDENT_SHAPES,
    SirenShape,
    StudentNetwork,
)
from vtbridge.render.settings import Quality
from vtbridge.render.siren.folding import fold_network
from vtbridge.render.siren.network import BoolArray, Crew, SirenNetwork

Weights = Mapping[StudentNetwork, Mapping[str, NDArray[Any]]]

_BODY_OUTPUTS = (
    *range(GRID_CHANGE.start, GRID_CHANGE.stop),
    *(ALPHA.start,) * 4,  # one for all channels, as the fields have one each
    *range(COLOR.start, COLOR.stop),
)
_COARSE = 64
"""Side at which is looked where the character can be: cells of 8 pixels."""

_VISIBLE = -0.96
"""Alpha, -1..1, from which something counts as seen: 2 %."""


@dataclass(frozen=True, slots=True, eq=False)
class StudentFields:
    """What a body morpher says, as ``FrameFields`` has it; valid until the next call."""

    grid_change: F32Array
    alpha: F32Array
    color: F32Array


class Student:
    """The networks of one character.

    Args:
        weights: of both networks, by tensor name.
        threads: that compute together.
        isa: instruction set, None for the widest that the processor has.

    Raises:
        WeightsError: a weight is absent or of another shape.
    """

    def __init__(self, weights: Weights, *, threads: int, isa: str | None = None) -> None:
        self._crew = Crew(threads)
        self._isa = isa
        face = fold_network(STUDENT_SHAPES[StudentNetwork.FACE], weights[StudentNetwork.FACE])
        self._face = SirenNetwork(face, self._crew, isa=isa)
        self._body_weights = weights[StudentNetwork.BODY]
        self._body = self._open_body()
        self._fast_body: SirenNetwork | None = None
        self._fast_planes = np.empty((len(_BODY_OUTPUTS), PICTURE_SIZE, PICTURE_SIZE), np.float32)
        self._reach: BoolArray | None = None
        self._quality = Quality.EXACT

    @property
    def isa(self) -> str:
        """Name of the instruction set in use."""
        return self._face.isa

    def set_picture(self, planes: F32Array) -> None:
        """Find out how far the character of ``planes`` [4, 512, 512] can reach."""
        self._reach = self._find_reach(planes[3])
        self._fast_body = None
        self._body.restrict(None)
        self._quality = Quality.EXACT

    def face(self, pose: F32Array) -> F32Array:
        """Return what ``STUDENT_FACE_CROP`` shows for ``pose`` [45], [4, 128, 128]."""
        return self._face.run(pose[:EXPRESSION_SIZE])

    def body(self, pose: F32Array, quality: Quality) -> StudentFields:
        """Return the fields of ``pose`` [45].

        ``BALANCED`` leaves out where the character never is; ``FAST`` also runs the last
        level, which costs the most, at half the side, and doubles its answer.
        """
        if quality is Quality.FAST:
            return self._doubled(self._open_fast_body().run(pose))
        if quality is not self._quality:
            self._body.restrict(self._reach if quality is Quality.BALANCED else None)
            self._quality = quality
        return _fields(self._body.run(pose))

    def close(self) -> None:
        """End the threads."""
        self._crew.close()

    def _open_body(self, sides: tuple[int, ...] | None = None) -> SirenNetwork:
        shape = _resized(STUDENT_SHAPES[StudentNetwork.BODY], sides)
        levels = fold_network(shape, self._body_weights, outputs=_BODY_OUTPUTS)
        return SirenNetwork(levels, self._crew, isa=self._isa)

    def _open_fast_body(self) -> SirenNetwork:
        if self._fast_body is None:
            half = PICTURE_SIZE // 2
            self._fast_body = self._open_body((half // 2, half, half))
            if self._reach is not None:
                self._fast_body.restrict(self._reach[::2, ::2])  # its cells are larger
        return self._fast_body

    def _doubled(self, planes: F32Array) -> StudentFields:
        for plane, doubled in zip(planes, self._fast_planes, strict=True):
            size = (PICTURE_SIZE, PICTURE_SIZE)
            cv2.resize(plane, size, dst=doubled, interpolation=cv2.INTER_LINEAR)
        return _fields(self._fast_planes)

    def _find_reach(self, alpha: F32Array) -> BoolArray:
        """Return where the character can be, [512, 512], with a margin of 16 pixels.

        Looked at coarsely, in poses that turn head and body as far as they go.
        """
        cell = PICTURE_SIZE // _COARSE
        seen_alpha = alpha.reshape(_COARSE, cell, _COARSE, cell).max(axis=(1, 3))
        network = self._open_body((_COARSE,) * 3)
        reach = seen_alpha > _VISIBLE
        network.restrict(~reach)  # what is reached already need not be asked for
        for pose in _extreme_poses():
            fields = network.run(pose)
            share, painted = fields[5], fields[9]  # of the alpha channel
            shown = share * painted + (1 - share) * _warped(seen_alpha, fields[:2])
            reach |= shown > _VISIBLE
        grown = cv2.dilate(reach.astype(np.uint8), np.ones((5, 5), np.uint8))
        return np.repeat(np.repeat(grown > 0, cell, axis=0), cell, axis=1)


def _fields(planes: F32Array) -> StudentFields:
    return StudentFields(planes[:2], planes[2:6], planes[6:])


def _resized(shape: SirenShape, sides: tuple[int, ...] | None) -> SirenShape:
    if sides is None:
        return shape
    levels = tuple(
        replace(level, size=side) for level, side in zip(shape.levels, sides, strict=True)
    )
    return replace(shape, levels=levels)


def _extreme_poses() -> list[F32Array]:
    """Return poses at the corners of the rotation's range.

    Half of the 32 corners: every combination of any four parameters is among them.
    """
    poses = []
    for signs in product((-1.0, 1.0), repeat=4):
        pose = np.zeros(POSE_SIZE, np.float32)
        pose[ROTATION_SLICE.start : ROTATION_SLICE.start + 4] = signs
        pose[PoseParam.BODY_Z] = np.prod(signs)
        pose[PoseParam.BREATHING] = max(signs[0], 0.0)
        poses.append(pose)
    return poses


def _warped(plane: F32Array, grid_change: F32Array) -> F32Array:
    """Return ``plane`` [S, S] sampled at the identity plus ``grid_change``, to the nearest."""
    side = len(plane)
    at = np.arange(side, dtype=np.float32)
    columns = np.rint(at[None, :] + grid_change[0] * side / 2).clip(0, side - 1)
    rows = np.rint(at[:, None] + grid_change[1] * side / 2).clip(0, side - 1)
    warped: F32Array = plane[rows.astype(np.intp), columns.astype(np.intp)]
    return warped
