"""Figures written by the writers of others come back as they were."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.figure_textures import METRES_A_UNIT
from tests.support.figures import LICENCE, a_figure
from tests.support.mmd_files import write_pmd, write_pmx
from tests.support.vrm_files import write_vrm
from vtbridge.errors import DatasetError
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.read import read_figure

FIGURE = a_figure(triangles=900)
WRITERS: dict[str, Callable[[Path], Path]] = {
    "pmx-utf16": lambda folder: write_pmx(FIGURE, folder / "f.pmx", encoding=0),
    "pmx-utf8": lambda folder: write_pmx(FIGURE, folder / "f.PMX", encoding=1),
    "pmd": lambda folder: write_pmd(FIGURE, folder / "f.pmd"),
    "vrm-0": lambda folder: write_vrm(FIGURE, folder / "f.vrm", 0),
    "vrm-1": lambda folder: write_vrm(FIGURE, folder / "f.vrm", 1),
    "vrm-1-sparse": lambda folder: write_vrm(FIGURE, folder / "f.vrm", 1, sparse=True),
}


@pytest.fixture(scope="module", params=list(WRITERS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def figure(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Figure:
    return read_figure(WRITERS[kind](tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def scale(kind: str) -> float:
    return METRES_A_UNIT if kind.startswith("vrm") else 1.0


def test_every_format_faces_the_viewer_with_its_left_on_the_right(
    figure: Figure, scale: float
) -> None:
    np.testing.assert_allclose(figure.positions, FIGURE.positions * scale, atol=1e-5 * scale)
    np.testing.assert_allclose(figure.normals, FIGURE.normals, atol=1e-6)


def test_triangles_turn_the_same_way_seen_from_outside(figure: Figure) -> None:
    corners = figure.positions[figure.triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("ti,ti->t", across, figure.normals[figure.triangles].sum(1)) > 0).all()
    np.testing.assert_array_equal(figure.triangles, FIGURE.triangles)


def test_skin_goes_with_the_same_bones(figure: Figure, scale: float) -> None:
    heads = np.array([bone.head for bone in figure.bones[: len(FIGURE.bones)]]) / scale
    np.testing.assert_allclose(heads, [bone.head for bone in FIGURE.bones], atol=1e-5)
    roles = [(bone.parent, bone.role) for bone in figure.bones[: len(FIGURE.bones)]]
    assert roles == [(bone.parent, bone.role) for bone in FIGURE.bones]
    # PMD has whole percents.
    for bone in range(len(FIGURE.bones)):
        np.testing.assert_allclose(
            np.where(figure.joints == bone, figure.weights, 0).sum(1),
            np.where(FIGURE.joints == bone, FIGURE.weights, 0).sum(1),
            atol=0.006,
        )
    np.testing.assert_allclose(figure.weights.sum(1), 1.0, atol=1e-6)


def test_morphs_move_what_they_moved(figure: Figure, scale: float) -> None:
    for name, morph in FIGURE.morphs.items():
        found, wanted = np.zeros_like(FIGURE.positions), np.zeros_like(FIGURE.positions)
        wanted[morph.vertices] = morph.offsets
        found[figure.morphs[name].vertices] = figure.morphs[name].offsets
        np.testing.assert_allclose(found, wanted * scale, atol=1e-6)


def test_materials_look_as_they_did(figure: Figure, kind: str) -> None:
    assert [(part.first, part.count) for part in figure.materials] == [
        (part.first, part.count) for part in FIGURE.materials
    ]
    for found, wanted in zip(figure.materials, FIGURE.materials, strict=True):
        assert found.color == pytest.approx(wanted.color, abs=1e-5)
        assert found.texture == wanted.texture
        assert (found.edge_width > 0) == (wanted.edge_width > 0)
        if kind != "pmd":  # which says no names, and shows backs where alpha is below 1
            assert found.name == wanted.name
            assert found.double_sided == wanted.double_sided


def test_textures_come_with_the_model(figure: Figure) -> None:
    for found, wanted in zip(figure.textures, FIGURE.textures, strict=True):
        assert found is not None
        assert wanted is not None
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(figure.uv, FIGURE.uv, atol=1e-6)


def test_title_and_terms_are_told(figure: Figure) -> None:
    assert figure.title == FIGURE.title
    assert LICENCE in figure.licence


def test_outlines_are_about_as_wide_in_every_format(figure: Figure) -> None:
    widths = {part.edge_width for part in figure.materials if part.edge_width}
    assert widths
    assert all(0.003 < width < 0.009 for width in widths)


def test_vrm_expressions_are_morphs_beside_the_targets_behind_them(tmp_path: Path) -> None:
    old = read_figure(WRITERS["vrm-0"](tmp_path))
    np.testing.assert_array_equal(old.morphs["blink"].offsets, old.morphs["まばたき"].offsets)
    new = read_figure(WRITERS["vrm-1"](tmp_path))
    assert {"blinkLeft", "blinkRight", "aa", "oh"} <= new.morphs.keys()


def test_the_message_names_the_file_and_what_is_wrong(tmp_path: Path) -> None:
    path = WRITERS["pmd"](tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DatasetError, match=r"f\.pmd: it claims .* cut off"):
        read_figure(path)


@pytest.mark.parametrize("name", ["none.pmx", "model.fbx"])
def test_what_is_no_model_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.fbx").write_bytes(b"Kaydara")
    with pytest.raises(DatasetError, match=name):
        read_figure(tmp_path / name)


def test_pmd_hides_edges_and_shows_backs_as_its_viewer_does(tmp_path: Path) -> None:
    edge_scale = np.ones_like(FIGURE.edge_scale)
    edge_scale[::2] = 0.0
    clear = tuple(
        replace(part, color=(*part.color[:3], 0.5)) if i == 1 else part
        for i, part in enumerate(FIGURE.materials)
    )
    path = write_pmd(replace(FIGURE, edge_scale=edge_scale, materials=clear), tmp_path / "f.pmd")
    found = read_figure(path)
    np.testing.assert_array_equal(found.edge_scale, edge_scale)
    assert [part.double_sided for part in found.materials[:3]] == [False, True, False]


def test_textures_that_no_material_wears_are_not_read(tmp_path: Path) -> None:
    bare = tuple(replace(part, texture=min(part.texture, 0)) for part in FIGURE.materials)
    path = write_pmx(replace(FIGURE, materials=bare), tmp_path / "f.pmx")
    worn, unworn = read_figure(path).textures
    assert worn is not None
    assert unworn is None


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "f.pmx"
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="is no file"):
        read_figure(path)
