"""Read PMX 2.0 and 2.1, MikuMikuDance's present model format.

Layout: PmxEditor's ``PMX仕様.txt``. What poses do not need is stepped over: sphere and toon maps,
inverse kinematics, material and UV morphs; physics comes last and is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.bone_names import with_roles
from vtbridge.training.figures.byte_cursor import ByteCursor
from vtbridge.training.figures.draft import Draft
from vtbridge.training.figures.figure import Bone, I32Array, Material, Morph
from vtbridge.training.figures.mmd_space import EDGE_WIDTH, lit_color, turned
from vtbridge.training.figures.morph_names import is_known

MAGIC = b"PMX "
_ENCODINGS = ("utf-16-le", "utf-8")
_GROUP, _VERTEX = 0, 1
_MAX_JOINED = 10_000_000
_SIGNED = {1: "b", 2: "h", 4: "i"}
_UNSIGNED = {1: "B", 2: "H", 4: "i"}
_DOUBLE_SIDED, _EDGE = 0x01, 0x10


class _Sizes(NamedTuple):
    """What the header says of the rest: text, further UVs, and the bytes of each index."""

    encoding: str
    more_uv: int
    vertex: int
    texture: int
    material: int
    bone: int
    morph: int
    body: int


class _Reader:
    def __init__(self, cursor: ByteCursor, sizes: _Sizes) -> None:
        self.cursor = cursor
        self.sizes = sizes
        self.bone_layout = _SIGNED[sizes.bone]
        self.vertex_layout = _UNSIGNED[sizes.vertex]

    def text(self) -> str:
        size = self.cursor.count("i", 1, "bytes of text")
        return bytes(self.cursor.take(size)).decode(self.sizes.encoding, errors="replace")

    def names(self) -> tuple[str, str]:
        """Return a name, and what it is called in English."""
        own, english = self.text().strip("\0 "), self.text().strip("\0 ")
        return own or english, english


def parse_pmx(data: bytes) -> tuple[Draft, list[str]]:
    """Return the figure in ``data`` and the paths of its textures as the file says them.

    Raises:
        DatasetError: the bytes are cut off or not a PMX.
    """
    cursor = ByteCursor(data)
    reader = _Reader(cursor, _sizes(cursor))
    title, _ = reader.names()
    licence = "\n".join(filter(None, (reader.text(), reader.text())))
    positions, normals, uv, joints, weights, edge = _vertices(reader)
    layout = np.dtype("<" + reader.vertex_layout)
    corners = cursor.records(layout, cursor.count("i", layout.itemsize, "corners"))
    textures = [reader.text() for _ in range(cursor.count("i", 4, "textures"))]
    materials = _materials(reader, len(textures))
    bones = _bones(reader)
    return (
        Draft(
            title=title,
            licence=licence.replace("\r\n", "\n"),
            positions=turned(positions),
            normals=turned(normals),
            uv=uv,
            edge_scale=edge,
            triangles=corners[: len(corners) // 3 * 3].astype(np.int32).reshape(-1, 3),
            materials=materials,
            bones=bones,
            joints=joints,
            weights=weights,
            morphs=_morphs(reader),
        ),
        textures,
    )


def _sizes(cursor: ByteCursor) -> _Sizes:
    if bytes(cursor.take(4)) != MAGIC:
        raise DatasetError("it does not begin as a PMX does: it is another kind of file")
    (version,) = cursor.floats(1)
    if not 1.99 < version < 2.11:
        raise DatasetError(f"it is PMX {version:.2f}, not 2.0 or 2.1: save it anew in PmxEditor")
    settings = bytes(cursor.take(cursor.integer("B")))
    if (
        len(settings) < 8
        or settings[0] >= len(_ENCODINGS)
        or settings[1] > 4
        or any(size not in (1, 2, 4) for size in settings[2:8])
    ):
        raise DatasetError(f"its settings {settings[:8].hex()} make no sense: the file is damaged")
    return _Sizes(_ENCODINGS[settings[0]], *settings[1:8])


def _vertices(
    reader: _Reader,
) -> tuple[F32Array, F32Array, F32Array, I32Array, F32Array, F32Array]:
    cursor, bone = reader.cursor, reader.sizes.bone
    fixed = 32 + 16 * reader.sizes.more_uv
    count = cursor.count("i", fixed + 1 + bone + 4, "vertices")
    # One to four bones, spherical, dual quaternion; each is as long as its kind.
    indices = np.array([1, 2, 4, 2, 4])
    floats = np.array([0, 1, 4, 1 + 9, 4])
    sizes = (fixed + 1 + indices * bone + 4 * floats + 4).tolist()
    start = np.empty(count, np.int64)
    kinds = np.empty(count, np.uint8)
    whole = cursor.rest()
    data = np.frombuffer(whole, np.uint8)
    at, end = 0, len(data)
    for i in range(count):
        if at + fixed >= end or whole[at + fixed] >= len(sizes):
            raise DatasetError(f"vertex {i} is cut off or of no known kind: the file is damaged")
        start[i], kinds[i] = at, whole[at + fixed]
        at += sizes[whole[at + fixed]]
    cursor.skip(at)

    def gathered(offset: int, size: int, dtype: str, rows: NDArray[np.intp]) -> NDArray[Any]:
        found: NDArray[Any] = data[start[rows, None] + offset + np.arange(size)].view(dtype)
        return found

    head = gathered(0, 32, "<f4", np.arange(count))
    joints = np.full((count, 4), -1, np.int32)
    weights = np.zeros((count, 4), np.float32)
    edge = np.empty(count, np.float32)
    for kind in range(len(sizes)):
        rows = np.flatnonzero(kinds == kind)
        if not len(rows):
            continue
        many = int(indices[kind])
        joints[rows, :many] = gathered(fixed + 1, many * bone, "<" + reader.bone_layout, rows)
        after = fixed + 1 + many * bone
        if many == 1:
            weights[rows, 0] = 1.0
        elif many == 2:
            weights[rows, 0] = gathered(after, 4, "<f4", rows)[:, 0]
            weights[rows, 1] = 1.0 - weights[rows, 0]
        else:
            weights[rows] = gathered(after, 16, "<f4", rows)
        edge[rows] = gathered(sizes[kind] - 4, 4, "<f4", rows)[:, 0]
    return head[:, :3].copy(), head[:, 3:6].copy(), head[:, 6:8].copy(), joints, weights, edge


def _materials(reader: _Reader, textures: int) -> list[Material]:
    cursor, index = reader.cursor, _SIGNED[reader.sizes.texture]
    materials, first = [], 0
    for _ in range(cursor.count("i", 80, "materials")):
        name, _ = reader.names()
        r, g, b, alpha, *_, ar, ag, ab = cursor.floats(11)
        flags = cursor.integer("B")
        edge = cursor.floats(5)
        texture = cursor.integer(index)
        cursor.skip(reader.sizes.texture + 1)
        cursor.skip(1 if cursor.integer("B") else reader.sizes.texture)
        reader.text()
        corners = cursor.integer()
        if corners < 0:
            raise DatasetError(f"material {name!r} has {corners} corners: the file is damaged")
        materials.append(
            Material(
                name,
                first,
                corners // 3,
                color=lit_color((r, g, b), (ar, ag, ab), alpha),
                texture=texture if 0 <= texture < textures else -1,
                double_sided=bool(flags & _DOUBLE_SIDED),
                edge_width=EDGE_WIDTH * min(max(edge[4], 0.0), 4.0) if flags & _EDGE else 0.0,
                edge_color=lit_color(edge[:3], (0.0, 0.0, 0.0), edge[3], light=1.0),
            )
        )
        first += corners // 3
    return materials


def _bones(reader: _Reader) -> tuple[Bone, ...]:
    cursor, bone = reader.cursor, reader.sizes.bone
    bones, english_names = [], []
    for _ in range(cursor.count("i", 26 + bone, "bones")):
        name, english = reader.names()
        x, y, z = cursor.floats(3)
        parent = cursor.integer(reader.bone_layout)
        cursor.skip(4)
        flags = cursor.integer("H")
        cursor.skip(bone if flags & 0x0001 else 12)
        for flag, size in ((0x0300, bone + 4), (0x0400, 12), (0x0800, 24), (0x2000, 4)):
            if flags & flag:
                cursor.skip(size)
        if flags & 0x0020:  # inverse kinematics
            cursor.skip(bone + 8)
            for _ in range(cursor.count("i", bone + 1, "links")):
                cursor.skip(bone)
                if cursor.integer("B"):
                    cursor.skip(24)
        bones.append(Bone(name, (x, y, -z), max(parent, -1)))
        english_names.append(english)
    return with_roles(bones, english_names)


def _morphs(reader: _Reader) -> dict[str, Morph]:
    """Return the vertex morphs, and the groups of them, by name; of equal names the first."""
    cursor, sizes = reader.cursor, reader.sizes
    vertex = np.dtype([("vertex", "<" + reader.vertex_layout), ("offset", "<f4", 3)])
    group = np.dtype([("morph", "<" + _SIGNED[sizes.morph]), ("share", "<f4")])
    uv = sizes.vertex + 16
    stepped_over = {2: sizes.bone + 28, 3: uv, 4: uv, 5: uv, 6: uv, 7: uv}
    stepped_over |= {8: sizes.material + 113, 9: sizes.morph + 4, 10: sizes.body + 25}
    names: list[str] = []
    moved: dict[int, Morph] = {}
    groups: dict[int, NDArray[Any]] = {}
    for place in range(cursor.count("i", 14, "morphs")):
        name, english = reader.names()
        names.append(english if is_known(english) and not is_known(name) else name)
        cursor.skip(1)
        kind = cursor.integer("B")
        if kind == _VERTEX:
            records = cursor.records(vertex, cursor.count("i", vertex.itemsize, "offsets"))
            moved[place] = Morph(records["vertex"].astype(np.int32), turned(records["offset"]))
        elif kind == _GROUP:
            groups[place] = cursor.records(group, cursor.count("i", group.itemsize, "morphs"))
        elif kind in stepped_over:
            cursor.skip(stepped_over[kind] * cursor.count("i", stepped_over[kind], "offsets"))
        else:
            raise DatasetError(f"morph {name!r} is of no known kind {kind}: the file is damaged")
    together = {place: _joined(records, moved) for place, records in groups.items()}
    if sum(len(morph.vertices) for morph in together.values()) > _MAX_JOINED:
        raise DatasetError(f"its group morphs move more than {_MAX_JOINED} vertices: damaged")
    by_name: dict[str, Morph] = {}
    for place in sorted({**moved, **together}):
        morph = moved.get(place) or together[place]
        if len(morph.vertices):
            by_name.setdefault(names[place], morph)
    return by_name


def _joined(records: NDArray[Any], moved: Mapping[int, Morph]) -> Morph:
    """Return the morphs of a group as one; a group has no groups in it."""
    members = [(moved[m], share) for m, share in records.tolist() if m in moved]
    if sum(len(morph.vertices) for morph, _ in members) > _MAX_JOINED:
        raise DatasetError(f"a group morph moves more than {_MAX_JOINED} vertices: damaged")
    return Morph(
        np.concatenate([np.empty(0, np.int32), *(morph.vertices for morph, _ in members)]),
        np.concatenate(
            [np.empty((0, 3), np.float32)]
            + [(morph.offsets * np.float32(share)) for morph, share in members]
        ),
    )
