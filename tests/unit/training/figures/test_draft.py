"""What files get wrong in small things is put right; what makes no sense is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vtbridge.errors import DatasetError
from vtbridge.training.figures.bone_names import with_roles
from vtbridge.training.figures.draft import MAX_BONES, Draft, figure_from_draft
from vtbridge.training.figures.figure import Bone, Figure, Material, Morph

ROOT, CHILD = Bone("root", (0.0, 0.0, 0.0)), Bone("child", (0.0, 1.0, 0.0), 0)
F32 = np.float32
# A square that faces the viewer.
DRAFT = Draft(
    title="square",
    licence="",
    positions=np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], F32),
    normals=np.tile(np.array([0, 0, 2], F32), (4, 1)),
    uv=np.zeros((4, 2), F32),
    edge_scale=np.ones(4, F32),
    triangles=np.array([[0, 1, 2], [0, 2, 3]], np.int32),
    materials=(Material("all", 0, 2),),
    bones=(ROOT, CHILD),
    joints=np.tile(np.array([0, 1, -1, -1], np.int32), (4, 1)),
    weights=np.tile(np.array([1, 1, 0, 0], F32), (4, 1)),
    morphs={},
)


def finished(draft: Draft) -> Figure:
    return figure_from_draft(draft, Path("square.pmx"), ())


def test_weights_are_made_to_sum_to_1() -> None:
    np.testing.assert_array_equal(finished(DRAFT).weights, [[0.5, 0.5, 0, 0]] * 4)


def test_weights_of_no_bone_go_to_the_others() -> None:
    weights = np.tile(np.array([0.25, 0.0, 0.75, 0.0], F32), (4, 1))
    figure = finished(replace(DRAFT, weights=weights))
    np.testing.assert_array_equal(figure.weights, [[1, 0, 0, 0]] * 4)
    assert figure.joints.min() == 0


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_vertex_without_weight_goes_with_the_first_bone(value: float) -> None:
    figure = finished(replace(DRAFT, weights=np.full((4, 4), value, F32)))
    np.testing.assert_array_equal(figure.weights, [[1, 0, 0, 0]] * 4)
    assert not figure.joints.any()


def test_triangles_the_wrong_way_round_are_turned_as_the_normals_say() -> None:
    clockwise = replace(DRAFT, triangles=np.ascontiguousarray(DRAFT.triangles[:, ::-1]))
    np.testing.assert_array_equal(finished(clockwise).triangles, DRAFT.triangles)
    away = replace(DRAFT, normals=-DRAFT.normals)
    np.testing.assert_array_equal(finished(away).triangles, DRAFT.triangles[:, ::-1])


def test_normals_have_length_1() -> None:
    np.testing.assert_array_equal(finished(DRAFT).normals, [[0, 0, 1]] * 4)


@pytest.mark.parametrize("missing", [0.0, np.nan, np.inf])
def test_missing_normals_come_from_the_triangles_around(missing: float) -> None:
    normals = DRAFT.normals.copy()
    normals[1] = missing
    np.testing.assert_allclose(finished(replace(DRAFT, normals=normals)).normals[1], [0, 0, 1])


def test_a_vertex_that_a_morph_names_twice_moves_by_both() -> None:
    offsets = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 3]], F32)
    morph = Morph(np.array([2, 0, 2], np.int32), offsets)
    found = finished(replace(DRAFT, morphs={"m": morph})).morphs["m"]
    np.testing.assert_array_equal(found.vertices, [0, 2])
    np.testing.assert_array_equal(found.offsets, [[0, 2, 0], [1, 0, 3]])


def test_triangles_of_no_material_are_dropped() -> None:
    figure = finished(replace(DRAFT, materials=(Material("half", 0, 1),)))
    np.testing.assert_array_equal(figure.triangles, DRAFT.triangles[:1])


@pytest.mark.parametrize(
    ("draft", "told"),
    [
        (replace(DRAFT, materials=(Material("more", 0, 3),)), "want 3 triangles of 2"),
        (replace(DRAFT, materials=()), "0 triangles"),
        (replace(DRAFT, bones=()), "0 bones"),
        (replace(DRAFT, bones=(ROOT,) * (MAX_BONES + 1)), "20001 bones"),
        (replace(DRAFT, positions=DRAFT.positions * np.float32(np.nan)), "coordinate is not"),
        (replace(DRAFT, positions=DRAFT.positions * np.float32(1e30)), "coordinate is not"),
        (replace(DRAFT, bones=(ROOT, replace(CHILD, head=(0, float("inf"), 0)))), "bone is not"),
        (replace(DRAFT, triangles=DRAFT.triangles + 2), "triangle points beyond its 4"),
        (replace(DRAFT, triangles=DRAFT.triangles - 1), "triangle points beyond its 4"),
        (replace(DRAFT, joints=DRAFT.joints + 1), "vertex points beyond its 2 bones"),
        (replace(DRAFT, bones=(ROOT, replace(CHILD, parent=2))), "'child' has no parent 2"),
        (replace(DRAFT, bones=(ROOT, replace(CHILD, parent=1))), "'child' is its own ancestor"),
        (
            replace(DRAFT, bones=(replace(ROOT, parent=1), CHILD)),
            "'root' is its own ancestor",
        ),
        (
            replace(DRAFT, morphs={"m": Morph(np.array([4], np.int32), np.ones((1, 3), F32))}),
            r"morph \('m'\) points beyond its 4",
        ),
        (
            replace(
                DRAFT, morphs={"m": Morph(np.array([3], np.int32), np.full((1, 3), np.nan, F32))}
            ),
            "morph's offset",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(draft: Draft, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        finished(draft)


def test_parents_may_come_after_their_children() -> None:
    bones = (replace(CHILD, parent=1), ROOT)
    assert finished(replace(DRAFT, bones=bones)).bones == bones


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("センター", "上半身", "首", "頭"), ("hips", "spine", "neck", "head")),
        (("Neck", "Head", "Eye_L", "eye_R"), ("neck", "head", "left_eye", "right_eye")),
        (("両目", "左目", "右目", "左目先"), ("", "left_eye", "right_eye", "")),
        (("J_Bip_C_Head", "ＨＥＡＤ", "頭", "face"), ("", "", "head", "")),
        (("髪", "胸", "", "頭髪"), ("", "", "", "")),
    ],
)
def test_bones_are_known_by_their_names(names: tuple[str, ...], roles: tuple[str, ...]) -> None:
    bones = with_roles([replace(ROOT, name=name) for name in names])
    assert tuple(bone.role for bone in bones) == roles


def test_a_bones_own_name_counts_more_than_its_english_one() -> None:
    own = [replace(ROOT, name=name) for name in ("頭", "頭飾り")]
    assert [bone.role for bone in with_roles(own, ["", "頭"])] == ["head", ""]
