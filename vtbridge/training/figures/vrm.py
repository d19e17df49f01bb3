"""Read VRM 0 and VRM 1: a binary glTF with a humanoid, expressions and terms of use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.draft import MAX_TRIANGLES, MAX_VERTICES, Draft
from vtbridge.training.figures.figure import Bone, I32Array, Material, Morph
from vtbridge.training.figures.gltf import Glb, Node, Primitive, at
from vtbridge.training.figures.textures import check_count, decode_texture
from vtbridge.training.figures.vrm_document import VrmDocument, vrm_document
from vtbridge.training.figures.vrm_materials import Look, looks_of

_TRIANGLES = 4
_MAX_MORPH_WORK = 400_000_000
_STILL = 1e-9
_USUAL_HEAD_M = 0.22

F64Array = NDArray[np.float64]


def parse_vrm(data: bytes) -> tuple[Draft, list[U8Array | None]]:
    """Return the figure in ``data`` and its textures.

    Raises:
        DatasetError: the bytes are cut off, not a VRM, or contradict each other.
    """
    glb = Glb(data)
    vrm = vrm_document(glb.document)
    scene = _Scene(glb, vrm)
    looks = looks_of(glb.document, vrm.looks)
    order = sorted(range(len(scene.runs)), key=lambda i: _look(looks, scene.runs[i][1]).queue)
    triangles = [scene.runs[i][0] for i in order]
    positions = _stacked(scene.positions, 3)
    joints, weights = _stacked_joints(scene), _stacked(scene.weights, 4)
    head_m = _head_height(scene.bones, positions, joints, weights)
    textures: list[U8Array | None] = []
    places: dict[tuple[int, bool], int] = {}
    materials: list[Material] = []
    first = 0
    for i, run in zip(order, triangles, strict=True):
        look = _look(looks, scene.runs[i][1])
        texture = _texture(glb, look, places, textures)
        materials.append(_material(look, first, len(run), texture, head_m))
        first += len(run)
    draft = Draft(
        title=vrm.title,
        licence=vrm.licence,
        positions=positions,
        normals=_stacked(scene.normals, 3),
        uv=_stacked(scene.uv, 2),
        edge_scale=np.ones(len(positions), np.float32),
        triangles=np.concatenate([np.empty((0, 3), np.int32), *triangles]),
        materials=materials,
        bones=scene.bones,
        joints=joints,
        weights=weights,
        morphs=scene.morphs(),
    )
    return draft, textures


class _Scene:
    """Meshes at rest in a figure's space, one after the other."""

    def __init__(self, glb: Glb, vrm: VrmDocument) -> None:
        self._glb = glb
        self._vrm = vrm
        facing = np.diag([-1.0, 1.0, -1.0, 1.0]) if vrm.version == 0 else np.eye(4)
        nodes = glb.document.nodes
        parents = _parents(nodes)
        self._worlds = [facing @ world for world in _worlds(nodes, parents)]
        self.bones = tuple(
            Bone(
                node.name,
                tuple(self._worlds[i][:3, 3].tolist()),
                parents[i],
                vrm.roles.get(i, ""),
            )
            for i, node in enumerate(nodes)
        )
        self.positions: list[F32Array] = []
        self.normals: list[F32Array] = []
        self.uv: list[F32Array] = []
        self.joints: list[I32Array] = []
        self.weights: list[F32Array] = []
        self.runs: list[tuple[I32Array, int]] = []
        self._targets: dict[tuple[int, int], list[Morph]] = {}
        self._vertices = self._corners = self._morph_work = 0
        for i, node in enumerate(nodes):
            if node.mesh is not None:
                self._add_mesh(i, node.mesh, node.skin)

    def morphs(self) -> dict[str, Morph]:
        """Return the expressions, then the targets that no expression is called like."""
        morphs: dict[str, Morph] = {}
        for name, shares in self._vrm.expressions.items():
            parts = [
                Morph(part.vertices, part.offsets * np.float32(share.weight))
                for share in shares
                for part in self._targets.get((share.mesh, share.target), ())
            ]
            self._count_work(sum(len(part.vertices) for part in parts))
            if parts:
                morphs[name] = _together(parts)
        raw: dict[str, list[Morph]] = {}
        for i, mesh in enumerate(self._glb.document.meshes):
            extras = mesh.extras or next((p.extras for p in mesh.primitives if p.extras), None)
            for k, name in enumerate(extras.target_names if extras else ()):
                if name not in morphs:
                    raw.setdefault(name, []).extend(self._targets.get((i, k), ()))
        return morphs | {name: _together(parts) for name, parts in raw.items() if parts}

    def _add_mesh(self, node: int, place: int, skin: int | None) -> None:
        mesh = at(self._glb.document.meshes, place, "mesh")
        joints, matrices = self._skin(node, skin)
        starts: dict[object, int] = {}
        for primitive in mesh.primitives:
            if primitive.mode != _TRIANGLES:
                continue  # lines and points are no part of a character
            shared = (
                tuple(sorted(primitive.attributes.items())),
                tuple(tuple(sorted(target.items())) for target in primitive.targets),
            )
            if shared not in starts:  # exporters share the vertices of a mesh's materials
                starts[shared] = self._vertices
                self._add_vertices(place, primitive, joints, matrices, skinned=skin is not None)
            self._add_triangles(primitive, starts[shared], self._vertices - starts[shared])

    def _skin(self, node: int, place: int | None) -> tuple[NDArray[np.int64], F64Array]:
        """Return which bones a mesh's joints are, and float64 [J, 4, 4] that put it at rest."""
        if place is None:
            return np.array([node]), np.array([self._worlds[node]])
        skin = at(self._glb.document.skins, place, "skin")
        count = len(skin.joints)
        if not count or max(skin.joints) >= len(self._worlds):
            raise DatasetError(f"skin {place} has joints that are no nodes: the file is damaged")
        inverse = np.repeat(np.eye(4)[None], count, 0)
        if skin.inverse_bind_matrices is not None:
            flat = self._glb.floats(skin.inverse_bind_matrices, "MAT4", count)
            inverse = flat.reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64)
        return np.array(skin.joints), np.array([self._worlds[j] for j in skin.joints]) @ inverse

    def _add_vertices(
        self,
        mesh: int,
        primitive: Primitive,
        joints: NDArray[np.int64],
        matrices: F64Array,
        *,
        skinned: bool,
    ) -> None:
        glb, attributes = self._glb, primitive.attributes
        if "POSITION" not in attributes:
            raise DatasetError(f"mesh {mesh} has triangles without positions: the file is damaged")
        positions = glb.floats(attributes["POSITION"], "VEC3")
        count = len(positions)
        if self._vertices + count > MAX_VERTICES:
            raise DatasetError(f"it has more than {MAX_VERTICES} vertices: no character to pose")

        def given(name: str, kind: str, width: int) -> F32Array:
            if name not in attributes:
                return np.zeros((count, width), np.float32)
            return glb.floats(attributes[name], kind, count)

        local = np.zeros((count, 4), np.int64)
        weights = np.zeros((count, 4), np.float32)
        weights[:, 0] = 1.0
        if skinned and "JOINTS_0" in attributes and "WEIGHTS_0" in attributes:
            local = glb.integers(attributes["JOINTS_0"], "VEC4", count)
            weights = glb.floats(attributes["WEIGHTS_0"], "VEC4", count)
            local = np.where(weights > 0.0, local, 0)
        if count and not (local.min() >= 0 and local.max() < len(joints)):
            raise DatasetError(f"mesh {mesh} has joints beyond its skin: the file is damaged")
        to_rest = np.einsum("vk,vkij->vij", weights, matrices[local])
        self.positions.append(_moved(to_rest, positions, 1.0))
        self.normals.append(_moved(to_rest, given("NORMAL", "VEC3", 3), 0.0))
        self.uv.append(given("TEXCOORD_0", "VEC2", 2))
        self.joints.append(joints[local].astype(np.int32))
        self.weights.append(weights)
        self._count_work(count * len(primitive.targets))
        for k, target in enumerate(primitive.targets):
            if "POSITION" not in target:
                continue
            offsets = glb.floats(target["POSITION"], "VEC3", count)
            moving = np.flatnonzero(~(np.abs(offsets).max(axis=1) <= _STILL))
            if len(moving):
                morph = Morph(
                    (moving + self._vertices).astype(np.int32),
                    _moved(to_rest[moving], offsets[moving], 0.0),
                )
                self._targets.setdefault((mesh, k), []).append(morph)
        self._vertices += count

    def _add_triangles(self, primitive: Primitive, start: int, count: int) -> None:
        if primitive.indices is None:
            indices = np.arange(count)
        else:
            indices = self._glb.integers(primitive.indices, "SCALAR")[:, 0]
        self._corners += len(indices)
        if self._corners > 3 * MAX_TRIANGLES:
            raise DatasetError(f"it has more than {MAX_TRIANGLES} triangles: no character to pose")
        if len(indices) and not 0 <= indices.min() <= indices.max() < count:
            raise DatasetError("a triangle points beyond its mesh: the file is damaged")
        corners = (indices[: len(indices) // 3 * 3] + start).astype(np.int32).reshape(-1, 3)
        material = -1 if primitive.material is None else primitive.material
        self.runs.append((corners, material))

    def _count_work(self, amount: int) -> None:
        self._morph_work += amount
        if self._morph_work > _MAX_MORPH_WORK:
            raise DatasetError("its morphs move more vertices than any character's: damaged")


def _moved(matrices: F64Array, vectors: F32Array, w: float) -> F32Array:
    moved = np.einsum("vij,vj->vi", matrices[:, :3, :3], vectors) + w * matrices[:, :3, 3]
    single: F32Array = moved.astype(np.float32)
    return single


def _parents(nodes: Sequence[Node]) -> list[int]:
    parents = [-1] * len(nodes)
    for i, node in enumerate(nodes):
        for child in node.children:
            if child >= len(nodes) or parents[child] >= 0 or child == i:
                raise DatasetError(f"node {child} has two parents or is missing: damaged")
            parents[child] = i
    return parents


def _worlds(nodes: Sequence[Node], parents: Sequence[int]) -> list[F64Array]:
    """Return float64 [4, 4] world_from_node of each."""
    worlds: list[F64Array | None] = [None] * len(nodes)
    waiting = [i for i, parent in enumerate(parents) if parent < 0]
    while waiting:
        i = waiting.pop()
        above = worlds[parents[i]] if parents[i] >= 0 else None
        local = _local(nodes[i])
        worlds[i] = local if above is None else above @ local
        waiting.extend(nodes[i].children)
    found = [world for world in worlds if world is not None]
    if len(found) < len(nodes):
        raise DatasetError("its nodes hang on each other in a ring: the file is damaged")
    return found


def _local(node: Node) -> F64Array:
    if node.matrix is not None:
        return np.array(node.matrix).reshape(4, 4).T
    x, y, z, w = np.array(node.rotation) / max(float(np.linalg.norm(node.rotation)), 1e-9)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    local = np.eye(4)
    local[:3, :3] = turn * np.array(node.scale)
    local[:3, 3] = node.translation
    return local


def _stacked(arrays: Sequence[F32Array], width: int) -> F32Array:
    return np.concatenate([np.empty((0, width), np.float32), *arrays])


def _stacked_joints(scene: _Scene) -> I32Array:
    return np.concatenate([np.empty((0, 4), np.int32), *scene.joints])


def _together(parts: Sequence[Morph]) -> Morph:
    return Morph(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.offsets for part in parts]),
    )


