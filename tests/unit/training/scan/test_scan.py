from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.figures import a_figure
from tests.support.mmd_files import write_pmd, write_pmx
from tests.support.vrm_files import write_vrm
from vtbridge.errors import DatasetError
from vtbridge.training.figures.annotation import Annotation, read_annotations, write_annotations
from vtbridge.training.scan.card import Card, Task, make_card
from vtbridge.training.scan.processes import one_after_the_other
from vtbridge.training.scan.scan import MakeCards, Scanned, scan

FIGURE = a_figure(triangles=600)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for work in "abc":
        (folder / work).mkdir()
    write_pmx(FIGURE, folder / "a" / "ミク.pmx")
    write_pmd(FIGURE, folder / "b" / "old.pmd")
    write_vrm(FIGURE, folder / "c" / "new.vrm", 1)
    return folder


@pytest.fixture
def models(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "models"))


def scanned(models: Path, make: MakeCards = one_after_the_other) -> Scanned:
    out = models.parent / "scan"
    return scan(models, out, out / "a.json", make, lambda done, total: None, draw=False)


def annotations_of(models: Path) -> dict[str, Annotation]:
    return read_annotations(models.parent / "scan" / "a.json")


def name_of(found: Scanned, file: str) -> str:
    return next(report.name for report in found.reports if report.file == file)


def test_the_report_lists_every_model_by_its_name(models: Path) -> None:
    found = scanned(models)
    assert found.new == 3
    names = [report.name for report in found.reports]
    assert names == sorted(names)
    told = json.loads((models.parent / "scan" / "scan.json").read_text("utf-8"))
    assert [each["name"] for each in told] == names
    assert {(each["file"], each["usable"], each["copy_of"]) for each in told} == {
        ("a/ミク.pmx", True, ""),
        ("b/old.pmd", True, ""),
        ("c/new.vrm", True, ""),
    }


def test_progress_is_told_to_its_end(models: Path) -> None:
    heard: list[tuple[int, int]] = []
    out = models.parent / "scan"
    scan(
        models,
        out,
        out / "a.json",
        one_after_the_other,
        lambda done, total: heard.append((done, total)),
        draw=False,
    )
    assert heard == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_an_interrupted_scan_goes_on_where_it_was(models: Path) -> None:
    def interrupted(tasks: Sequence[Task]) -> Iterator[Card]:
        yield make_card(tasks[0])
        yield make_card(tasks[1])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scanned(models, interrupted)
    assert scanned(models).new == 1
    assert scanned(models).new == 0


def test_models_get_a_line_to_correct_that_tells_which_they_are(models: Path) -> None:
    found = scanned(models)
    said = annotations_of(models)
    assert {name: annotation.file for name, annotation in said.items()} == {
        report.name: report.file for report in found.reports
    }
    assert all(annotation == Annotation(file=annotation.file) for annotation in said.values())


def test_vanished_models_keep_their_corrections_and_are_marked_until_they_return(
    models: Path,
) -> None:
    name = name_of(scanned(models), "b/old.pmd")
    file = models.parent / "scan" / "a.json"
    write_annotations(file, annotations_of(models) | {name: Annotation(chin_y=15.8)})
    away = models.parent / "old.pmd"
    (models / "b" / "old.pmd").rename(away)
    found = scanned(models)
    assert found.vanished == (name,)
    assert annotations_of(models)[name] == Annotation(chin_y=15.8, vanished=True)
    away.rename(models / "b" / "old.pmd")
    assert scanned(models).vanished == ()
    assert annotations_of(models)[name] == Annotation(chin_y=15.8, file="b/old.pmd")


def test_what_a_person_writes_meanwhile_is_not_lost(models: Path) -> None:
    file = models.parent / "scan" / "a.json"
    name = name_of(scanned(models), "b/old.pmd")

    def corrected_meanwhile(tasks: Sequence[Task]) -> Iterator[Card]:
        write_annotations(file, {name: Annotation(excluded=True)})
        return one_after_the_other(tasks)

    found = scanned(models, corrected_meanwhile)
    assert found.annotations[name].excluded
    assert annotations_of(models)[name].excluded
    assert len(annotations_of(models)) == 3


def test_a_file_that_says_all_already_is_left_alone(models: Path) -> None:
    scanned(models)
    file = models.parent / "scan" / "a.json"
    mine = json.dumps(json.loads(file.read_text("utf-8")))  # another editor's layout
    file.write_text(mine)
    scanned(models)
    assert file.read_text() == mine


def test_a_damaged_annotation_file_is_told_before_anything_is_looked_at(models: Path) -> None:
    scanned(models)
    file = models.parent / "scan" / "a.json"
    file.write_text('{"version": 1, "figures": {"x": {"chin": 3}}}')

    def never(tasks: Sequence[Task]) -> Iterator[Card]:
        raise AssertionError("looked at models")

    with pytest.raises(DatasetError, match=r"a\.json.*figures\.x\.chin"):
        scanned(models, never)
    assert "chin" in file.read_text()


def test_copies_are_told_by_their_content(models: Path) -> None:
    (models / "d").mkdir()
    shutil.copy(models / "c" / "new.vrm", models / "d" / "again.vrm")
    found = scanned(models)
    again, new = name_of(found, "d/again.vrm"), name_of(found, "c/new.vrm")
    assert found.copies == {max(again, new): min(again, new)}


def test_a_wrong_annotation_fails_its_model_alone(models: Path) -> None:
    name = name_of(scanned(models), "b/old.pmd")
    file = models.parent / "scan" / "a.json"
    write_annotations(file, {name: Annotation(morphs={"mouth_aaa": ("nonsense",)})})
    found = scanned(models)
    errors = {report.name: report.error for report in found.reports if report.error}
    assert errors.keys() == {name}
    assert "no morph 'nonsense' for mouth_aaa" in errors[name]


def test_a_folder_without_models_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "miku.zip").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"holds no model .*unpack archives"):
        scanned(tmp_path / "models")
    assert not (tmp_path / "scan").exists()


def test_a_place_that_cannot_be_written_is_named(models: Path) -> None:
    (models.parent / "scan").write_text("a file")
    with pytest.raises(DatasetError, match=r"scan.* cannot be made .*-o"):
        scanned(models)
