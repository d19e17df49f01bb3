"""Pose a figure: morphs first, then the turning of eyes, head and neck."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import PoseParam
from vtbridge.training.figures.binding import Binding
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.skeleton import Skeleton, Turning
from vtbridge.training.sources.subject import HEAD_TURN_DEG

EYE_TURN_DEG = 10.0
"""How far an eye turns at 1, the usual range of VRM's look-at."""

_F64Array = NDArray[np.float64]
_TURNS = (
    PoseParam.HEAD_X,
    PoseParam.HEAD_Y,
    PoseParam.NECK_Z,
    PoseParam.IRIS_ROTATION_X,
    PoseParam.IRIS_ROTATION_Y,
)


def posed(figure: Figure, binding: Binding, pose: F32Array) -> tuple[F32Array, F32Array]:
    """Return where the vertices of ``figure`` are in a pose.

    Args:
        figure: at rest.
        binding: of this figure.
        pose: float32 [45]; what the figure does not show is ignored.

    Returns:
        Positions and unit normals, float32 [V, 3] each. The normals are the figure's own array
        where nothing turns: morphs leave them, as the models' own viewers do.
    """
    positions = figure.positions.copy()
    for param, morph in binding.morphs.items():
        weight = pose[param]
        if weight != 0.0:
            positions[morph.vertices] += morph.offsets * weight
    if not any(pose[param] for param in _TURNS):
        return positions, figure.normals
    return _turned(figure, binding.skeleton, positions, pose)


def _turned(
    figure: Figure, skeleton: Skeleton, positions: F32Array, pose: F32Array
) -> tuple[F32Array, F32Array]:
    """Return ``positions`` and the normals after the bones turned."""
    transforms = _transforms(skeleton, pose)
    normals = figure.normals.copy()
    at_rest, upright = positions[skeleton.mixed], normals[skeleton.mixed]
    stays = (1.0 - skeleton.mixed_shares.sum(axis=1))[:, None]
    mixed, mixed_normals = at_rest * stays, upright * stays
    for kind, (turn, shift) in transforms.items():
        share = skeleton.mixed_shares[:, kind, None]
        mixed += (at_rest @ turn + shift) * share
        mixed_normals += (upright @ turn) * share
        whole = skeleton.whole[kind]
        positions[whole] = positions[whole] @ turn + shift
        normals[whole] = normals[whole] @ turn
    positions[skeleton.mixed] = mixed
    length = np.linalg.norm(mixed_normals, axis=1, keepdims=True)
    normals[skeleton.mixed] = mixed_normals / np.maximum(length, np.float32(1e-6))
    return positions, normals


def _transforms(skeleton: Skeleton, pose: F32Array) -> dict[Turning, tuple[F32Array, F32Array]]:
    """Return ``turn`` [3, 3] and ``shift`` [3] of each: a row x becomes ``x @ turn + shift``.

    Space is right-handed with z towards the viewer, so that a face that looks up turns the
    negative way about x, one that looks to its own right the negative way about y.
    """

    def angle(param: PoseParam, full_deg: float) -> float:
        return math.radians(float(pose[param]) * full_deg)

    head_x, head_y = angle(PoseParam.HEAD_X, HEAD_TURN_DEG), angle(PoseParam.HEAD_Y, HEAD_TURN_DEG)
    iris_x = angle(PoseParam.IRIS_ROTATION_X, EYE_TURN_DEG)
    iris_y = angle(PoseParam.IRIS_ROTATION_Y, EYE_TURN_DEG)
    neck = _about(skeleton, Turning.NECK, _rotation(2, angle(PoseParam.NECK_Z, HEAD_TURN_DEG)))
    head = neck @ _about(skeleton, Turning.HEAD, _rotation(1, -head_y) @ _rotation(0, -head_x))
    matrices = {Turning.NECK: neck, Turning.HEAD: head}
    for eye in (Turning.LEFT_EYE, Turning.RIGHT_EYE):
        if eye in skeleton.pivots:
            look = _rotation(1, -iris_y) @ _rotation(0, -iris_x)
            matrices[eye] = head @ _about(skeleton, eye, look)
    return {
        kind: (matrix[:3, :3].T.astype(np.float32), matrix[:3, 3].astype(np.float32))
        for kind, matrix in matrices.items()
    }


def _about(skeleton: Skeleton, kind: Turning, rotation: _F64Array) -> _F64Array:
    """Return a rotation about the pivot of ``kind``, [4, 4]."""
    pivot = np.array(skeleton.pivots[kind])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = pivot - rotation @ pivot
    return matrix


def _rotation(axis: int, angle_rad: float) -> _F64Array:
    """Return a right-handed rotation about x, y or z, [3, 3]."""
    matrix = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i] = matrix[j, j] = math.cos(angle_rad)
    matrix[j, i] = math.sin(angle_rad)
    matrix[i, j] = -math.sin(angle_rad)
    return matrix
