from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.figures import a_figure
from tests.support.mmd_files import write_pmx
from tests.support.vrm_files import write_vrm
from vtbridge.errors import DatasetError
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.scan import card
from vtbridge.training.scan.card import Card, Surroundings, Task, lost_card, make_card, picture_of
from vtbridge.training.sources.subject import Subject

FIGURE = a_figure(triangles=600)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for work in ("miku", "rin"):
        (folder / work).mkdir()
    write_pmx(FIGURE, folder / "miku" / "ミク.pmx")
    write_vrm(FIGURE, folder / "rin" / "rin.vrm", 1)
    return folder


@pytest.fixture
def models(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "models"))


def task_of(models: Path, place: str = "miku/ミク.pmx", **change: object) -> Task:
    """Return what a scan asks now."""
    cards = models.parent / "cards"
    cards.mkdir(exist_ok=True)
    path = models / place
    task = Task("x", path, models, Annotation(), Surroundings(cards).of(path), cards, draw=False)
    return replace(task, **change)  # type: ignore[arg-type]


def test_a_model_is_looked_at_once(models: Path) -> None:
    first = make_card(task_of(models))
    assert first.new
    assert first.report.usable
    assert make_card(task_of(models)) == Card(first.report, new=False)


def test_a_moved_folder_is_known(models: Path) -> None:
    make_card(task_of(models))
    moved = models.rename(models.with_name("moved"))
    assert not make_card(task_of(moved)).new


def touch_model(models: Path) -> None:
    write_pmx(a_figure(triangles=700), models / "miku" / "ミク.pmx")


def take_texture_away(models: Path) -> None:
    (models / "miku" / "tex" / "布1.png").unlink()


def add_terms(models: Path) -> None:
    (models / "miku" / "readme.txt").write_text("do as you like")


@pytest.mark.parametrize("change", [touch_model, take_texture_away, add_terms])
def test_a_change_of_the_model_or_beside_it_is_looked_at(models: Path, change: object) -> None:
    first = make_card(task_of(models))
    assert callable(change)
    change(models)
    second = make_card(task_of(models))
    assert second.new
    assert second.report != first.report


def test_only_corrections_that_change_the_drawing_are_looked_at(models: Path) -> None:
    make_card(task_of(models))
    same = Annotation(excluded=True, licence_ok=True, file="miku/ミク.pmx", vanished=True)
    assert not make_card(task_of(models, annotation=same)).new
    assert make_card(task_of(models, annotation=Annotation(chin_y=15.5))).report.chin_y == 15.5


def test_another_vtbridge_may_see_more(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_card(task_of(models))
    monkeypatch.setattr(card, "__version__", "999")
    assert make_card(task_of(models)).new


def test_pictures_beside_a_vrm_are_none_of_its_business(models: Path) -> None:
    make_card(task_of(models, "rin/rin.vrm"))
    (models / "rin" / "preview.png").write_bytes(b"x")
    (models / "rin" / "other").mkdir()
    (models / "rin" / "other" / "terms.txt").write_text("of another")
    assert not make_card(task_of(models, "rin/rin.vrm")).new
    (models / "rin" / "terms.txt").write_text("no resale")
    assert "no resale" in make_card(task_of(models, "rin/rin.vrm")).report.licence


def test_what_the_scan_itself_writes_is_no_change(models: Path) -> None:
    out = models / "miku" / "scan"
    before = Surroundings(out).of(models / "miku" / "ミク.pmx")
    out.mkdir()
    (out / "sheet-01.png").write_bytes(b"x")
    assert Surroundings(out).of(models / "miku" / "ミク.pmx") == before
    assert Surroundings(models / "else").of(models / "miku" / "ミク.pmx") != before


def test_a_damaged_card_is_made_anew(models: Path) -> None:
    first = make_card(task_of(models))
    (models.parent / "cards" / "x.json").write_text('{"name": 3')
    assert make_card(task_of(models)) == first


def test_a_model_that_cannot_be_read_says_why_and_is_not_read_again(models: Path) -> None:
    (models / "miku" / "ミク.pmx").write_bytes(b"PMX nonsense")
    first = make_card(task_of(models))
    assert "PMX" in first.report.error
    assert str(models) not in first.report.error
    assert make_card(task_of(models)) == Card(first.report, new=False)


def test_a_file_that_is_gone_or_a_pipe_says_so(models: Path) -> None:
    gone = models / "miku" / "gone.pmx"
    assert "No such file" in make_card(task_of(models, path=gone)).report.error
    os.mkfifo(gone)
    assert make_card(task_of(models, path=gone)).report.error == "it is no file"


def test_what_nobody_foresaw_costs_one_model_and_is_tried_again(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise MemoryError("too large")

    with monkeypatch.context() as patch:
        patch.setattr(card, "read_figure", fail)
        assert make_card(task_of(models)).report.error == "MemoryError: too large"
    assert make_card(task_of(models)).report.usable


@pytest.mark.parametrize("error", [DatasetError("no OpenGL"), ValueError("no OpenGL")])
def test_a_model_that_cannot_be_drawn_is_reported_all_the_same(
    models: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(subject: object) -> bytes:
        raise error

    picture = picture_of(models.parent / "cards", "x")
    picture.parent.mkdir()
    picture.write_bytes(b"an earlier one")
    with monkeypatch.context() as patch:
        patch.setattr(card, "row_of", fail)
        report = make_card(task_of(models, draw=True)).report
    assert "no OpenGL" in report.undrawn
    assert not report.usable
    assert report.triangles > 0
    assert not picture.exists()
    monkeypatch.setattr(card, "row_of", lambda subject: b"drawn")
    assert make_card(task_of(models, draw=True)).report.usable
    assert picture.read_bytes() == b"drawn"


def test_pictures_are_drawn_when_they_are_asked_for_and_kept(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def draw(subject: Subject) -> bytes:
        drawn.append(subject.name)
        return b"row"

    monkeypatch.setattr(card, "row_of", draw)
    make_card(task_of(models))
    assert not drawn
    for new in (True, False):
        assert make_card(task_of(models, draw=True)).new is new
    assert drawn == ["x"]
    # A scan without pictures leaves none that show what was.
    touch_model(models)
    make_card(task_of(models))
    assert make_card(task_of(models, draw=True)).new
    assert drawn == ["x", "x"]


def test_a_full_disk_ends_the_scan_with_what_to_do(models: Path) -> None:
    task = task_of(models)
    shutil.rmtree(task.cards)
    with pytest.raises(DatasetError, match=r"cards cannot be written .*goes on where it was"):
        make_card(task)


def test_names_that_are_no_utf_8_are_told(models: Path) -> None:
    path = models / os.fsdecode("初音.pmx".encode("cp932"))
    (models / "miku" / "ミク.pmx").rename(path)
    (models / "miku" / "tex").rename(models / "tex")
    for _ in range(2):
        report = make_card(task_of(models, path=path)).report
        assert (report.file, report.error) == ("初音.pmx", "")
    path.write_bytes(b"PMX nonsense")
    assert make_card(task_of(models, path=path)).report.error


def test_a_model_that_killed_its_process_says_so(models: Path) -> None:
    told = lost_card(task_of(models)).report
    assert (told.name, told.file, told.usable) == ("x", "miku/ミク.pmx", False)
    assert "was killed" in told.error
