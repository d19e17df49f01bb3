"""Write a figure as PMX, PMD and VRM, with the writers of others.

What a file cannot hold is lost: PMD has two bones a vertex and names of 20 bytes.
"""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pygltflib
from numpy.typing import NDArray
from pymeshio import common, pmd, pmx
from pymeshio.pmd import writer as pmd_writer
from pymeshio.pmx import writer as pmx_writer

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.training.figures.figure import Figure

EDGE = 0.006
"""Width of an outline of size 1, as a share of the head's height."""
METRES_A_UNIT = 0.08
"""MikuMikuDance's unit, as everybody takes it to be."""
HUMANOID = {
    "hips": "hips",
    "spine": "spine",
    "neck": "neck",
    "head": "head",
    "left_eye": "leftEye",
    "right_eye": "rightEye",
}
# Expression of VRM 0, of VRM 1, morph behind it.
EXPRESSIONS = (
    ("blink", "blink", "まばたき"),
    ("blink_l", "blinkLeft", "ウィンク２"),
    ("blink_r", "blinkRight", "ｳｨﾝｸ２右"),
    ("a", "aa", "あ"),
    ("i", "ih", "い"),
    ("u", "ou", "う"),
    ("e", "ee", "え"),
    ("o", "oh", "お"),
)


def texture_name(index: int) -> str:
    """Return the path of a texture as such files say it."""
    return f"tex\\布{index}.png"


def _write_textures(figure: Figure, folder: Path) -> None:
    (folder / "tex").mkdir(parents=True, exist_ok=True)
    for i, texture in enumerate(figure.textures):
        if texture is not None:
            (folder / texture_name(i).replace("\\", "/")).write_bytes(_png(texture))


def _png(texture: U8Array) -> bytes:
    return cv2.imencode(".png", texture[..., [2, 1, 0, 3]])[1].tobytes()


def _mirrored(array: F32Array) -> list[Any]:
    """Return vectors in MikuMikuDance's space, which looks along +z."""
    return [common.Vector3(x, y, -z) for x, y, z in array.tolist()]


def _clockwise(figure: Figure) -> list[int]:
    indices: list[int] = figure.triangles[:, ::-1].reshape(-1).tolist()
    return indices


def write_pmx(figure: Figure, path: Path, *, encoding: Literal[0, 1] = 0) -> Path:
    """Write ``figure`` and its textures; ``encoding`` 0 is UTF-16, 1 UTF-8."""
    _write_textures(figure, path.parent)
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
    _write_textures(figure, path.parent)
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


class _Glb:
    """A glTF document and its binary chunk in the making."""

    def __init__(self) -> None:
        self.document = pygltflib.GLTF2(
            asset=pygltflib.Asset(version="2.0"),
            scene=0,
            scenes=[pygltflib.Scene(nodes=[])],
            buffers=[pygltflib.Buffer(byteLength=0)],
        )
        self.chunk = bytearray()

    def view(self, content: bytes) -> int:
        self.chunk += b"\0" * (-len(self.chunk) % 4)
        views = self.document.bufferViews
        views.append(
            pygltflib.BufferView(buffer=0, byteOffset=len(self.chunk), byteLength=len(content))
        )
        self.chunk += content
        return len(views) - 1

    def accessor(self, array: NDArray[Any], kind: str) -> int:
        components = {"f4": 5126, "u4": 5125, "u2": 5123, "u1": 5121}
        accessors = self.document.accessors
        flat = array.reshape(len(array), -1)
        accessors.append(
            pygltflib.Accessor(
                bufferView=self.view(np.ascontiguousarray(array).tobytes()),
                componentType=components[array.dtype.str[1:]],
                count=len(array),
                type=kind,
                min=flat.min(0).tolist() if kind == "VEC3" else None,
                max=flat.max(0).tolist() if kind == "VEC3" else None,
            )
        )
        return len(accessors) - 1

    def sparse(self, count: int, vertices: NDArray[Any], values: F32Array) -> int:
        """Add vectors that are 0 but for some."""
        order = np.argsort(vertices)
        accessors = self.document.accessors
        accessors.append(
            pygltflib.Accessor(
                componentType=5126,
                count=count,
                type="VEC3",
                sparse=pygltflib.Sparse(
                    count=len(vertices),
                    indices=pygltflib.AccessorSparseIndices(
                        bufferView=self.view(vertices[order].astype("<u4").tobytes()),
                        componentType=5125,
                    ),
                    values=pygltflib.AccessorSparseValues(
                        bufferView=self.view(values[order].astype("<f4").tobytes())
                    ),
                ),
            )
        )
        return len(accessors) - 1

    def to_bytes(self) -> bytes:
        self.document.buffers[0].byteLength = len(self.chunk)
        self.document.set_binary_blob(bytes(self.chunk))
        return b"".join(self.document.save_to_bytes())


