"""A folder holds one data set, made by one job at a time, and what is finished stays so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.figures import a_figure
from tests.support.mmd_files import write_pmx
from tests.support.training import rendered, small_dataset
from vtbridge.errors import DatasetError
from vtbridge.training.dataset import job
from vtbridge.training.dataset.examples import Examples
from vtbridge.training.dataset.manifest import ShardRecord, read_manifest
from vtbridge.training.dataset.place import PLAN_FILE, Identity, claimed
from vtbridge.training.dataset.recipe import SourceRecipe
from vtbridge.training.dataset.sources import characters_of
from vtbridge.training.dataset.split import Split
from vtbridge.training.figures.annotation import Annotation, write_annotations
from vtbridge.training.sources.figures import figure_name
from vtbridge.training.sources.procedural import ProceduralSubject

RECIPE = small_dataset(subjects=4, poses=1)
WANTED = Identity(name="small", seed=0, digest="d")


def test_two_jobs_never_work_in_one_folder(tmp_path: Path) -> None:
    refused = pytest.raises(DatasetError, match=r"another vtbridge .* is rendering")
    with claimed(tmp_path, WANTED), refused, claimed(tmp_path, WANTED):
        pass
    with claimed(tmp_path, WANTED) as begun:
        assert begun == WANTED


def test_what_a_killed_job_left_before_it_began_is_not_other_files(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".plan.json.1a2b.part").write_text("{")
    with claimed(tmp_path, WANTED) as begun:
        assert begun == WANTED


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": 3}'])
def test_a_damaged_plan_is_named_with_the_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / PLAN_FILE).write_text(content)
    with pytest.raises(DatasetError, match=r"plan\.json is damaged: name another folder"):
        rendered(tmp_path, RECIPE)


def test_a_finished_data_set_stays_finished_when_its_source_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = rendered(tmp_path, RECIPE)

    def gone(recipe: SourceRecipe) -> object:
        raise DatasetError("the disk is not there")

    monkeypatch.setattr(job, "open_source", gone)
    with pytest.raises(DatasetError, match="the disk is not there"):
        rendered(tmp_path, RECIPE)
    assert read_manifest(tmp_path) == manifest


def test_the_remedy_for_a_damaged_shard_mends_it(tmp_path: Path) -> None:
    manifest = rendered(tmp_path, RECIPE)
    shard = tmp_path / "train" / "00000.tar"
    content = bytearray(shard.read_bytes())
    start = content.index(b"\x89PNG")
    content[start : start + 200] = bytes(200)
    shard.write_bytes(content)
    with pytest.raises(DatasetError, match="render the data set again"):
        Examples(tmp_path, Split.TRAIN)[0]
    assert rendered(tmp_path, RECIPE) == manifest
    assert Examples(tmp_path, Split.TRAIN)[0].rest.any()


def test_one_version_goes_on_with_what_it_began_and_no_other(tmp_path: Path) -> None:
    manifest = rendered(tmp_path, RECIPE)
    plan = tmp_path / PLAN_FILE
    plan.write_text(json.dumps(json.loads(plan.read_text()) | {"version": "0.0.1"}))
    assert rendered(tmp_path, RECIPE) == manifest.model_copy(update={"version": "0.0.1"})
    (tmp_path / "train" / "00000.tar").unlink()
    with pytest.raises(DatasetError, match=r"vtbridge 0\.0\.1 began"):
        rendered(tmp_path, RECIPE)


def test_nothing_drawn_is_an_error_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: ProceduralSubject, pose: object, **more: object) -> object:
        raise DatasetError("there is no OpenGL")

    with monkeypatch.context() as patch:
        patch.setattr(ProceduralSubject, "draw", failing)
        with pytest.raises(DatasetError, match=r"none of the characters .* there is no OpenGL"):
            rendered(tmp_path, RECIPE)
    manifest = rendered(tmp_path, RECIPE)
    assert not job.failures(manifest.shards)
    assert sum(shard.poses for shard in manifest.shards) == 4


def test_a_fault_that_nobody_foresaw_costs_one_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = ProceduralSubject.draw

    def failing(self: ProceduralSubject, pose: object, **more: object) -> object:
        if self.name.endswith("2"):
            raise IndexError("index 9 is out of bounds")
        return draw(self, pose, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ProceduralSubject, "draw", failing)
    manifest = rendered(tmp_path, RECIPE)
    assert job.failures(manifest.shards) == {
        "procedural-000002": "IndexError: index 9 is out of bounds"
    }


def test_a_full_disk_is_told_and_leaves_no_half_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job, "write_subject", full)
    with pytest.raises(DatasetError, match=r"00000\.tar cannot be written \(No space left"):
        rendered(tmp_path, RECIPE)
    assert list((tmp_path / "train").iterdir()) == []


def test_a_shard_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    task = job.plan(tmp_path, RECIPE, 0)[0]
    answers = iter([False, True])
    with pytest.raises(KeyboardInterrupt):
        job.make_shard(task, lambda: next(answers))
    assert list((tmp_path / "train").iterdir()) == []


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    figure = a_figure(triangles=300)
    for work in "ab":
        (folder / work).mkdir(parents=True)
        write_pmx(figure, folder / work / f"{work}.pmx")
    return folder


def test_models_that_come_go_or_are_corrected_make_another_data_set(
    tmp_path: Path, models: Path
) -> None:
    corrections = tmp_path / "annotations.json"
    name = figure_name(models / "a" / "a.pmx", models)
    write_annotations(corrections, {name: Annotation(chin_y=16.0)})
    source = SourceRecipe(kind="figures", folder=str(models), annotations=str(corrections))
    before = characters_of(source)
    assert characters_of(source) == before
    seen = {before}
    write_annotations(corrections, {name: Annotation(chin_y=16.1)})
    seen.add(characters_of(source))
    (models / "b" / "b.pmx").rename(models / "b" / "c.pmx")
    seen.add(characters_of(source))
    (models / "a" / "a.pmx").write_bytes(b"PMX nonsense")
    seen.add(characters_of(source))
    assert len(seen) == 4


def test_a_data_set_of_models_that_have_changed_is_not_gone_on_with(
    tmp_path: Path, models: Path
) -> None:
    source = SourceRecipe(kind="figures", folder=str(models))
    recipe = small_dataset(poses=1, source=source)

    def drawing_nothing(tasks: list[job.ShardTask]) -> Iterator[ShardRecord]:
        raise DatasetError("it was drawn")

    with pytest.raises(DatasetError, match="it was drawn"):
        job.render(tmp_path / "data", recipe, 0, drawing_nothing, lambda done, total: None)
    (models / "c.pmx").write_bytes((models / "a" / "a.pmx").read_bytes())
    with pytest.raises(DatasetError, match="the characters of small"):
        job.render(tmp_path / "data", recipe, 0, drawing_nothing, lambda done, total: None)
