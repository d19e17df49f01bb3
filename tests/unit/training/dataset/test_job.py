"""A data set is the same bytes however it came about, and says what is wrong with it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from webdataset.tariterators import group_by_keys, tar_file_expander

from tests.support.training import SIZE, rendered, small_dataset
from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseParam
from vtbridge.training.dataset import job
from vtbridge.training.dataset.examples import Examples
from vtbridge.training.dataset.manifest import MANIFEST_FILE, ShardRecord, read_manifest
from vtbridge.training.dataset.processes import Processes
from vtbridge.training.dataset.split import Split
from vtbridge.training.dataset.tha1 import HEAD
from vtbridge.training.sources.procedural import ProceduralSubject

RECIPE = small_dataset()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset") / "small"
    rendered(folder, RECIPE)
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.tar")
    }


def stopping_after(count: int) -> job.ShardRunner:
    """Return a runner that is killed in the middle of a shard."""

    def run(tasks: list[job.ShardTask]) -> Iterator[ShardRecord]:
        yield from map(job.make_shard, tasks[:count])
        torn = tasks[count].folder / tasks[count].file
        torn.parent.mkdir(exist_ok=True)
        torn.write_bytes(b"torn")
        raise KeyboardInterrupt

    return run


def nothing(done: int, total: int) -> None:
    pass


def test_examples_are_what_the_subject_looks_like(dataset: Path) -> None:
    examples = Examples(dataset, Split.TRAIN)
    assert len(examples) == 3 * RECIPE.poses
    for index in range(len(examples)):
        example = examples[index]
        seed = int(example.subject.removeprefix("procedural-"))
        subject = ProceduralSubject(seed, supersample=1)
        unturned = example.pose.copy()
        unturned[list(HEAD)] = 0
        for pose, picture in (
            (example.rest_pose, example.rest),
            (unturned, example.expression),
            (example.pose, example.posed),
        ):
            assert (subject.draw(pose, size=SIZE) == picture).all()
        assert example.shows == subject.shows
    with pytest.raises(IndexError):
        examples[len(examples)]


def test_sides_of_the_split_share_no_subject(dataset: Path) -> None:
    sides = [set(Examples(dataset, split).subjects) for split in Split]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 6
    assert all(sides)


def test_same_recipe_and_seed_are_the_same_bytes_and_another_seed_others(
    dataset: Path, tmp_path: Path
) -> None:
    manifest = rendered(tmp_path / "again", RECIPE)
    assert bytes_of(tmp_path / "again") == bytes_of(dataset)
    assert manifest == read_manifest(dataset)
    assert rendered(tmp_path / "other", RECIPE, seed=1).digest != manifest.digest


def test_processes_change_no_byte(dataset: Path, tmp_path: Path) -> None:
    manifest = job.render(tmp_path / "two", RECIPE, 0, Processes(2), nothing)
    assert bytes_of(tmp_path / "two") == bytes_of(dataset)
    assert manifest == read_manifest(dataset)


@pytest.mark.parametrize("finished", [0, 1, 2])
def test_an_interrupted_job_goes_on_without_drawing_anything_twice(
    dataset: Path, tmp_path: Path, finished: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        job.render(tmp_path, RECIPE, 0, stopping_after(finished), nothing)
    with pytest.raises(DatasetError, match="no finished data set"):
        read_manifest(tmp_path)
    left: list[str] = []

    def run(tasks: list[job.ShardTask]) -> Iterator[ShardRecord]:
        left.extend(task.file for task in tasks)
        return map(job.make_shard, tasks)

    told: list[tuple[int, int]] = []
    job.render(tmp_path, RECIPE, 0, run, lambda done, total: told.append((done, total)))
    assert len(left) == len(bytes_of(dataset)) - finished
    assert bytes_of(tmp_path) == bytes_of(dataset)
    assert told[-1] == (12, 12)


def test_a_folder_of_another_data_set_or_of_other_files_is_refused(
    dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="with other settings or another seed"):
        rendered(dataset, RECIPE, seed=5)
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DatasetError, match="holds other files"):
        rendered(tmp_path, RECIPE)


def test_a_subject_that_cannot_be_drawn_is_left_out_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = ProceduralSubject.draw

    def failing(self: ProceduralSubject, pose: object, **more: object) -> object:
        if self.name.endswith("3"):
            raise DatasetError("it has no head")
        return draw(self, pose, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ProceduralSubject, "draw", failing)
    manifest = rendered(tmp_path, RECIPE)
    assert job.failures(manifest.shards) == {"procedural-000003": "it has no head"}
    assert sum(shard.poses for shard in manifest.shards) == 5 * RECIPE.poses
    assert "procedural-000003" not in {
        name for split in Split for name in Examples(tmp_path, split).subjects
    }


def test_webdataset_streams_the_shards(dataset: Path) -> None:
    names = []
    for shard in read_manifest(dataset).of(Split.TRAIN):
        with (dataset / shard.file).open("rb") as file:
            for sample in group_by_keys(tar_file_expander([{"url": shard.file, "stream": file}])):
                told = json.loads(sample["poses.json"])
                assert len(told["poses"]) == RECIPE.poses
                assert sample["p01.posed.png"].startswith(b"\x89PNG")
                names.append(sample["__key__"])
    assert names == Examples(dataset, Split.TRAIN).subjects


def test_the_truth_is_kept_where_it_is_asked_for_and_known(tmp_path: Path) -> None:
    rendered(tmp_path, small_dataset(subjects=4, truth=True))
    shard = next((tmp_path / "train").glob("*.tar"))
    with tarfile.open(shard) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    name = Examples(tmp_path, Split.TRAIN).subjects[0]
    told = json.loads(members[f"{name}.truth.json"])
    subject = ProceduralSubject(int(name.removeprefix("procedural-")), supersample=1)
    example = Examples(tmp_path, Split.TRAIN)[1]
    wanted = subject.landmarks(example.pose, size=SIZE)
    assert told["poses"][1]["chin"] == pytest.approx(wanted["chin"], abs=1e-3)
    flow = np.load(io.BytesIO(members[f"{name}.p01.flow.npy"]))
    assert flow.shape == (3, SIZE, SIZE)
    assert set(np.unique(flow[2])) == {0.0, 1.0}
    assert np.abs(flow[:2]).max() > 1
    for group in told["layers"]:
        assert members[f"{name}.layer.{group}.png"].startswith(b"\x89PNG")
    assert {"brows", "front_hair"} <= set(told["layers"])


def test_threads_read_the_same_as_one_after_the_other(dataset: Path) -> None:
    examples = Examples(dataset, Split.TRAIN)
    order = list(range(len(examples))) * 8
    alone = [examples[index].posed for index in range(len(examples))]
    with ThreadPoolExecutor(4) as pool:
        for index, example in zip(order, pool.map(examples.__getitem__, order), strict=True):
            assert (example.posed == alone[index]).all()


def test_six_decimals_of_a_pose_are_kept(dataset: Path) -> None:
    values = Examples(dataset, Split.TRAIN)[0].pose
    assert 0 < values[PoseParam.EYE_WINK_LEFT] < 1
    assert values.dtype == np.float32


@pytest.mark.parametrize("damage", ["cut", "gone", "text", "member"])
def test_a_damaged_shard_is_named_with_the_remedy(
    dataset: Path, tmp_path: Path, damage: str
) -> None:
    rendered(tmp_path, RECIPE)
    shard = next((tmp_path / "train").glob("*.tar"))
    match damage:
        case "cut":
            shard.write_bytes(shard.read_bytes()[:5000])
        case "gone":
            shard.unlink()
        case "text":
            shard.write_text("hello" * 400)
        case _:
            source = dataset / shard.relative_to(tmp_path)
            with tarfile.open(source) as whole, tarfile.open(shard, "w") as part:
                for member in whole:
                    if not member.name.endswith("p01.posed.png"):
                        part.addfile(member, whole.extractfile(member))
    with pytest.raises(DatasetError, match=r"train/.*render the data set again"):
        Examples(tmp_path, Split.TRAIN)


def test_a_damaged_manifest_or_picture_is_named(tmp_path: Path) -> None:
    rendered(tmp_path, RECIPE)
    examples = Examples(tmp_path, Split.TRAIN)
    shard = next((tmp_path / "train").glob("*.tar"))
    with shard.open("r+b") as file:
        content = file.read()
        file.seek(content.index(b"\x89PNG"))
        file.write(b"\0" * 200)
    with pytest.raises(DatasetError, match=r"rest\.png is no RGBA picture of 64 x 64: render"):
        examples[0]
    (tmp_path / MANIFEST_FILE).write_text("{}")
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged"):
        read_manifest(tmp_path)
