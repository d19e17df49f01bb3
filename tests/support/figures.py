"""A made-up character as a figure: face, hair, eyes, brows, mouth and body, posed as MMD's are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.training.figures.figure import Bone, Figure, Material, Morph

CHIN_Y, SKULL_Y, HAIR_Y = 16.0, 18.0, 18.1
"""Of the chin, and the top without and with hair; a thin tuft stands above it."""
EYE_X, EYE_Y = 0.36, 16.85
LICENCE = "これは試験用モデルです。再配布可。"

_CENTRE = np.array([0.0, 17.0, 0.0])
_RADII = np.array([0.9, 1.0, 0.85])
BONES = (
    Bone("センター", (0.0, 8.0, 0.0), -1, "hips"),
    Bone("上半身", (0.0, 11.0, 0.0), 0, "spine"),
    Bone("首", (0.0, 15.4, -0.1), 1, "neck"),
    Bone("頭", (0.0, 16.0, -0.1), 2, "head"),
    Bone("左目", (EYE_X, EYE_Y, 0.3), 3, "left_eye"),
    Bone("右目", (-EYE_X, EYE_Y, 0.3), 3, "right_eye"),
)
_SPINE, _NECK, _HEAD, _LEFT_EYE, _RIGHT_EYE = range(1, 6)

_Floats = NDArray[np.float64]


class _Parts:
    """Vertices and triangles of one material after the other."""

    def __init__(self) -> None:
        self.positions: list[_Floats] = []
        self.normals: list[_Floats] = []
        self.uv: list[_Floats] = []
        self.joints: list[NDArray[np.int64]] = []
        self.weights: list[_Floats] = []
        self.triangles: list[NDArray[np.int64]] = []
        self.materials: list[Material] = []
        self._vertices = self._triangles = 0

    def grid(
        self, points: _Floats, normals: _Floats, bones: dict[int, _Floats | float]
    ) -> NDArray[np.int64]:
        """Add [rows, columns] points, seen from where row -> column -> normal is right-handed."""
        rows, columns = points.shape[:2]
        v, u = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
        count = rows * columns
        joints, weights = np.zeros((count, 4), np.int64), np.zeros((count, 4))
        for place, (bone, weight) in enumerate(bones.items()):
            joints[:, place] = bone
            weights[:, place] = np.broadcast_to(weight, (rows, columns)).reshape(-1)
        index = np.arange(count).reshape(rows, columns) + self._vertices
        a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
        faces = np.concatenate(
            [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
        )
        flat = points.reshape(-1, 3)
        corners = flat[faces - self._vertices]
        area = np.linalg.norm(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
        )
        self.positions.append(flat)
        self.normals.append(normals.reshape(-1, 3))
        self.uv.append(np.stack([u, v], -1).reshape(-1, 2))
        self.joints.append(joints)
        self.weights.append(weights)
        self.triangles.append(faces[area > 1e-9])
        self._vertices += count
        return index.reshape(-1)

    def finish(self, name: str, **look: Any) -> None:
        """Make one material of the triangles since the last."""
        count = sum(map(len, self.triangles)) - self._triangles
        self.materials.append(Material(name, self._triangles, count, **look))
        self._triangles += count


def a_figure(*, triangles: int = 2000, path: Path = Path("made-up.pmx")) -> Figure:
    """Return a character with about ``triangles`` triangles."""
    side = max(int(np.sqrt(max(triangles - 600, 0) / 8.2)), 6)
    parts = _Parts()
    face = parts.grid(*_ellipsoid(_CENTRE, _RADII, side, side), {_HEAD: 1.0})
    parts.finish("顔", color=(1.0, 0.87, 0.78, 1.0), texture=0, edge_width=0.006)
    whites = [_disc(parts, s * EYE_X, EYE_Y, 0.2, 0.16, 0.02, {_HEAD: 1.0}) for s in (1, -1)]
    parts.finish("白目", color=(1.0, 1.0, 1.0, 1.0))
    irises = [
        _disc(parts, s * EYE_X, EYE_Y, 0.1, 0.13, 0.08, {bone: 1.0})
        for s, bone in ((1, _LEFT_EYE), (-1, _RIGHT_EYE))
    ]
    parts.finish("瞳", color=(0.25, 0.35, 0.8, 1.0))
    lids = [_strip(parts, s * EYE_X, EYE_Y + 0.14, 0.23, 0.03, 0.11) for s in (1, -1)]
    parts.finish("まぶた", color=(0.45, 0.2, 0.2, 1.0), double_sided=True)
    brows = [_strip(parts, s * EYE_X, EYE_Y + 0.32, 0.2, 0.025, 0.05) for s in (1, -1)]
    parts.finish("眉", color=(0.4, 0.25, 0.2, 1.0), double_sided=True)
    mouth = _strip(parts, 0.0, 16.3, 0.18, 0.012, 0.04)
    parts.finish("口", color=(0.6, 0.15, 0.2, 1.0), double_sided=True)
    points, normals = _ellipsoid(
        _CENTRE + np.array([0.0, 0.05, -0.12]),
        _RADII * np.array([1.06, 1.05, 1.06]),
        side,
        side,
        front=0.55,
    )
    parts.grid(points, normals, {_HEAD: 1.0})
    for s in (1, -1):  # locks hang before the cheeks, lower than the chin
        parts.grid(*_tube([s * 0.85, 14.8, 0.25], 2.2, 0.09, 5, 6), {_HEAD: 1.0})
    parts.grid(*_tube([0.02, 17.9, 0.0], 1.2, 0.03, 3, 4), {_HEAD: 1.0})
    parts.finish("髪", color=(1.0, 1.0, 1.0, 1.0), texture=1, double_sided=True, edge_width=0.006)
    points, normals = _tube([0.0, 14.6, -0.1], 1.7, 0.35, 8, 12)
    share = np.clip((points[..., 1] - 14.8) / 0.9, 0.0, 1.0)
    parts.grid(points, normals, {_SPINE: 1.0 - share, _NECK: share})
    parts.grid(*_tube([0.0, 8.0, -0.1], 6.8, 1.3, side // 2 + 2, side // 2 + 3), {_SPINE: 1.0})
    parts.finish("体", color=(0.3, 0.45, 0.7, 1.0), edge_width=0.006)
    positions = np.concatenate(parts.positions)
    morphs = _morphs(positions, face, whites, irises, lids, brows, mouth)
    return Figure(
        path=path,
        title="試験体",
        licence=LICENCE,
        positions=positions.astype(np.float32),
        normals=np.concatenate(parts.normals).astype(np.float32),
        uv=np.concatenate(parts.uv).astype(np.float32),
        edge_scale=np.ones(len(positions), np.float32),
        triangles=np.concatenate(parts.triangles).astype(np.int32),
        materials=tuple(parts.materials),
        textures=(_texture((255, 250, 245), 0), _texture((200, 120, 60), 24)),
        bones=BONES,
        joints=np.concatenate(parts.joints).astype(np.int32),
        weights=np.concatenate(parts.weights).astype(np.float32),
        morphs=morphs,
    )


def _surface_z(x: _Floats, y: _Floats) -> _Floats:
    inside = 1.0 - ((x - _CENTRE[0]) / _RADII[0]) ** 2 - ((y - _CENTRE[1]) / _RADII[1]) ** 2
    z: _Floats = _CENTRE[2] + _RADII[2] * np.sqrt(np.maximum(inside, 0.02))
    return z


def _outward(points: _Floats, centre: _Floats, radii: _Floats) -> _Floats:
    normals = (points - centre) / radii**2
    unit: _Floats = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    return unit


def _ellipsoid(
    centre: _Floats, radii: _Floats, rows: int, columns: int, *, front: float = -1.0
) -> tuple[_Floats, _Floats]:
    """Return the points of a closed surface; ``front`` > 0 leaves out what is before the face."""
    polar, around = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, rows),
        np.linspace(-np.pi, np.pi, columns * 2),
        indexing="ij",
    )
    if front > 0:  # down to the brows in front, to the neck behind
        polar = polar * (0.5 + 0.25 * (1 - np.cos(around)) / 2)
    shape = np.stack(
        [np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)], -1
    )
    points = centre + shape * radii
    return points, _outward(points, centre, radii)


def _tube(
    foot: list[float], height: float, radius: float, rows: int, columns: int
) -> tuple[_Floats, _Floats]:
    """Return an upright tube, narrower at its top, from its top down."""
    down, around = np.meshgrid(
        np.linspace(1.0, 0.0, rows), np.linspace(-np.pi, np.pi, columns), indexing="ij"
    )
    normals = np.stack([np.sin(around), np.zeros_like(around), np.cos(around)], -1)
    points = np.array(foot) + normals * (radius * (1.0 - 0.5 * down))[..., None]
    points[..., 1] += down * height
    return points, normals


def _on_face(x: _Floats, y: _Floats, lift: float) -> tuple[_Floats, _Floats]:
    points = np.stack([x, y, _surface_z(x, y)], -1)
    normals = _outward(points, _CENTRE, _RADII)
    return points + normals * lift, normals


def _disc(
    parts: _Parts,
    x: float,
    y: float,
    wide: float,
    high: float,
    lift: float,
    bones: dict[int, _Floats | float],
) -> NDArray[np.int64]:
    radius, around = np.meshgrid(np.linspace(0, 1, 4), np.linspace(0, 2 * np.pi, 13), indexing="ij")
    points, normals = _on_face(
        x + radius * wide * np.cos(around), y + radius * high * np.sin(around), lift
    )
    return parts.grid(points, normals, bones)


def _strip(
    parts: _Parts, x: float, y: float, wide: float, high: float, lift: float
) -> NDArray[np.int64]:
    """Add a band of three rows and nine columns, upper row first."""
    rows, columns = np.mgrid[1:-1:3j, -1:1:9j]
    points, normals = _on_face(x + columns * wide, y + rows * high, lift)
    return parts.grid(points, normals, {_HEAD: 1.0})


def _morphs(
    positions: _Floats,
    face: NDArray[np.int64],
    whites: list[NDArray[np.int64]],
    irises: list[NDArray[np.int64]],
    lids: list[NDArray[np.int64]],
    brows: list[NDArray[np.int64]],
    mouth: NDArray[np.int64],
) -> dict[str, Morph]:
    def moved(*pieces: tuple[NDArray[np.int64], _Floats]) -> Morph:
        return Morph(
            np.concatenate([vertices for vertices, _ in pieces]).astype(np.int32),
            np.concatenate([offsets for _, offsets in pieces]).astype(np.float32),
        )

    def rows_of(count: int, *dy: float) -> _Floats:
        offsets = np.zeros((count, 3))
        offsets[:, 1] = np.repeat(dy, count // len(dy))
        return offsets

    across = np.tile(np.linspace(-1, 1, 9), 3)

    def lid(how_far: float, bow: float) -> list[tuple[NDArray[np.int64], _Floats]]:
        pieces = []
        for vertices in lids:
            offsets = rows_of(27, 0.0, -how_far / 2, -how_far)
            offsets[9:, 1] += bow * (1 - across[9:] ** 2)
            pieces.append((vertices, offsets))
        return pieces

    def brow(dy: float, tilt: float) -> Morph:
        pieces = []
        for side, vertices in zip((1, -1), brows, strict=True):
            offsets = np.zeros((27, 3))
            offsets[:, 1] = dy + tilt * across * side
            pieces.append((vertices, offsets))
        return moved(*pieces)

    def lips(down: float, narrow: float, corners: float = 0.0) -> Morph:
        offsets = rows_of(27, 0.0, -down / 2, -down)
        offsets[:, 1] = offsets[:, 1] * (1 - across**2) + corners * across**2
        offsets[:, 0] = -across * narrow
        return moved((mouth, offsets))

    def towards(vertices: NDArray[np.int64], share: float) -> _Floats:
        offsets: _Floats = (positions[vertices].mean(0) - positions[vertices]) * share
        return offsets

    shut, happy = lid(0.3, 0.0), lid(0.22, 0.08)
    chin = face[np.abs(positions[face][:, 1] - CHIN_Y) < 0.02]
    jaw = np.zeros((len(chin), 3))
    opened = lips(0.22, 0.03)
    return {
        "まばたき": moved(*shut),
        "笑い": moved(*happy),
        "ウィンク": moved(happy[0]),
        "ウィンク右": moved(happy[1]),
        "ウィンク２": moved(shut[0]),
        "ｳｨﾝｸ２右": moved(shut[1]),
        "じと目": moved(*lid(0.15, 0.0)),
        "なごみ": moved(*lid(0.26, 0.02)),
        "びっくり": moved(*[(vertices, towards(vertices, -0.15)) for vertices in whites]),
        "瞳小": moved(*[(vertices, towards(vertices, 0.5)) for vertices in irises]),
        "あ": moved((opened.vertices.astype(np.int64), opened.offsets.astype(float)), (chin, jaw)),
        "い": lips(0.05, -0.06),
        "う": lips(0.1, 0.1),
        "え": lips(0.12, -0.02),
        "お": lips(0.16, 0.08),
        "▲": lips(0.12, 0.05),
        "にやり": lips(0.0, -0.03, 0.06),
        "口角上げ": lips(0.0, 0.0, 0.07),
        "口角下げ": lips(0.0, 0.0, -0.07),
        "困る": brow(0.0, -0.08),
        "怒り": brow(-0.02, 0.08),
        "上": brow(0.1, 0.0),
        "下": brow(-0.1, 0.0),
        "にこり": brow(0.05, -0.02),
        "真面目": brow(-0.03, 0.02),
    }


def _texture(color: tuple[int, int, int], spread: int) -> U8Array:
    rows = np.linspace(-spread, spread, 32)[:, None, None]
    rgb = np.clip(np.array(color)[None, None] + np.repeat(rows, 32, 1), 0, 255)
    return np.dstack([rgb, np.full((32, 32), 255.0)]).astype(np.uint8)


def vertices_of(figure: Figure, material: str) -> F32Array:
    """Return the rest positions of the vertices that a material's triangles use."""
    part = next(part for part in figure.materials if part.name == material)
    used = np.unique(figure.triangles[part.first : part.first + part.count])
    return figure.positions[used]
