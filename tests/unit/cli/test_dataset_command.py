from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import run_here
from vtbridge.training.dataset.cluster import _told
from vtbridge.training.dataset.job import ShardTask
from vtbridge.training.dataset.manifest import read_manifest
from vtbridge.training.dataset.recipe import DatasetRecipe, load_recipe

RECIPE = """
name = "tiny"
poses = 1
size = 64
shard = 2
[shares]
train = 1.0
[source]
kind = "procedural"
subjects = 900
supersample = 1
"""


def test_options_change_the_recipe_s_source(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    asked = ("dataset", "render", "tiny.toml", "--subjects", "3", "--processes", "1")
    told = run_here(*asked, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "3 poses in 2 files" in told.stdout
    assert "3 poses were drawn in" in told.stdout
    manifest = read_manifest(tmp_path / "tiny")
    assert manifest.recipe["source"]["subjects"] == 3
    again = run_here(*asked, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "were drawn" not in again.stdout
    other = run_here(*asked[:4], "4", cwd=tmp_path)
    assert other.returncode == 12
    assert "with other settings" in other.stderr


def test_the_recipe_of_models_takes_the_folder_from_the_command(tmp_path: Path) -> None:
    told = run_here("dataset", "render", "figures", "--models", "mine", cwd=tmp_path)
    assert told.returncode == 12
    assert f"{tmp_path / 'mine'} is no folder" in told.stderr
    (tmp_path / "mine").mkdir()
    empty = run_here("dataset", "render", "figures", "--models", "mine", cwd=tmp_path)
    assert f"{tmp_path / 'mine'}: there are no characters in it" in empty.stderr
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("figures", "--subjects", "3"), "--subjects is for procedural characters"),
        (("ci", "--models", "mine"), "--models and --annotations are for 3D models"),
        (("ci", "--annotations", "a.json"), "--models and --annotations are for 3D models"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    told = run_here("dataset", "render", *arguments, cwd=tmp_path)
    assert told.returncode == 12
    assert complaint in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_other_computers_are_told_whole_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe: DatasetRecipe = load_recipe("figures", {"folder": "mine", "annotations": "a.json"})
    told = json.loads(_told(ShardTask(Path("data"), "train/00000.tar", recipe, 0, ("a",))))
    assert told["folder"] == str(tmp_path / "data")
    assert told["recipe"]["source"]["folder"] == str(tmp_path / "mine")
    assert told["recipe"]["source"]["annotations"] == str(tmp_path / "a.json")