def write_vrm(figure: Figure, path: Path, version: Literal[0, 1], *, sparse: bool = False) -> Path:
    """Write ``figure`` in metres; a VRM 0 faces the other way."""
    path.write_bytes(vrm_bytes(figure, version, sparse=sparse))
    return path


def vrm_bytes(figure: Figure, version: Literal[0, 1], *, sparse: bool = False) -> bytes:
    """Return ``figure`` as a VRM; ``sparse`` morphs say only what moves."""
    turn = np.array([-1, 1, -1] if version == 0 else [1, 1, 1], np.float32)
    glb = _Glb()
    document = glb.document
    positions = figure.positions * turn * METRES_A_UNIT
    heads = np.array([bone.head for bone in figure.bones], np.float32) * turn * METRES_A_UNIT
    for i, bone in enumerate(figure.bones):
        offset = heads[i] - (heads[bone.parent] if bone.parent >= 0 else 0)
        children = [j for j, other in enumerate(figure.bones) if other.parent == i]
        document.nodes.append(
            pygltflib.Node(name=bone.name, translation=offset.tolist(), children=children)
        )
        if bone.parent < 0:
            document.scenes[0].nodes.append(i)
    inverse = np.repeat(np.eye(4, dtype=np.float32)[None], len(heads), 0)
    inverse[:, 3, :3] = -heads  # column-major, as glTF has it
    document.skins.append(
        pygltflib.Skin(
            joints=list(range(len(heads))), inverseBindMatrices=glb.accessor(inverse, "MAT4")
        )
    )
    attributes = pygltflib.Attributes(
        POSITION=glb.accessor(positions, "VEC3"),
        NORMAL=glb.accessor(figure.normals * turn, "VEC3"),
        TEXCOORD_0=glb.accessor(figure.uv, "VEC2"),
        JOINTS_0=glb.accessor(figure.joints.astype("<u2"), "VEC4"),
        WEIGHTS_0=glb.accessor(figure.weights, "VEC4"),
    )
    targets = []
    for morph in figure.morphs.values():
        offsets = morph.offsets * turn * METRES_A_UNIT
        if sparse:
            accessor = glb.sparse(len(positions), morph.vertices, offsets)
        else:
            whole = np.zeros_like(positions)
            whole[morph.vertices] = offsets
            accessor = glb.accessor(whole, "VEC3")
        targets.append({"POSITION": accessor})
    primitives = [
        pygltflib.Primitive(
            attributes=attributes,
            indices=glb.accessor(
                figure.triangles[part.first : part.first + part.count].reshape(-1).astype("<u4"),
                "SCALAR",
            ),
            material=i,
            targets=targets,
        )
        for i, part in enumerate(figure.materials)
    ]
    document.meshes.append(
        pygltflib.Mesh(
            name="Face", primitives=primitives, extras={"targetNames": list(figure.morphs)}
        )
    )
    document.nodes.append(pygltflib.Node(name="Mesh", mesh=0, skin=0))
    mesh_node = len(document.nodes) - 1
    document.scenes[0].nodes.append(mesh_node)
    for i, texture in enumerate(figure.textures):
        assert texture is not None
        document.images.append(
            pygltflib.Image(bufferView=glb.view(_png(texture)), mimeType="image/png")
        )
        document.textures.append(pygltflib.Texture(source=i))
    _add_materials(figure, document, version)
    _add_extension(figure, document, version, mesh_node)
    return glb.to_bytes()


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _add_materials(figure: Figure, document: Any, version: int) -> None:
    for material in figure.materials:
        r, g, b, alpha = material.color
        texture = pygltflib.TextureInfo(index=material.texture) if material.texture >= 0 else None
        mtoon = {
            "specVersion": "1.0",
            "outlineWidthMode": "worldCoordinates" if material.edge_width > 0 else "none",
            "outlineWidthFactor": material.edge_width * 2.0 * METRES_A_UNIT,
            "outlineColorFactor": [_linear(part) for part in material.edge_color[:3]],
        }
        document.materials.append(
            pygltflib.Material(
                name=material.name,
                pbrMetallicRoughness=pygltflib.PbrMetallicRoughness(
                    baseColorFactor=[_linear(r), _linear(g), _linear(b), alpha],
                    baseColorTexture=texture,
                ),
                alphaMode="MASK" if material.cutoff > 0 else "OPAQUE",
                alphaCutoff=material.cutoff if material.cutoff > 0 else None,
                doubleSided=material.double_sided,
                extensions={"VRMC_materials_mtoon": mtoon} if version == 1 else {},
            )
        )


