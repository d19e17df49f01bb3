"""A figure to measure with, as many triangles and materials as models of characters have."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.training.figures.figure import Bone, Figure, I32Array, Material, Morph

TRIANGLES = 20_000
_PARTS = 17
_TEXTURE = 512
_EDGE_WIDTH = 0.006
_HEAD, _NECK = 2, 1
_MOUTH_SHARE = 0.1


def bench_figure(triangles: int = TRIANGLES) -> Figure:
    """Return a head of balls: one a material, every other one with a texture, all outlined.

    Args:
        triangles: at least so many, hardly more.
    """
    # A ball has 4 * rows * (rows - 1) of them.
    rows = max(math.ceil(0.5 + math.sqrt(0.25 + triangles / _PARTS / 4)), 3)
    balls = [_ball(rows, part) for part in range(_PARTS)]
    faces = _faces(rows)
    vertices = rows * (2 * rows + 1)
    positions = np.concatenate([points for points, _ in balls])
    count = len(positions)
    joints = np.zeros((count, 4), np.int32)
    joints[:, 0] = np.where(positions[:, 1] < -0.8, _NECK, _HEAD)
    mouth = np.flatnonzero(np.arange(count) % vertices < _MOUTH_SHARE * vertices).astype(np.int32)
    return Figure(
        path=Path("bench.pmx"),
        title="bench",
        licence="",
        positions=positions,
        normals=np.concatenate([normals for _, normals in balls]),
        uv=np.tile(_uv(rows), (_PARTS, 1)),
        edge_scale=np.ones(count, np.float32),
        triangles=np.concatenate([faces + part * vertices for part in range(_PARTS)]),
        materials=tuple(
            Material(
                f"part {part}",
                first=part * len(faces),
                count=len(faces),
                color=(0.4 + 0.03 * part, 0.7, 0.9 - 0.03 * part, 1.0),
                texture=part % 2 - 1,
                double_sided=part % 3 == 0,
                edge_width=_EDGE_WIDTH,
            )
            for part in range(_PARTS)
        ),
        textures=(_texture(),),
        bones=(
            Bone("上半身", (0.0, -2.0, 0.0), -1, "spine"),
            Bone("首", (0.0, -1.2, 0.0), 0, "neck"),
            Bone("頭", (0.0, -1.0, 0.0), 1, "head"),
        ),
        joints=joints,
        weights=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        morphs={"あ": Morph(mouth, np.full((len(mouth), 3), 0.02, np.float32))},
    )


def _ball(rows: int, part: int) -> tuple[F32Array, F32Array]:
    """Return points and normals of a part: the head itself, then smaller ones around it."""
    polar, around = np.meshgrid(
        np.linspace(0.0, np.pi, rows), np.linspace(0.0, 2 * np.pi, 2 * rows + 1), indexing="ij"
    )
    normals = np.stack(
        [np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)], -1
    ).reshape(-1, 3)
    if part == 0:
        return normals.astype(np.float32), normals.astype(np.float32)
    angle = 2 * np.pi * part / (_PARTS - 1)
    middle = np.array([0.9 * np.sin(angle), 0.9 * np.cos(angle), 0.3])
    return (normals * 0.35 + middle).astype(np.float32), normals.astype(np.float32)


def _faces(rows: int) -> I32Array:
    """Return the triangles of one ball, counter-clockwise seen from outside."""
    columns = 2 * rows + 1
    index: NDArray[np.int32] = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    return np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    )


def _uv(rows: int) -> F32Array:
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, 2 * rows + 1), indexing="ij")
    return np.stack([u, v], -1).reshape(-1, 2).astype(np.float32)


def _texture() -> U8Array:
    rows, columns = np.mgrid[0:_TEXTURE, 0:_TEXTURE]
    checks = np.where((rows // 32 + columns // 32) % 2, 255, 200)
    return np.dstack([checks, checks, checks, np.full_like(checks, 255)]).astype(np.uint8)
