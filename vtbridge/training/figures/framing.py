"""Find the chin, the head's top and the face's middle of a figure.

A first guess that a person may correct (``Annotation``): of hair, what hangs below the chin or
stands up as a tuft, an ear or a hat is left out as far as its shape tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseParam
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.figures.binding import Binding
from vtbridge.training.figures.camera import Camera, specified_camera
from vtbridge.training.figures.figure import Figure, I32Array
from vtbridge.training.figures.skeleton import Turning

_COLUMNS = 16
_TOP_SHARE = 75
_CHIN_DEPTH = 0.35
"""How far in front of the neck the chin begins, as a share of the way to the eyes."""
_UNSEEN = 0.05
# From the chin to the eyes and from there to the top: drawn heads have 1.2 to 1.8.
_LEAST_BROW, _MOST_BROW = 1.0, 2.0


@dataclass(frozen=True, slots=True)
class HeadBox:
    """Where a head is at rest, in the figure's units.

    Attributes:
        center_x: the face's middle.
        chin_y: of the chin.
        top_y: of the head's top, above the chin.
    """

    center_x: float
    chin_y: float
    top_y: float


def camera_of(figure: Figure, binding: Binding, annotation: Annotation | None = None) -> Camera:
    """Return the camera of version 1's specification for ``figure``.

    Raises:
        DatasetError: as ``head_box``.
    """
    box = head_box(figure, binding, annotation)
    return specified_camera(box.center_x, box.chin_y, box.top_y)


def head_box(figure: Figure, binding: Binding, annotation: Annotation | None = None) -> HeadBox:
    """Return where the head is; what ``annotation`` says is taken from there.

    Raises:
        DatasetError: the head has no height.
    """
    annotation = annotation or Annotation()
    points = _head_points(figure, binding)
    eyes = _eyes(figure, binding)
    center_x = binding.skeleton.pivots[Turning.HEAD][0] if eyes is None else eyes.x
    chin_y = annotation.chin_y
    if chin_y is None:
        chin_y = _chin(points, center_x, eyes, binding)
    top_y = annotation.top_y
    if top_y is None:
        top_y = _top(points, center_x, chin_y, eyes)
    if not top_y - chin_y > 1e-4 * np.abs(points).max():
        raise DatasetError(
            f"{figure.path}: its head reaches from {chin_y:g} up to {top_y:g}, which is no head: "
            "say chin_y and top_y in its annotation"
        )
    return HeadBox(center_x, chin_y, top_y)


@dataclass(frozen=True, slots=True)
class _Eyes:
    x: float
    y: float
    z: float
    apart: float
    """From the middle to an eye."""


def _eyes(figure: Figure, binding: Binding) -> _Eyes | None:
    """Return where the eyes are, by what closes them or by their bones."""
    middles = []
    for param in (PoseParam.EYE_WINK_LEFT, PoseParam.EYE_WINK_RIGHT):
        if param in binding.morphs:
            moved = figure.positions[binding.morphs[param].vertices]
            middles.append((moved.min(axis=0) + moved.max(axis=0)) / 2.0)
    if len(middles) < 2:
        pivots = binding.skeleton.pivots
        bones = [pivots[eye] for eye in (Turning.LEFT_EYE, Turning.RIGHT_EYE) if eye in pivots]
        middles = [np.array(bone, np.float32) for bone in bones]
    if len(middles) < 2:
        return None
    x, y, z = np.mean(middles, axis=0).tolist()
    apart = abs(float(middles[0][0] - middles[1][0])) / 2.0
    return _Eyes(x, y, z, apart) if apart > 0.0 else None


def _head_points(figure: Figure, binding: Binding) -> F32Array:
    """Return float32 [N, 3]: corners, edges' and triangles' middles of what is seen of the head."""
    seen = [
        figure.triangles[material.first : material.first + material.count]
        for material in figure.materials
        if material.color[3] > _UNSEEN
    ]
    triangles: I32Array = np.concatenate([np.empty((0, 3), np.int32), *seen])
    corners = figure.positions[
        triangles[(binding.skeleton.head_share[triangles] > 0.5).all(axis=1)]
    ]
    if not len(corners):
        raise DatasetError(f"{figure.path}: no triangle that is seen goes with its head bone")
    middles = (corners + np.roll(corners, 1, axis=1)) / 2.0
    return np.concatenate([corners.reshape(-1, 3), middles.reshape(-1, 3), corners.mean(axis=1)])


def _chin(points: F32Array, center_x: float, eyes: _Eyes | None, binding: Binding) -> float:
    """Return the lowest y under the middle of the face, in front of the neck."""
    head_z = binding.skeleton.pivots[Turning.HEAD][2]
    width = np.abs(points[:, 0] - center_x).max()
    column = 0.5 * eyes.apart if eyes else 0.15 * width
    front = head_z + _CHIN_DEPTH * ((eyes.z if eyes else points[:, 2].max()) - head_z)
    near = (np.abs(points[:, 0] - center_x) <= column) & (points[:, 2] >= front)
    if eyes:
        near &= points[:, 1] < eyes.y
    chosen = points[near] if near.any() else points
    return float(chosen[:, 1].min())


def _top(points: F32Array, center_x: float, chin_y: float, eyes: _Eyes | None) -> float:
    """Return the height of the dome over the face: most columns reach it, no tuft lifts it."""
    width = float(np.abs(points[:, 0] - center_x).max())
    half = min(1.5 * eyes.apart, width) if eyes else 0.5 * width
    if half <= 0.0:
        return float(points[:, 1].max())
    place = np.floor((points[:, 0] - center_x + half) / (2.0 * half) * _COLUMNS)
    inside = (place >= 0) & (place < _COLUMNS)
    heights = np.full(_COLUMNS, -np.inf)
    columns: NDArray[np.int64] = place[inside].astype(np.int64)
    np.maximum.at(heights, columns, points[inside, 1])
    reached = heights[np.isfinite(heights)]
    if not len(reached):
        return float(points[:, 1].max())
    top = float(np.percentile(reached, _TOP_SHARE))
    if eyes and eyes.y > chin_y:
        below = eyes.y - chin_y
        top = min(max(top, eyes.y + _LEAST_BROW * below), eyes.y + _MOST_BROW * below)
    return top
