"""Write a figure as VRM 0 and 1, with pygltflib."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pygltflib
from numpy.typing import NDArray

from tests.support.figure_textures import METRES_A_UNIT, png_of
from vtbridge.datatypes import F32Array
from vtbridge.training.figures.figure import Figure

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
            pygltflib.Image(bufferView=glb.view(png_of(texture)), mimeType="image/png")
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
