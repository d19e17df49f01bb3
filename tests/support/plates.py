"""Squares that face the viewer, as figures to draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.training.figures.camera import Camera
from vtbridge.training.figures.figure import Figure, Material
from vtbridge.training.figures.gl import FigureRenderer
from vtbridge.training.sources.subject import Light, Shading

SIZE = 32
CAMERA = Camera(0.0, 0.0, 1.0)
FULL = Light(directional=0.0, ambient=1.0)
TOON = Light(directional=0.0, ambient=1.0, shading=Shading.TOON)
RED, GREEN, BLUE = (1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)
CLEAR = [0, 0, 0, 0]


def plates(*looks: tuple[dict[str, Any], float], textures: tuple[U8Array | None, ...] = ()) -> Any:
    """Return a figure of squares from -0.5 to 0.5 that face the viewer, each at a z."""
    corners = np.array([[-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5], [0.5, 0.5]], np.float32)
    count = len(looks) * 4
    depths = np.repeat([z for _, z in looks], 4).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return Figure(
        path=Path("plates.pmx"),
        title="",
        licence="",
        positions=np.column_stack([np.tile(corners, (len(looks), 1)), depths]),
        normals=np.tile(np.array([0, 0, 1], np.float32), (count, 1)),
        uv=np.tile(corners * [1, -1] + 0.5, (len(looks), 1)).astype(np.float32),
        edge_scale=np.ones(count, np.float32),
        triangles=np.concatenate([faces + 4 * i for i in range(len(looks))]),
        materials=tuple(
            Material(str(i), first=2 * i, count=2, **look) for i, (look, _) in enumerate(looks)
        ),
        textures=textures,
        bones=(),
        joints=np.zeros((count, 4), np.int32),
        weights=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
    )


def drawn(
    figure: Figure,
    light: Light = FULL,
    *,
    size: int = SIZE,
    camera: Camera = CAMERA,
    normals: F32Array | None = None,
    supersample: int = 2,
) -> U8Array:
    renderer = FigureRenderer(figure, size, supersample=supersample)
    try:
        upright = figure.normals if normals is None else normals
        return renderer.draw(figure.positions, upright, camera, light)
    finally:
        renderer.close()


def seen(*looks: tuple[dict[str, Any], float], light: Light = FULL, **other: Any) -> list[int]:
    """Return the pixel in the picture's middle."""
    pixel: list[int] = drawn(plates(*looks, **other), light)[SIZE // 2, SIZE // 2].tolist()
    return pixel