def _add_extension(figure: Figure, document: Any, version: int, mesh_node: int) -> None:
    roles = {bone.role: i for i, bone in enumerate(figure.bones)}
    names = list(figure.morphs)
    if version == 1:
        presets = {
            new: {
                "morphTargetBinds": [
                    {"node": mesh_node, "index": names.index(morph), "weight": 1.0}
                ]
            }
            for _, new, morph in EXPRESSIONS
            if morph in names
        }
        document.extensions["VRMC_vrm"] = {
            "specVersion": "1.0",
            "meta": {
                "name": figure.title,
                "licenseUrl": "https://vrm.dev/licenses/1.0/",
                "avatarPermission": "everyone",
                "authors": ["nobody"],
                "copyrightInformation": figure.licence,
            },
            "humanoid": {
                "humanBones": {HUMANOID[role]: {"node": node} for role, node in roles.items()}
            },
            "expressions": {"preset": presets},
        }
        document.extensionsUsed.append("VRMC_vrm")
        return
    groups = [
        {
            "name": old.upper(),
            "presetName": old,
            "binds": [{"mesh": 0, "index": names.index(morph), "weight": 100}],
        }
        for old, _, morph in EXPRESSIONS
        if morph in names
    ]
    properties = [
        {
            "name": part.name,
            "shader": "VRM/MToon",
            "renderQueue": 2000,
            "floatProperties": {
                "_Cutoff": part.cutoff or 0.5,
                "_BlendMode": 1 if part.cutoff > 0 else 0,
                "_CullMode": 0 if part.double_sided else 2,
                "_OutlineWidthMode": 1 if part.edge_width > 0 else 0,
                "_OutlineWidth": part.edge_width * 2.0 * METRES_A_UNIT * 100,
            },
            "vectorProperties": {
                "_Color": list(part.color),
                "_OutlineColor": list(part.edge_color),
            },
            "textureProperties": {"_MainTex": part.texture} if part.texture >= 0 else {},
        }
        for part in figure.materials
    ]
    document.extensions["VRM"] = {
        "specVersion": "0.0",
        "meta": {
            "title": figure.title,
            "author": "nobody",
            "allowedUserName": "Everyone",
            "licenseName": "Other",
            "otherLicenseUrl": "https://example.org/terms",
            "otherPermissionUrl": figure.licence,
        },
        "humanoid": {
            "humanBones": [{"bone": HUMANOID[role], "node": node} for role, node in roles.items()]
        },
        "blendShapeMaster": {"blendShapeGroups": groups},
        "materialProperties": properties,
    }
    document.extensionsUsed.append("VRM")


def chunks_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the JSON and the binary chunk of a GLB."""
    length = int.from_bytes(content[12:16], "little")
    return json.loads(content[20 : 20 + length]), content[20 + length + 8 :]


def glb_of(document: dict[str, Any], chunk: bytes) -> bytes:
    """Return a GLB of any JSON, however wrong."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(chunk)
    return b"".join(
        [
            b"glTF",
            (2).to_bytes(4, "little"),
            size.to_bytes(4, "little"),
            len(text).to_bytes(4, "little"),
            b"JSON",
            text,
            len(chunk).to_bytes(4, "little"),
            b"BIN\0",
            chunk,
        ]
    )


def small(figure: Figure) -> Figure:
    """Return ``figure`` with two morphs: quick to write and to read many times."""
    kept = {name: figure.morphs[name] for name in ("まばたき", "あ")}
    return replace(figure, morphs=kept)
