"""Read PMD, MikuMikuDance's first model format: fixed sizes, Shift-JIS, two bones a vertex."""

from __future__ import annotations

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.bone_names import with_roles
from vtbridge.training.figures.byte_cursor import ByteCursor
from vtbridge.training.figures.draft import Draft
from vtbridge.training.figures.figure import Bone, I32Array, Material, Morph
from vtbridge.training.figures.mmd_space import EDGE_WIDTH, lit_color, turned

MAGIC = b"Pmd"
_NO_PARENT = 0xFFFF
_BASE = 0
_VERTEX = np.dtype(
    [
        ("position", "<f4", 3),
        ("normal", "<f4", 3),
        ("uv", "<f4", 2),
        ("bones", "<u2", 2),
        ("share", "u1"),
        ("edgeless", "u1"),
    ]
)
_MATERIAL = np.dtype(
    [
        ("diffuse", "<f4", 3),
        ("alpha", "<f4"),
        ("specular", "<f4", 4),
        ("ambient", "<f4", 3),
        ("toon", "u1"),
        ("edge", "u1"),
        ("corners", "<u4"),
        ("texture", "S20"),
    ]
)
_BONE = np.dtype(
    [
        ("name", "S20"),
        ("parent", "<u2"),
        ("tail", "<u2"),
        ("kind", "u1"),
        ("target", "<u2"),
        ("head", "<f4", 3),
    ]
)
_OFFSET = np.dtype([("vertex", "<u4"), ("offset", "<f4", 3)])


def parse_pmd(data: bytes) -> tuple[Draft, list[str]]:
    """Return the figure in ``data`` and the paths of its textures as the file says them.

    Raises:
        DatasetError: the bytes are cut off or not a PMD.
    """
    cursor = ByteCursor(data)
    if bytes(cursor.take(3)) != MAGIC:
        raise DatasetError("it does not begin as a PMD does: it is another kind of file")
    cursor.skip(4)  # its version is 1.0 always
    title, comment = _text(cursor.take(20)), _text(cursor.take(256))
    vertices = cursor.records(_VERTEX, cursor.count("I", _VERTEX.itemsize, "vertices"))
    corners = cursor.records(np.dtype("<u2"), cursor.count("I", 2, "corners"))
    materials, textures = _materials(cursor)
    bones = _bones(cursor)
    _skip_kinematics(cursor)
    share = np.clip(vertices["share"].astype(np.float32) / 100.0, 0.0, 1.0)
    weights = np.zeros((len(vertices), 4), np.float32)
    weights[:, 0], weights[:, 1] = share, 1.0 - share
    joints: I32Array = np.full((len(vertices), 4), -1, np.int32)
    joints[:, :2] = vertices["bones"]
    edge_scale: F32Array = (vertices["edgeless"] == 0).astype(np.float32)
    draft = Draft(
        title=title,
        licence=comment.replace("\r\n", "\n"),
        positions=turned(vertices["position"]),
        normals=turned(vertices["normal"]),
        uv=vertices["uv"].copy(),
        edge_scale=edge_scale,
        triangles=corners[: len(corners) // 3 * 3].astype(np.int32).reshape(-1, 3),
        materials=materials,
        bones=bones,
        joints=joints,
        weights=weights,
        morphs=_morphs(cursor),
    )
    return draft, textures


def _text(field: bytes | memoryview) -> str:
    """Return a field's text, which ends at the first 0 and may be cut within a character."""
    return bytes(field).split(b"\0", 1)[0].decode("cp932", errors="replace").strip()


def _materials(cursor: ByteCursor) -> tuple[list[Material], list[str]]:
    records = cursor.records(_MATERIAL, cursor.count("I", _MATERIAL.itemsize, "materials"))
    materials: list[Material] = []
    textures: list[str] = []
    first = 0
    for i, record in enumerate(records):
        name = _color_map(_text(record["texture"]))
        if name and name not in textures:
            textures.append(name)
        color = lit_color(
            record["diffuse"].tolist(), record["ambient"].tolist(), float(record["alpha"])
        )
        count = int(record["corners"]) // 3
        materials.append(
            Material(
                f"material {i + 1}",
                first,
                count,
                color=color,
                texture=textures.index(name) if name else -1,
                double_sided=color[3] < 1.0,
                edge_width=EDGE_WIDTH if record["edge"] else 0.0,
            )
        )
        first += count
    return materials, textures


def _color_map(field: str) -> str:
    """Return the picture among ``face.bmp*shine.sph``; the sphere map is not one."""
    names = [name for name in field.split("*") if not name.lower().endswith((".sph", ".spa"))]
    return names[0] if names else ""


def _bones(cursor: ByteCursor) -> tuple[Bone, ...]:
    records = cursor.records(_BONE, cursor.count("H", _BONE.itemsize, "bones"))
    bones = []
    for record in records:
        x, y, z = record["head"].tolist()
        parent = int(record["parent"])
        bones.append(
            Bone(_text(record["name"]), (x, y, -z), -1 if parent == _NO_PARENT else parent)
        )
    return with_roles(bones)


def _skip_kinematics(cursor: ByteCursor) -> None:
    for _ in range(cursor.count("H", 11, "chains of bones")):
        cursor.skip(4)
        links = cursor.integer("B")
        cursor.skip(6 + 2 * links)


def _morphs(cursor: ByteCursor) -> dict[str, Morph]:
    """Return the morphs; all but the first, the base, count the vertices of that."""
    base: I32Array = np.empty(0, np.int32)
    morphs: dict[str, Morph] = {}
    for _ in range(cursor.count("H", 25, "morphs")):
        name = _text(cursor.take(20))
        count, kind = cursor.unpack("IB")
        if count * _OFFSET.itemsize > cursor.left:
            raise DatasetError(f"morph {name!r} claims {count} vertices: the file is damaged")
        records = cursor.records(_OFFSET, count)
        places = records["vertex"]
        if kind == _BASE:
            base = places.astype(np.int32)
            continue
        if count and int(places.max()) >= len(base):
            raise DatasetError(f"morph {name!r} points beyond its base: the file is damaged")
        if count:
            morphs.setdefault(name, Morph(base[places], turned(records["offset"])))
    return morphs
