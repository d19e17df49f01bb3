"""What a VRM says beyond glTF, the same for version 0 and version 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from vtbridge.errors import DatasetError
from vtbridge.training.figures.gltf import GltfDocument, Index, Node, Part, parsed
from vtbridge.training.figures.licence import MAX_CHARACTERS

_ROLES = {
    "hips": "hips",
    "spine": "spine",
    "neck": "neck",
    "head": "head",
    "leftEye": "left_eye",
    "rightEye": "right_eye",
}


@dataclass(frozen=True, slots=True)
class TargetShare:
    """One morph target in an expression; ``weight`` 1 is all of it."""

    mesh: int
    target: int
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class VrmDocument:
    """A character's humanoid, expressions and terms.

    Attributes:
        version: 0 faces -z, 1 faces +z.
        title: what its author calls it.
        licence: its meta data as ``name: value`` lines.
        roles: node to the role of its bone.
        expressions: presets by the name of the preset, others by their own.
        looks: VRM 0's ``materialProperties``, one for each material; empty in VRM 1.
    """

    version: Literal[0, 1]
    title: str
    licence: str
    roles: Mapping[int, str]
    expressions: Mapping[str, Sequence[TargetShare]]
    looks: Sequence[MaterialProperties] = ()


class MaterialProperties(Part):
    """A material as VRM 0 says it, in Unity's words; colours are sRGB."""

    shader: str = ""
    render_queue: int = 2000
    float_properties: dict[str, float] = Field(default_factory=dict)
    vector_properties: dict[str, list[float]] = Field(default_factory=dict)
    texture_properties: dict[str, Index] = Field(default_factory=dict)


class _Bind0(Part):
    mesh: Index
    index: Index
    weight: float = 100.0


class _Group0(Part):
    name: str = ""
    preset_name: str = ""
    binds: tuple[_Bind0, ...] = ()


class _Groups0(Part):
    blend_shape_groups: tuple[_Group0, ...] = ()


class _Bone0(Part):
    bone: str
    node: Index


class _Humanoid0(Part):
    human_bones: tuple[_Bone0, ...] = ()


class _Vrm0(Part):
    meta: dict[str, Any] = Field(default_factory=dict)
    humanoid: _Humanoid0 = _Humanoid0()
    blend_shape_master: _Groups0 = _Groups0()
    material_properties: tuple[MaterialProperties, ...] = ()


class _Bind1(Part):
    node: Index
    index: Index
    weight: float = 1.0


class _Expression1(Part):
    morph_target_binds: tuple[_Bind1, ...] = ()


class _Expressions1(Part):
    preset: dict[str, _Expression1] = Field(default_factory=dict)
    custom: dict[str, _Expression1] = Field(default_factory=dict)


class _Bone1(Part):
    node: Index


class _Humanoid1(Part):
    human_bones: dict[str, _Bone1] = Field(default_factory=dict)


class _Vrm1(Part):
    meta: dict[str, Any] = Field(default_factory=dict)
    humanoid: _Humanoid1 = _Humanoid1()
    expressions: _Expressions1 | None = None


def vrm_document(gltf: GltfDocument) -> VrmDocument:
    """Return what ``gltf`` says as a VRM.

    Raises:
        DatasetError: it is no VRM, or says it wrongly.
    """
    if "VRMC_vrm" in gltf.extensions:
        return _version_1(parsed(_Vrm1, gltf.extensions["VRMC_vrm"]), gltf.nodes)
    if "VRM" in gltf.extensions:
        return _version_0(parsed(_Vrm0, gltf.extensions["VRM"]))
    raise DatasetError("it is a glTF without a VRM's humanoid: export it as VRM")


def _version_0(vrm: _Vrm0) -> VrmDocument:
    expressions: dict[str, list[TargetShare]] = {}
    for group in vrm.blend_shape_master.blend_shape_groups:
        preset = group.preset_name if group.preset_name.lower() != "unknown" else ""
        shares = [TargetShare(bind.mesh, bind.index, bind.weight / 100.0) for bind in group.binds]
        expressions.setdefault(preset or group.name, shares)
    bones = [(bone.bone, bone.node) for bone in vrm.humanoid.human_bones]
    return VrmDocument(
        version=0,
        title=_string(vrm.meta, "title"),
        licence=_terms(vrm.meta),
        roles=_roles(bones),
        expressions=expressions,
        looks=vrm.material_properties,
    )


def _version_1(vrm: _Vrm1, nodes: Sequence[Node]) -> VrmDocument:
    expressions: dict[str, list[TargetShare]] = {}
    given = vrm.expressions or _Expressions1()
    for name, expression in (*given.preset.items(), *given.custom.items()):
        shares = []
        for bind in expression.morph_target_binds:
            mesh = nodes[bind.node].mesh if bind.node < len(nodes) else None
            if mesh is None:
                raise DatasetError(f"expression {name!r} moves node {bind.node}: it has no mesh")
            shares.append(TargetShare(mesh, bind.index, bind.weight))
        expressions.setdefault(name, shares)
    bones = [(name, bone.node) for name, bone in vrm.humanoid.human_bones.items()]
    return VrmDocument(
        version=1,
        title=_string(vrm.meta, "name"),
        licence=_terms(vrm.meta),
        roles=_roles(bones),
        expressions=expressions,
    )


def _roles(bones: Sequence[tuple[str, int]]) -> dict[int, str]:
    return {node: _ROLES[name] for name, node in bones if name in _ROLES}


def _string(meta: Mapping[str, Any], key: str) -> str:
    value = meta.get(key)
    return value if isinstance(value, str) else ""


def _terms(meta: Mapping[str, Any]) -> str:
    return "\n".join(_lines(meta))[:MAX_CHARACTERS]


def _lines(meta: Mapping[str, Any]) -> Iterator[str]:
    for key, value in meta.items():
        if isinstance(value, list):
            value = ", ".join(entry for entry in value if isinstance(entry, str))
        if isinstance(value, str | bool) and value != "":
            yield f"{key}: {value}"
