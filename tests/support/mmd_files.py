"""Write a figure as PMX and PMD, with the writers of others.

What a file cannot hold is lost: PMD has two bones a vertex and names of 20 bytes.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pymeshio import common, pmd, pmx
from pymeshio.pmd import writer as pmd_writer
from pymeshio.pmx import writer as pmx_writer

from tests.support.figure_textures import EDGE, texture_name, write_textures
from vtbridge.datatypes import F32Array
from vtbridge.training.figures.figure import Figure


def _mirrored(array: F32Array) -> list[Any]:
    """Return vectors in MikuMikuDance's space, which looks along +z."""
    return [common.Vector3(x, y, -z) for x, y, z in array.tolist()]


def _clockwise(figure: Figure) -> list[int]:
    indices: list[int] = figure.triangles[:, ::-1].reshape(-1).tolist()
    return indices


def write_pmx(figure: Figure, path: Path, *, encoding: Literal[0, 1] = 0) -> Path:
    """Write ``figure`` and its textures; ``encoding`` 0 is UTF-16, 1 UTF-8."""
    write_textures(figure, path.parent)
    path.write_bytes(pmx_bytes(figure, encoding=encoding))
    return path


def pmx_bytes(figure: Figure, *, encoding: Literal[0, 1] = 0) -> bytes:
    """Return ``figure`` as a PMX 2.0."""
    model = pmx.Model(2.0)
    model.materials, model.bones = [], []  # it begins with one of each
    model.name, model.english_name = figure.title, "made up"
    model.comment, model.english_comment = figure.licence, ""
    positions, normals = _mirrored(figure.positions), _mirrored(figure.normals)
    for i, (joints, weights) in enumerate(
        zip(figure.joints.tolist(), figure.weights.tolist(), strict=True)
    ):
        deform: Any
        if weights[0] == 1.0:
            deform = pmx.Bdef1(joints[0])
        elif weights[0] + weights[1] == 1.0:
            deform = pmx.Bdef2(joints[0], joints[1], weights[0])
        else:
            deform = pmx.Bdef4(*joints, *weights)
        uv = common.Vector2(*figure.uv[i].tolist())
        edge = float(figure.edge_scale[i])
        model.vertices.append(pmx.Vertex(positions[i], normals[i], uv, deform, edge))
    model.indices = _clockwise(figure)
    model.textures = [texture_name(i) for i in range(len(figure.textures))]
    for material in figure.materials:
        r, g, b, alpha = material.color
        model.materials.append(
            pmx.Material(
                name=material.name,
                english_name="",
                diffuse_color=common.RGB(r, g, b),
                alpha=alpha,
                specular_factor=5.0,
                specular_color=common.RGB(0, 0, 0),
                ambient_color=common.RGB(0.4 * r, 0.4 * g, 0.4 * b),
                flag=material.double_sided + 16 * (material.edge_width > 0),
                edge_color=common.RGBA(*material.edge_color),
                edge_size=material.edge_width / EDGE,
                texture_index=material.texture,
                sphere_texture_index=-1,
                sphere_mode=0,
                toon_sharing_flag=1,
                toon_texture_index=0,
                comment="",
                vertex_count=material.count * 3,
            )
        )
    for bone in figure.bones:
        x, y, z = bone.head
        head, tail = common.Vector3(x, y, -z), common.Vector3(0, 1, 0)
        model.bones.append(pmx.Bone(bone.name, "", head, bone.parent, 0, 0x1E, tail_position=tail))
    for name, morph in figure.morphs.items():
        offsets = [
            pmx.VertexMorphOffset(vertex, offset)
            for vertex, offset in zip(
                morph.vertices.tolist(), _mirrored(morph.offsets), strict=True
            )
        ]
        model.morphs.append(pmx.Morph(name, "", 1, 1, offsets))
    content = io.BytesIO()
    pmx_writer.write(content, model, encoding)
    return content.getvalue()


def write_pmd(figure: Figure, path: Path) -> Path:
    """Write ``figure`` and its textures as a PMD."""
    write_textures(figure, path.parent)
    path.write_bytes(pmd_bytes(figure))
    return path


def pmd_bytes(figure: Figure) -> bytes:
    """Return ``figure`` as a PMD."""
    model = pmd.Model(1.0)
    model.name, model.comment = _shift_jis(figure.title, 20), _shift_jis(figure.licence, 256)
    positions, normals = _mirrored(figure.positions), _mirrored(figure.normals)
    for i, (joints, weights) in enumerate(
        zip(figure.joints.tolist(), figure.weights.tolist(), strict=True)
    ):
        uv = common.Vector2(*figure.uv[i].tolist())
        share = round(100 * weights[0])
        hidden = int(figure.edge_scale[i] == 0)
        model.vertices.append(pmd.Vertex(positions[i], normals[i], uv, *joints[:2], share, hidden))
    model.indices = _clockwise(figure)
    for material in figure.materials:
        r, g, b, alpha = material.color
        texture = b""
        if material.texture >= 0:
            texture = _shift_jis(texture_name(material.texture) + "*x.sph", 20)
        model.materials.append(
            pmd.Material(
                common.RGB(r, g, b),
                alpha,
                5.0,
                common.RGB(0, 0, 0),
                common.RGB(0.4 * r, 0.4 * g, 0.4 * b),
                0,
                int(material.edge_width > 0),
                material.count * 3,
                texture,
            )
        )
    for bone in figure.bones:
        item = pmd.createBone(_shift_jis(bone.name, 20), 0)
        item.parent_index = bone.parent if bone.parent >= 0 else 0xFFFF
        item.pos = common.Vector3(bone.head[0], bone.head[1], -bone.head[2])
        model.bones.append(item)
    moved = np.unique(np.concatenate([morph.vertices for morph in figure.morphs.values()]))
    base = pmd.Morph(b"base")
    base.type, base.indices = 0, moved.tolist()
    base.pos_list = [positions[i] for i in base.indices]
    model.morphs.append(base)
    for name, morph in figure.morphs.items():
        item = pmd.Morph(_shift_jis(name, 20))
        item.type = 1
        item.indices = np.searchsorted(moved, morph.vertices).tolist()
        item.pos_list = _mirrored(morph.offsets)
        model.morphs.append(item)
    content = io.BytesIO()
    pmd_writer.write(content, model)
    return content.getvalue()


def _shift_jis(text: str, size: int) -> bytes:
    encoded = text.encode("cp932")
    assert len(encoded) <= size, text
    return encoded