def _look(looks: Sequence[Look], material: int) -> Look:
    return at(looks, material, "material") if material >= 0 else Look()


def _texture(
    glb: Glb, look: Look, places: dict[tuple[int, bool], int], textures: list[U8Array | None]
) -> int:
    """Return where the texture of ``look`` is in ``textures``, -1 for none; decode it once."""
    if look.texture < 0:
        return -1
    image = at(glb.document.textures, look.texture, "texture").source
    if image is None:
        return -1
    key = (image, look.opaque)
    if key not in places:
        check_count(len(textures) + 1)
        view = at(glb.document.images, image, "image").buffer_view
        content = None if view is None else bytes(glb.view(view))
        places[key] = len(textures)
        textures.append(None if content is None else decode_texture(content, opaque=look.opaque))
    return places[key]


def _material(look: Look, first: int, count: int, texture: int, head_m: float) -> Material:
    return Material(
        look.name,
        first,
        count,
        color=look.color,
        texture=texture,
        double_sided=look.double_sided,
        # A head is half as high as its picture.
        edge_width=min(look.edge_m / head_m + look.edge_share * 2.0, 0.1),
        edge_color=look.edge_color,
        cutoff=look.cutoff,
    )


def _head_height(
    bones: Sequence[Bone], positions: F32Array, joints: I32Array, weights: F32Array
) -> float:
    """Return about how high the head is: from its bone to its top."""
    head = next((i for i, bone in enumerate(bones) if bone.role == "head"), None)
    if head is None:
        return _USUAL_HEAD_M
    own = ((joints == head) * weights).sum(axis=1) > 0.5
    height = float((positions[own, 1] - bones[head].head[1]).max(initial=0.0))
    return height if 1e-3 < height < 1e3 else _USUAL_HEAD_M
