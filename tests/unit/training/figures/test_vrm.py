"""What VRM files may hold beyond the plain one that the round trip writes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pygltflib
import pytest

from tests.support.figure_textures import METRES_A_UNIT, small
from tests.support.figures import a_figure
from tests.support.vrm_files import chunks_of, glb_of, vrm_bytes
from vtbridge.errors import DatasetError
from vtbridge.training.figures.draft import Draft
from vtbridge.training.figures.gltf import Glb
from vtbridge.training.figures.vrm import parse_vrm

FIGURE = small(a_figure(triangles=600))
FILES = {version: vrm_bytes(FIGURE, version) for version in (0, 1)}
Document = dict[str, Any]


def document_of(version: int) -> tuple[Document, bytes]:
    document, chunk = chunks_of(FILES[version])
    return copy.deepcopy(document), chunk


def drafted(document: Document, chunk: bytes) -> Draft:
    return parse_vrm(glb_of(document, chunk))[0]


def test_arrays_are_those_that_another_reader_finds() -> None:
    other = pygltflib.GLTF2.load_from_bytes(FILES[1])
    ours = Glb(FILES[1])
    for i, accessor in enumerate(other.accessors):
        view = other.bufferViews[accessor.bufferView]
        start = view.byteOffset + (accessor.byteOffset or 0)
        raw = other.binary_blob()[start : start + view.byteLength]
        if accessor.componentType == pygltflib.FLOAT:
            found = ours.floats(i, accessor.type)
            np.testing.assert_array_equal(found.reshape(-1), np.frombuffer(raw, "<f4"))
        else:
            size = {5123: "<u2", 5125: "<u4"}[accessor.componentType]
            found_ints = ours.integers(i, accessor.type)
            np.testing.assert_array_equal(found_ints.reshape(-1), np.frombuffer(raw, size))


def test_materials_that_share_vertices_share_them_here_too() -> None:
    draft, _ = parse_vrm(FILES[1])
    assert len(draft.materials) > 1
    assert len(draft.positions) == len(FIGURE.positions)


@pytest.mark.parametrize("as_matrix", [False, True])
def test_a_mesh_without_a_skin_stands_where_its_node_is(as_matrix: bool) -> None:
    document, chunk = document_of(1)
    node = document["nodes"][-1]
    del node["skin"]
    # A quarter turn about y takes z to x; twice as large; one metre up.
    if as_matrix:
        node["matrix"] = [0, 0, -2, 0, 0, 2, 0, 0, 2, 0, 0, 0, 0, 1, 0, 1]
    else:
        node |= {"rotation": [0, 0.5**0.5, 0, 0.5**0.5], "scale": [2, 2, 2]}
        node["translation"] = [0, 1, 0]
    draft = drafted(document, chunk)
    local = FIGURE.positions * METRES_A_UNIT
    wanted = np.stack([2 * local[:, 2], 2 * local[:, 1] + 1, -2 * local[:, 0]], 1)
    np.testing.assert_allclose(draft.positions, wanted, atol=1e-5)
    offsets = FIGURE.morphs["あ"].offsets * METRES_A_UNIT * 2
    moved = np.zeros_like(wanted)
    moved[draft.morphs["あ"].vertices] = draft.morphs["あ"].offsets
    np.testing.assert_allclose(moved[FIGURE.morphs["あ"].vertices, 1], offsets[:, 1], atol=1e-6)
    assert {draft.bones[joint].name for joint in np.unique(draft.joints)} == {"Mesh"}


def test_a_bone_that_stands_otherwise_than_bound_takes_its_vertices_along() -> None:
    document, chunk = document_of(1)
    head = next(node for node in document["nodes"] if node["name"] == "頭")
    head["translation"][1] += 0.5
    draft = drafted(document, chunk)
    of_head = np.isin(FIGURE.joints[:, 0], (3, 4, 5)) & (FIGURE.weights[:, 0] == 1.0)
    rise = draft.positions[:, 1] - FIGURE.positions[:, 1] * METRES_A_UNIT
    np.testing.assert_allclose(rise[of_head], 0.5, atol=1e-5)
    np.testing.assert_allclose(rise[~of_head], 0.0, atol=1e-5)


@pytest.mark.parametrize("version", [0, 1])
def test_an_expression_is_the_weighted_sum_of_its_targets(version: int) -> None:
    document, chunk = document_of(version)
    if version == 0:
        groups = document["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"]
        groups[0]["binds"] = [
            {"mesh": 0, "index": 0, "weight": 50},
            {"mesh": 0, "index": 1, "weight": 25},
        ]
    else:
        node = len(document["nodes"]) - 1
        document["extensions"]["VRMC_vrm"]["expressions"]["preset"]["blink"] = {
            "morphTargetBinds": [
                {"node": node, "index": 0, "weight": 0.5},
                {"node": node, "index": 1, "weight": 0.25},
            ]
        }
    morph = drafted(document, chunk).morphs["blink"]
    found = np.zeros_like(FIGURE.positions)
    np.add.at(found, morph.vertices, morph.offsets)
    wanted = np.zeros_like(FIGURE.positions)
    for name, weight in (("まばたき", 0.5), ("あ", 0.25)):
        wanted[FIGURE.morphs[name].vertices] += FIGURE.morphs[name].offsets * weight
    np.testing.assert_allclose(found, wanted * METRES_A_UNIT, atol=1e-6)


def test_version_0_materials_count_as_unity_says_them() -> None:
    document, chunk = document_of(0)
    properties = document["extensions"]["VRM"]["materialProperties"]
    properties[0]["vectorProperties"]["_Color"] = [0.5, 0.25, 1.0, 0.5]
    properties[0]["floatProperties"] |= {"_BlendMode": 2, "_CullMode": 0}
    properties[0]["renderQueue"] = 3000
    properties[1]["floatProperties"] |= {"_BlendMode": 1, "_Cutoff": 0.25}
    draft = drafted(document, chunk)
    blended, cut = draft.materials[-1], draft.materials[0]
    assert blended.name == FIGURE.materials[0].name  # what blends is drawn last
    assert blended.color == (0.5, 0.25, 1.0, 0.5)
    assert blended.double_sided
    assert cut.name == FIGURE.materials[1].name
    assert cut.cutoff == 0.25


def test_version_1_materials_count_as_mtoon_says_them() -> None:
    document, chunk = document_of(1)
    first, second = document["materials"][:2]
    first["pbrMetallicRoughness"]["baseColorFactor"] = [0.5, 0.0, 1.0, 0.25]
    first["alphaMode"] = "BLEND"
    first["extensions"]["VRMC_materials_mtoon"] |= {
        "outlineWidthMode": "screenCoordinates",
        "outlineWidthFactor": 0.004,
        "outlineColorFactor": [1.0, 0.0, 0.0],
    }
    second |= {"alphaMode": "MASK", "alphaCutoff": 0.75}
    draft = drafted(document, chunk)
    blended = draft.materials[-1]
    cut = next(part for part in draft.materials if part.name == FIGURE.materials[1].name)
    assert blended.name == FIGURE.materials[0].name
    assert blended.color == pytest.approx((0.7354, 0.0, 1.0, 0.25), abs=1e-3)
    assert blended.edge_width == pytest.approx(0.008)
    assert blended.edge_color == pytest.approx((1.0, 0.0, 0.0, 1.0))
    assert cut.cutoff == 0.75


def test_alpha_of_an_opaque_texture_means_nothing() -> None:
    clear = a_figure(triangles=600)
    texture = clear.textures[0]
    assert texture is not None
    texture[..., 3] = 0
    document, chunk = chunks_of(vrm_bytes(clear, 1))
    _, textures = parse_vrm(glb_of(document, chunk))
    assert textures[0] is not None
    assert (textures[0][..., 3] == 255).all()
    document["materials"][0]["alphaMode"] = "BLEND"
    _, textures = parse_vrm(glb_of(document, chunk))
    # The one that blends is drawn last, and so is its texture met last.
    assert textures[-1] is not None
    assert (textures[-1][..., 3] == 0).all()


def test_terms_of_use_are_told() -> None:
    old, _ = parse_vrm(FILES[0])
    assert "allowedUserName: Everyone" in old.licence
    assert "otherLicenseUrl: https://example.org/terms" in old.licence
    new, _ = parse_vrm(FILES[1])
    assert "licenseUrl: https://vrm.dev/licenses/1.0/" in new.licence
    assert "authors: nobody" in new.licence


def _ring(document: Document) -> None:
    for node, children in enumerate([[1], [2], [0]]):
        document["nodes"][node]["children"] = children


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["extensions"].clear(), "without a VRM's humanoid"),
        (lambda d: d["nodes"][0].update(children=[99]), "node 99"),
        (_ring, "in a ring"),
        (lambda d: d["nodes"][-1].update(mesh=5), "no mesh 5 of 1"),
        (lambda d: d["nodes"][-1].update(skin=5), "no skin 5 of 1"),
        (lambda d: d["meshes"][0]["primitives"][0].update(material=99), "no material 99"),
        (lambda d: d["skins"][0].update(joints=[0]), "not 1"),
        (lambda d: d["skins"][0].update(joints=[0] * 5 + [99]), "that are no nodes"),
        (lambda d: d["bufferViews"][1].update(byteLength=10), "do not fit"),
        (lambda d: d["bufferViews"][1].update(byteOffset=2**33), "lies outside"),
        (lambda d: d["accessors"][1].update(type="VEC2"), "not VEC3"),
        (lambda d: d["accessors"][1].update(count=1.5), "accessors.1.count"),
        (lambda d: d["materials"][0].update(alphaMode="GLASS"), "materials.0.alphaMode"),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(change: Any, told: str) -> None:
    document, chunk = document_of(1)
    change(document)
    with pytest.raises(DatasetError) as refusal:
        drafted(document, chunk)
    assert told in str(refusal.value)


def test_a_text_gltf_is_another_kind_of_file() -> None:
    with pytest.raises(DatasetError, match="binary glTF 2"):
        parse_vrm(b'{"asset": {"version": "2.0"}}')


def add_view(document: Document, chunk: bytes, content: bytes, **more: int) -> tuple[int, bytes]:
    chunk += bytes(-len(chunk) % 4)
    view = {"buffer": 0, "byteOffset": len(chunk), "byteLength": len(content), **more}
    document["bufferViews"].append(view)
    return len(document["bufferViews"]) - 1, chunk + content


def test_interleaved_arrays_and_weights_in_bytes_are_read() -> None:
    document, chunk = document_of(1)
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    count = len(FIGURE.positions)
    record = np.zeros(count, np.dtype([("p", "<f4", 3), ("w", "u1", 4), ("gap", "u1", 4)]))
    record["p"] = FIGURE.positions * METRES_A_UNIT
    record["w"] = np.rint(FIGURE.weights * 255)
    view, chunk = add_view(document, chunk, record.tobytes(), byteStride=20)
    for name, offset, kind, of in (("POSITION", 0, 5126, "VEC3"), ("WEIGHTS_0", 12, 5121, "VEC4")):
        document["accessors"][attributes[name]] = {
            "bufferView": view,
            "byteOffset": offset,
            "componentType": kind,
            "normalized": kind == 5121,
            "count": count,
            "type": of,
        }
    draft = drafted(document, chunk)
    np.testing.assert_allclose(draft.weights, FIGURE.weights, atol=1 / 255)
    whole = FIGURE.weights[:, 0] == 1.0
    np.testing.assert_allclose(
        draft.positions[whole], FIGURE.positions[whole] * METRES_A_UNIT, atol=1e-5
    )


def test_an_expression_counts_more_than_a_target_of_its_name() -> None:
    document, chunk = document_of(1)
    document["meshes"][0]["extras"]["targetNames"] = ["aa", "blink"]  # the other way round
    morphs = drafted(document, chunk).morphs
    closing = parse_vrm(FILES[1])[0].morphs["まばたき"]
    np.testing.assert_array_equal(morphs["blink"].vertices, closing.vertices)


def test_a_target_that_moves_nothing_is_no_morph() -> None:
    document, chunk = document_of(1)
    count = len(FIGURE.positions)
    document["accessors"].append({"componentType": 5126, "count": count, "type": "VEC3"})
    for primitive in document["meshes"][0]["primitives"]:
        primitive["targets"][1] = {"POSITION": len(document["accessors"]) - 1}
    assert set(drafted(document, chunk).morphs) == {"blink", "まばたき"}


def test_alpha_counts_only_where_a_material_blends() -> None:
    document, chunk = document_of(0)
    unity = document["extensions"]["VRM"]["materialProperties"][0]
    unity["vectorProperties"]["_Color"] = [1.0, 1.0, 1.0, 0.25]
    assert drafted(document, chunk).materials[0].color[3] == 1.0
    document, chunk = document_of(1)
    document["materials"][0]["pbrMetallicRoughness"]["baseColorFactor"] = [1.0, 1.0, 1.0, 0.25]
    assert drafted(document, chunk).materials[0].color[3] == 1.0


def test_what_blends_and_writes_depth_is_drawn_before_what_only_blends() -> None:
    document, chunk = document_of(1)
    for material in document["materials"]:
        material["alphaMode"] = "BLEND"
    last = document["materials"][-1]
    last["extensions"]["VRMC_materials_mtoon"]["transparentWithZWrite"] = True
    assert drafted(document, chunk).materials[0].name == last["name"]
