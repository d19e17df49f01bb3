"""What PMX files may hold beyond what the writer of others can write."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np
import pytest
from pymeshio.pmx import reader

from vtbridge.errors import DatasetError
from vtbridge.training.figures.pmx import parse_pmx

POSITIONS = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0, 2.0), (0.5, 0.5, 0.5))


def text(value: str) -> bytes:
    content = value.encode("utf-8")
    return struct.pack("<i", len(content)) + content


def a_vertex(place: int, *, more_uv: int = 0, kinds: int = 5) -> bytes:
    """Return a vertex of each kind of skin in turn."""
    skins = (
        struct.pack("<Bb", 0, 1),
        struct.pack("<Bbbf", 1, 0, 1, 0.25),
        struct.pack("<Bbbbbffff", 2, 0, 1, 0, -1, 0.5, 0.25, 0.25, 0.5),
        struct.pack("<Bbbf9f", 3, 1, 0, 0.75, *range(9)),
        struct.pack("<Bbbbbffff", 4, 0, 1, 1, 1, 1.0, 0.0, 0.0, 0.0),
    )
    head = struct.pack("<8f", *POSITIONS[place], 0, 0, -1, 0.5, 0.25)
    return head + bytes(16 * more_uv) + skins[place % kinds] + struct.pack("<f", 0.5)


def a_material(
    count: int,
    flags: int = 0x10,
    *,
    own_toon: bool = False,
    edge: float = 2.0,
    texture: int = 0,
) -> bytes:
    toon = struct.pack("<Bb", 0, -1) if own_toon else struct.pack("<BB", 1, 3)
    return b"".join(
        [
            text("肌"),
            text("skin"),
            struct.pack("<11f", 1.0, 0.5, 0.25, 0.75, 0, 0, 0, 5.0, 0.1, 0.1, 0.1),
            struct.pack("<B", flags),
            struct.pack("<5f", 0.1, 0.2, 0.3, 1.0, edge),
            struct.pack("<bbB", texture, -1, 0),
            toon,
            text("memo"),
            struct.pack("<i", count),
        ]
    )


def a_bone(name: str, english: str, parent: int, flags: int) -> bytes:
    parts = [text(name), text(english), struct.pack("<3fbiH", 0, 5, 1, parent, 0, flags)]
    parts.append(struct.pack("<b", 0) if flags & 1 else bytes(12))
    parts.append(struct.pack("<bf", 0, 1.0) if flags & 0x300 else b"")
    parts.append(bytes(12) if flags & 0x400 else b"")
    parts.append(bytes(24) if flags & 0x800 else b"")
    parts.append(bytes(4) if flags & 0x2000 else b"")
    if flags & 0x20:
        links = struct.pack("<bB", 0, 0) + struct.pack("<bB6f", 0, 1, *range(6))
        parts.append(struct.pack("<bifi", 0, 10, 0.5, 2) + links)
    return b"".join(parts)


def a_morph(name: str, kind: int, records: Sequence[bytes], english: str = "") -> bytes:
    head = text(name) + text(english) + struct.pack("<BBi", 1, kind, len(records))
    return head + b"".join(records)


def moved(vertex: int, x: float, y: float, z: float) -> bytes:
    return struct.pack("<B3f", vertex, x, y, z)


MORPHS = (
    a_morph("あ", 1, [moved(0, 1, 2, 3), moved(2, 0, 1, 0)]),
    a_morph("骨", 2, [struct.pack("<b7f", 0, *range(7))]),
    a_morph("UV", 3, [struct.pack("<B4f", 0, *range(4))]),
    a_morph("色", 8, [struct.pack("<bB28f", 0, 1, *range(28))]),
    a_morph("裏", 9, [struct.pack("<bf", 0, 0.5)]),
    a_morph("力", 10, [struct.pack("<bB6f", 0, 0, *range(6))]),
    a_morph("组", 0, [struct.pack("<bf", 0, 0.5), struct.pack("<bf", 7, 2.0)], english="blink"),
    a_morph("い", 1, [moved(0, 0, 1, 0)]),
    a_morph("見出し", 1, []),
    a_morph("あ", 1, [moved(4, 9, 9, 9)]),
)


def a_file(
    *,
    version: float = 2.1,
    more_uv: int = 2,
    skins: int = 5,
    materials: Sequence[bytes] | None = None,
    morphs: Sequence[bytes] = MORPHS,
) -> bytes:
    materials = (
        [a_material(3), a_material(3, 0x01, own_toon=True)] if materials is None else materials
    )
    bones = [a_bone("全ての親", "root", -1, 0x2F21), a_bone("头", "Head", 0, 0)]
    textures = ["a\\b.png"]
    return b"".join(
        [
            b"PMX ",
            struct.pack("<fB8B", version, 8, 1, more_uv, 1, 1, 1, 1, 1, 1),
            *(text(part) for part in ("名", "name", "規約\r\n自由", "terms")),
            struct.pack("<i", len(POSITIONS)),
            *(a_vertex(place, more_uv=more_uv, kinds=skins) for place in range(len(POSITIONS))),
            struct.pack("<i6B", 6, 0, 1, 2, 1, 3, 2),
            struct.pack("<i", len(textures)),
            *map(text, textures),
            struct.pack("<i", len(materials)),
            *materials,
            struct.pack("<i", len(bones)),
            *bones,
            struct.pack("<i", len(morphs)),
            *morphs,
        ]
    )


@pytest.mark.parametrize("more_uv", [0, 4])
def test_every_kind_of_skin_is_read(more_uv: int) -> None:
    draft, _ = parse_pmx(a_file(more_uv=more_uv))
    np.testing.assert_array_equal(draft.positions, np.array(POSITIONS, np.float32) * [1, 1, -1])
    np.testing.assert_array_equal(draft.normals, [[0, 0, 1]] * 5)
    np.testing.assert_array_equal(draft.uv, [[0.5, 0.25]] * 5)
    np.testing.assert_array_equal(draft.edge_scale, [0.5] * 5)
    np.testing.assert_array_equal(
        draft.joints,
        [[1, -1, -1, -1], [0, 1, -1, -1], [0, 1, 0, -1], [1, 0, -1, -1], [0, 1, 1, 1]],
    )
    np.testing.assert_array_equal(
        draft.weights,
        [
            [1, 0, 0, 0],
            [0.25, 0.75, 0, 0],
            [0.5, 0.25, 0.25, 0.5],
            [0.75, 0.25, 0, 0],
            [1, 0, 0, 0],
        ],
    )


def test_what_poses_do_not_need_is_stepped_over() -> None:
    draft, textures = parse_pmx(a_file())
    assert textures == ["a\\b.png"]
    assert draft.title == "名"
    assert draft.licence == "規約\n自由\nterms"
    assert [(part.first, part.count) for part in draft.materials] == [(0, 1), (1, 1)]
    assert [(bone.name, bone.parent) for bone in draft.bones] == [("全ての親", -1), ("头", 0)]


def test_a_bone_is_known_by_its_english_name_too() -> None:
    draft, _ = parse_pmx(a_file())
    assert [bone.role for bone in draft.bones] == ["", "head"]
    assert draft.bones[1].head == (0, 5, -1)


def test_a_group_is_the_sum_of_its_morphs_and_has_the_known_one_of_its_names() -> None:
    morphs = parse_pmx(a_file())[0].morphs
    assert list(morphs) == ["あ", "blink", "い"]
    np.testing.assert_array_equal(morphs["blink"].vertices, [0, 2, 0])
    np.testing.assert_array_equal(morphs["blink"].offsets, [[0.5, 1, -1.5], [0, 0.5, 0], [0, 2, 0]])


def test_the_first_of_two_morphs_of_a_name_is_kept() -> None:
    np.testing.assert_array_equal(parse_pmx(a_file())[0].morphs["あ"].vertices, [0, 2])


def test_a_material_looks_as_its_own_viewer_lights_it() -> None:
    edged, plain = parse_pmx(a_file())[0].materials
    assert edged.color == pytest.approx((0.7, 0.4, 0.25, 0.75))
    assert edged.edge_color == pytest.approx((0.1, 0.2, 0.3, 1.0))
    assert edged.edge_width == pytest.approx(0.012)
    assert (edged.double_sided, plain.double_sided) == (False, True)
    assert plain.edge_width == 0.0


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"Pmx 2.0", "another kind"),
        (a_file(version=1.0), "1.00, not 2.0"),
        (a_file(morphs=[a_morph("?", 99, [])]), "'\\?' is of no known kind 99"),
        (a_file(materials=[a_material(-3)]), "-3 corners"),
        (a_file(morphs=[a_morph("大", 1, [moved(0, 1, 1, 1)] * 3)])[:-20], "cut off"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(data: bytes, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        parse_pmx(data)


def test_groups_cannot_multiply_morphs_without_end() -> None:
    big = a_morph("あ", 1, [moved(0, 1, 1, 1)] * 20_000)
    group = a_morph("組", 0, [struct.pack("<bf", 0, 1.0)] * 20_000)
    with pytest.raises(DatasetError, match="group morph moves more than"):
        parse_pmx(a_file(morphs=[big, group]))


def test_another_reader_finds_the_same() -> None:
    data = a_file(version=2.0, more_uv=0, skins=3, morphs=[MORPHS[0], MORPHS[7]])
    data += bytes(12)  # no frames, bodies and joints
    other = reader.read(io.BytesIO(data))
    ours, textures = parse_pmx(data)
    found = [[v.position.x, v.position.y, -v.position.z] for v in other.vertices]
    np.testing.assert_array_equal(ours.positions, found)
    assert ours.triangles.reshape(-1).tolist() == other.indices
    assert textures == other.textures
    assert [part.name for part in ours.materials] == [part.name for part in other.materials]
    assert [bone.name for bone in ours.bones] == [bone.name for bone in other.bones]
    assert [bone.parent for bone in ours.bones] == [bone.parent_index for bone in other.bones]
    assert [list(ours.morphs[m.name].vertices) for m in other.morphs] == [
        [offset.vertex_index for offset in m.offsets] for m in other.morphs
    ]


def test_a_texture_that_is_not_there_is_none_and_an_edge_has_bounds() -> None:
    wild = a_material(3, edge=1e9, texture=7)
    (material,) = parse_pmx(a_file(materials=[wild]))[0].materials
    assert material.texture == -1
    assert material.edge_width < 0.05
