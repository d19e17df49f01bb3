"""A 3D model in the one form that posing and drawing know, whatever file it was read from.

Space is right-handed: x to the character's left (right of the picture), y up, z towards the
viewer, whom the character faces. Readers turn what they read into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array

I32Array = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Morph:
    """Vertices that move together.

    Attributes:
        vertices: int32 [K].
        offsets: float32 [K, 3], added at weight 1.
    """

    vertices: I32Array
    offsets: F32Array


@dataclass(frozen=True, slots=True)
class Bone:
    """A joint.

    Attributes:
        name: as in the file.
        head: where it is at rest.
        parent: index of its parent, -1 for a root; parents may come after their children.
        role: ``head``, ``neck``, ``left_eye``, ``right_eye``, ``spine``, ``hips`` or "".
    """

    name: str
    head: tuple[float, float, float]
    parent: int = -1
    role: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """How a run of triangles looks.

    Attributes:
        name: as in the file.
        first: index of its first triangle.
        count: how many triangles.
        color: red, green, blue and alpha, 0..1, sRGB as files have it.
        texture: index in ``Figure.textures``, -1 for none.
        double_sided: whether back faces are seen.
        edge_width: of the outline, as a share of the head's height; 0 draws none.
        edge_color: of the outline, as ``color``.
        cutoff: alpha below which nothing is drawn; 0 blends.
    """

    name: str
    first: int
    count: int
    color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    texture: int = -1
    double_sided: bool = False
    edge_width: float = 0.0
    edge_color: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    cutoff: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A model at rest.

    Attributes:
        path: the file it was read from.
        title: what the file calls it.
        licence: the licence text or terms found with it, "" if none.
        positions: float32 [V, 3].
        normals: float32 [V, 3], unit length.
        uv: float32 [V, 2], (0, 0) is the texture's upper left corner.
        edge_scale: float32 [V], how wide the outline is at a vertex, 0..1.
        triangles: int32 [T, 3], counter-clockwise seen from outside.
        materials: in the order in which they are drawn; together they cover all triangles.
        textures: uint8 [H, W, 4] each, straight alpha; None where a file was not found.
        bones: the skeleton.
        joints: int32 [V, 4], bones that move a vertex.
        weights: float32 [V, 4], how much; each row sums to 1.
        morphs: by the file's names.
    """

    path: Path
    title: str
    licence: str
    positions: F32Array
    normals: F32Array
    uv: F32Array
    edge_scale: F32Array
    triangles: I32Array
    materials: tuple[Material, ...]
    textures: tuple[U8Array | None, ...]
    bones: tuple[Bone, ...]
    joints: I32Array
    weights: F32Array
    morphs: Mapping[str, Morph] = field(default_factory=dict)
