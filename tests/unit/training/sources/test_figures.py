from __future__ import annotations

import gc
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.figures import a_figure
from tests.support.mmd_files import write_pmd, write_pmx
from tests.support.vrm_files import write_vrm
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.figures.camera import Camera
from vtbridge.training.figures.figure import Figure
from vtbridge.training.sources.figures import FigureSource, FigureSubject
from vtbridge.training.sources.subject import Light, Source, Subject

FIGURE = a_figure(triangles=600)
REST = np.zeros(POSE_SIZE, np.float32)


class Dots:
    """Draws each vertex as a dot, and tells what it was asked."""

    made: list[Dots]

    def __init__(self, figure: Figure, size: int) -> None:
        self.size = size
        self.lights: list[Light] = []
        self.closed = 0
        self.made.append(self)

    def draw(self, positions: F32Array, normals: F32Array, camera: Camera, light: Light) -> U8Array:
        self.lights.append(light)
        middle = np.array([camera.center_x, camera.center_y], np.float32)
        unit = (positions[:, :2] - middle) / camera.half_height
        x, y = ((unit * [1, -1] + 1) / 2 * self.size).astype(int).T
        rgba = np.zeros((self.size, self.size, 4), np.uint8)
        seen = (x >= 0) & (y >= 0) & (x < self.size) & (y < self.size)
        rgba[y[seen], x[seen]] = 255
        return rgba

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def made() -> list[Dots]:
    Dots.made = []
    return Dots.made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    for place in ("作品 A/初音/ミク.pmx", "作品 A/Miku v2.PMX", "B/ミク.pmx"):
        (models / place).parent.mkdir(parents=True, exist_ok=True)
        write_pmx(FIGURE, models / place)
    write_pmd(FIGURE, models / "B" / "old.pmd")
    write_vrm(FIGURE, models / "alone.vrm", 1)
    (models / ".trash").mkdir()
    write_pmx(FIGURE, models / ".trash" / "gone.pmx")
    (models / "loop").symlink_to(models)
    return models


def source(folder: Path, **said: Annotation) -> FigureSource:
    return FigureSource(folder, said, Dots)


def test_every_model_below_the_folder_has_a_name_of_its_own(folder: Path) -> None:
    names = source(folder).names()
    assert len(set(names)) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in names)
    assert any(name.startswith("miku-v2-") for name in names)
    assert sum(name.startswith("figure-") for name in names) == 2


def test_names_stay_when_the_folder_moves(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved, symlinks=True)
    assert source(moved).names() == source(folder).names()


def test_characters_of_a_work_are_told_by_the_top_folder(folder: Path) -> None:
    found = source(folder)
    works = [(found.files[name].name, found.open(name).work) for name in found.names()]
    assert sorted(works) == [
        ("Miku v2.PMX", "作品 A"),
        ("alone.vrm", "alone"),
        ("old.pmd", "B"),
        ("ミク.pmx", "B"),
        ("ミク.pmx", "作品 A"),
    ]


def test_what_a_person_left_out_is_not_offered_but_found(folder: Path) -> None:
    first, second, third, *rest = source(folder).names()
    said = {
        first: Annotation(excluded=True),
        second: Annotation(licence_ok=False),
        third: Annotation(licence_ok=True),
    }
    found = source(folder, **said)
    assert found.names() == [third, *rest]
    assert found.files.keys() == {first, second, third, *rest}


def test_an_unknown_name_and_a_missing_folder_are_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match="no model 'nobody'"):
        source(folder).open("nobody")
    with pytest.raises(DatasetError, match="is no folder"):
        source(folder / "none")


def test_a_figure_is_a_subject_and_a_folder_a_source(folder: Path) -> None:
    some: Source = source(folder)
    subject: Subject = some.open(some.names()[0])
    assert subject.name == some.names()[0]
    assert {PoseParam.HEAD_X, PoseParam.MOUTH_AAA, PoseParam.EYE_WINK_LEFT} <= subject.shows


def test_it_is_drawn_in_its_pose_within_the_specified_frame() -> None:
    subject = FigureSubject("x", "w", FIGURE, open_renderer=Dots)
    rest = subject.draw(REST, size=64)
    turned = REST.copy()
    turned[PoseParam.HEAD_Y] = 1.0
    assert (subject.draw(turned, size=64) != rest).any()
    np.testing.assert_array_equal(subject.draw(REST, size=64), rest)
    rows = np.flatnonzero(rest[:, 28:36].any((1, 2)))
    assert rows.min() < 16  # the tuft stands above the head's top


def test_an_annotation_moves_the_frame() -> None:
    plain = FigureSubject("x", "w", FIGURE, open_renderer=Dots)
    wide = FigureSubject("x", "w", FIGURE, Annotation(chin_y=10.0, top_y=20.0), Dots)
    assert (plain.draw(REST, size=64)[..., 3] > 0).sum() != (
        wide.draw(REST, size=64)[..., 3] > 0
    ).sum()


def test_light_is_the_usual_one_unless_it_is_said(made: list[Dots]) -> None:
    subject = FigureSubject("x", "w", FIGURE, open_renderer=Dots)
    subject.draw(REST)
    subject.draw(REST, light=Light(ambient=1.2))
    assert made[0].lights == [Light(), Light(ambient=1.2)]


def test_one_renderer_serves_a_size_and_is_closed_once(made: list[Dots]) -> None:
    subject = FigureSubject("x", "w", FIGURE, open_renderer=Dots)
    assert not made
    subject.draw(REST, size=32)
    subject.draw(REST, size=32)
    assert len(made) == 1
    subject.draw(REST, size=64)
    assert [renderer.closed for renderer in made] == [1, 0]
    subject.close()
    subject.close()
    assert [renderer.closed for renderer in made] == [1, 1]
    assert (subject.draw(REST, size=64)).any()


def test_a_forgotten_subject_gives_its_renderer_back(made: list[Dots]) -> None:
    subject = FigureSubject("x", "w", FIGURE, open_renderer=Dots)
    subject.draw(REST, size=32)
    del subject
    gc.collect()
    assert made[0].closed == 1
