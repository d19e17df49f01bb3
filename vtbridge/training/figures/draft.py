"""What a reader found in a file, turned into a figure after everything in it was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.figure import Bone, Figure, I32Array, Material, Morph

MAX_VERTICES = 1_000_000
MAX_TRIANGLES = 2_000_000
MAX_BONES = 20_000
_MAX_COORDINATE = 1e5


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A figure in its own space, with what a file may have got wrong still in it.

    Attributes as in ``Figure``; joints below 0 are none, weights need not sum to 1, normals need
    no length, triangles may turn either way, triangles of no material are dropped.
    """

    title: str
    licence: str
    positions: F32Array
    normals: F32Array
    uv: F32Array
    edge_scale: F32Array
    triangles: I32Array
    materials: Sequence[Material]
    bones: Sequence[Bone]
    joints: I32Array
    weights: F32Array
    morphs: Mapping[str, Morph]


def figure_from_draft(draft: Draft, path: Path, textures: Sequence[U8Array | None]) -> Figure:
    """Return the figure that ``draft`` means.

    Raises:
        DatasetError: it is empty, far too large, or points at what is not there.
    """
    vertices = len(draft.positions)
    _check_counts(draft)
    _check_numbers("coordinate", draft.positions)
    _check_numbers("bone", np.array([bone.head for bone in draft.bones], np.float32))
    _check_indices("triangle", draft.triangles, "vertices", vertices)
    _check_tree(draft.bones)
    used = sum(material.count for material in draft.materials)
    if used > len(draft.triangles):
        raise DatasetError(
            f"its materials want {used} triangles of {len(draft.triangles)}: the file is damaged"
        )
    triangles = draft.triangles[:used]
    joints, weights = _whole_weights(draft)
    normals = _unit_normals(draft.positions, _finite(draft.normals), triangles)
    return Figure(
        path=path,
        title=draft.title,
        licence=draft.licence,
        positions=draft.positions,
        normals=normals,
        uv=np.clip(_finite(draft.uv), -1e4, 1e4),
        edge_scale=np.clip(_finite(draft.edge_scale), 0.0, 1.0),
        triangles=_outward(draft.positions, normals, triangles),
        materials=tuple(draft.materials),
        textures=tuple(textures),
        bones=tuple(draft.bones),
        joints=joints,
        weights=weights,
        morphs={
            name: _checked_morph(name, morph, vertices) for name, morph in draft.morphs.items()
        },
    )


def _check_counts(draft: Draft) -> None:
    for what, count, most in (
        ("vertices", len(draft.positions), MAX_VERTICES),
        ("triangles", sum(material.count for material in draft.materials), MAX_TRIANGLES),
        ("bones", len(draft.bones), MAX_BONES),
    ):
        if not 0 < count <= most:
            raise DatasetError(f"it has {count} {what}, not 1 to {most}: no character to pose")


def _check_numbers(what: str, values: F32Array) -> None:
    # NaN is not below anything.
    if not (np.abs(values) < _MAX_COORDINATE).all():
        raise DatasetError(
            f"a {what} is not a number below {_MAX_COORDINATE:g}: the file is damaged"
        )


def _check_indices(what: str, indices: NDArray[Any], whose: str, count: int) -> None:
    if indices.size and not (indices.min() >= 0 and indices.max() < count):
        raise DatasetError(f"a {what} points beyond its {count} {whose}: the file is damaged")


def _check_tree(bones: Sequence[Bone]) -> None:
    settled = [False] * len(bones)
    for start in range(len(bones)):
        line, at = [], start
        while at >= 0 and not settled[at]:
            line.append(at)
            settled[at] = True
            at = bones[at].parent
            if at >= len(bones):
                raise DatasetError(f"bone {bones[line[-1]].name!r} has no parent {at}: damaged")
        if at in line:
            raise DatasetError(f"bone {bones[at].name!r} is its own ancestor: the file is damaged")


def _whole_weights(draft: Draft) -> tuple[I32Array, F32Array]:
    weights = np.clip(_finite(draft.weights), 0.0, 1.0)
    weights[draft.joints < 0] = 0.0
    joints = np.where(weights > 0.0, draft.joints, 0).astype(np.int32)
    _check_indices("vertex", joints, "bones", len(draft.bones))
    total = weights.sum(axis=1, keepdims=True)
    loose = total[:, 0] < 1e-6
    weights[loose] = (1.0, 0.0, 0.0, 0.0)
    total[loose] = 1.0
    return joints, (weights / total).astype(np.float32)


def _finite(values: F32Array) -> F32Array:
    finite: F32Array = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return finite


def _face_normals(positions: F32Array, triangles: I32Array) -> F32Array:
    """Return float32 [T, 3], as long as twice the triangle's area."""
    corners = positions[triangles]
    normals: F32Array = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normals


def _unit_normals(positions: F32Array, normals: F32Array, triangles: I32Array) -> F32Array:
    """Return normals of length 1; missing ones come from the triangles around."""
    length = np.linalg.norm(np.clip(normals, -1e6, 1e6), axis=1, keepdims=True)
    unit = np.clip(normals, -1e6, 1e6) / np.maximum(length, 1e-12)
    missing = length[:, 0] < 1e-6
    if missing.any():
        around = np.zeros_like(positions)
        faces = _face_normals(positions, triangles)
        for corner in range(3):
            np.add.at(around, triangles[:, corner], faces)
        length = np.linalg.norm(around, axis=1, keepdims=True)
        around = np.where(length > 1e-12, around / np.maximum(length, 1e-12), (0.0, 0.0, 1.0))
        unit[missing] = around[missing]
    normal: F32Array = unit.astype(np.float32)
    return normal


def _outward(positions: F32Array, normals: F32Array, triangles: I32Array) -> I32Array:
    """Return the triangles counter-clockwise; their normals tell which way they turn now."""
    agree = np.einsum(
        "ti,ti->t", _face_normals(positions, triangles), normals[triangles].sum(axis=1)
    ).sum()
    turned = triangles if agree >= 0.0 else triangles[:, ::-1]
    return np.ascontiguousarray(turned, np.int32)


def _checked_morph(name: str, morph: Morph, vertices: int) -> Morph:
    """Return it with each vertex once."""
    _check_indices(f"morph ({name!r})", morph.vertices, "vertices", vertices)
    _check_numbers(f"morph's offset ({name!r})", morph.offsets)
    unique, places = np.unique(morph.vertices, return_inverse=True)
    if len(unique) == len(morph.vertices):
        return morph
    offsets = np.zeros((len(unique), 3), np.float32)
    np.add.at(offsets, places.reshape(-1), morph.offsets)
    return Morph(unique.astype(np.int32), offsets)
