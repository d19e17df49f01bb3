"""From a seed to a report: the commands of a researcher, on real networks and pictures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.support.cli import Told, run_here
from tests.support.training import SIZE, rendered, small_dataset
from vtbridge.errors import TrainingError
from vtbridge.training.dataset.manifest import read_manifest

TINY = """# Two stages in seconds.
name = "tiny"
checkpoint_every = 16
validate_on = 4
[networks.morpher]
image_size = 32
start_channels = 4
bottleneck_size = 8
bottleneck_blocks = 1
[networks.rotator]
image_size = 32
start_channels = 4
bottleneck_size = 8
bottleneck_blocks = 1
[[stages]]
name = "morpher"
examples = {examples}
batch = 8
rate = 1e-3
ema = 0.9
[[stages]]
name = "rotator-l1"
examples = 16
batch = 8
"""
STARTS_WITHIN_S = 60.0


@dataclass(frozen=True)
class Research:
    """What the three commands left."""

    data: Path
    run: Path
    trained: Told
    evaluated: Told
    figures: dict[str, Any]


@pytest.fixture(scope="module")
def research(tmp_path_factory: pytest.TempPathFactory) -> Research:
    folder = tmp_path_factory.mktemp("research")
    data, run = folder / "data", folder / "run"
    made = run_here("dataset", "render", "ci", "-o", str(data))
    assert made.returncode == 0, made.stderr
    trained = run_here("train", "ci", "--data", str(data), "-o", str(run))
    assert trained.returncode == 0, trained.stderr
    evaluated = run_here("evaluate", str(run), "--data", str(data), "--examples", "96", "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    return Research(data, run, trained, evaluated, json.loads(evaluated.stdout))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "data"
    rendered(folder, small_dataset(subjects=8, poses=3))
    return folder


def gains_of(research: Research) -> dict[str, float]:
    """Return the gain over the picture that is shown, of each configuration that was trained."""
    rows = research.figures["configurations"]
    return {row["name"]: row["gain_db"] for row in rows if row["trained"]}


def recipe_file(folder: Path, examples: int = 160) -> Path:
    path = folder / "tiny.toml"
    path.write_text(TINY.format(examples=examples))
    return path


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "vtbridge", "train", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_networks_do_better_than_nothing_on_characters_never_seen(research: Research) -> None:
    told = [line.split() for line in research.trained.stdout.splitlines() if " L1 " in line]
    reached = {line[0].rstrip(":"): float(line[2]) / float(line[4].rstrip(",")) for line in told}
    assert reached.keys() == {"morpher", "rotator-l1", "combiner-l1-l1"}
    assert all(ratio < 0.92 for ratio in reached.values()), reached
    assert research.figures["morpher"]["gain_db"] > 1.5
    gains = gains_of(research)
    assert min(gains.values()) > 1.5
    assert gains["FU-L1-L1"] > gains["PU-L1"]


def test_each_value_of_the_face_moves_its_own_part(research: Research) -> None:
    regions = research.figures["morpher"]["regions"]
    assert regions.keys() == {"left_eye", "right_eye", "mouth"}
    assert all(region["outside"] < 0.45 for region in regions.values()), regions
    assert all(region["strength"] > 0.4 for region in regions.values()), regions


def test_figures_name_what_was_measured_and_what_was_not_trained(research: Research) -> None:
    figures = research.figures
    assert figures["data"]["subjects"] == 30
    assert figures["data"]["examples"] == 96
    rows = {row["name"]: row for row in figures["configurations"]}
    untrained = {name for name, row in rows.items() if not row["trained"]}
    assert untrained == {"PU-P", "ZH-P", "FU-L1-P", "FU-P-L1", "FU-P-P"}
    sampled = rows["ZH-L1"]["metrics"]
    assert sampled["flow_error_px"] < figures["head"]["identity"]["flow_error_px"]
    assert rows["PU-L1"]["metrics"]["flow_error_px"] is None
    assert sampled["sharpness"] > rows["PU-L1"]["metrics"]["sharpness"]
    assert figures["morpher"]["examples"] == "4800"


def test_a_finished_run_is_not_trained_again(research: Research) -> None:
    before = {path: path.stat().st_mtime_ns for path in research.run.glob("*.safetensors")}
    again = run_here("train", "ci", "--data", str(research.data), "-o", str(research.run))
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("finished before") == 3
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_run_that_is_stopped_goes_on_to_the_same_bits(small: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path)
    whole = run_here("train", str(recipe), "--data", str(small), "-o", str(tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr
    broken = tmp_path / "broken"
    asked = (str(recipe), "--data", str(small), "-o", str(broken), "--threads", "1")
    process = started(*asked)
    checkpoint = broken / "checkpoints" / "morpher.pt"
    until = time.monotonic() + STARTS_WITHIN_S
    while not checkpoint.is_file() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert checkpoint.is_file()
    assert not (broken / "rotator-l1.safetensors").exists()
    again = run_here("train", *asked)
    assert again.returncode == 0, again.stderr
    for name in ("morpher.safetensors", "rotator-l1.safetensors"):
        one, other = (load_file(run / name) for run in (broken, tmp_path / "whole"))
        assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())


def test_a_cluster_makes_the_same_bytes(small: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(
        f'name = "small"\nposes = 3\nsize = {SIZE}\nshard = 2\n'
        "[shares]\ntrain = 0.5\nvalidation = 0.25\ntest = 0.25\n"
        '[source]\nkind = "procedural"\nsubjects = 8\nsupersample = 1\n'
    )
    data = tmp_path / "data"
    asked = (
        "dataset",
        "render",
        str(recipe),
        "-o",
        str(data),
        "--ray",
        "local",
        "--processes",
        "2",
    )
    told = subprocess.run(
        [sys.executable, "-m", "vtbridge", *asked],
        capture_output=True,
        text=True,
        check=False,
        timeout=STARTS_WITHIN_S * 2,
    )
    assert told.returncode == 0, told.stderr
    assert read_manifest(data).digest == read_manifest(small).digest


def test_a_stage_to_come_may_be_changed_while_those_before_it_are_kept(
    small: Path, tmp_path: Path
) -> None:
    run, recipe = tmp_path / "run", recipe_file(tmp_path, examples=16)
    asked = ("train", str(recipe), "--data", str(small), "-o", str(run))
    assert run_here(*asked, "--only", "morpher").returncode == 0
    text = recipe.read_text()
    later = text.rindex("batch = 8")
    recipe.write_text(f"{text[:later]}batch = 4\nrate = 5e-4\n")
    changed = run_here(*asked)
    assert changed.returncode == 0, changed.stderr
    assert "morpher: finished before" in changed.stdout
    assert (run / "recipe.toml").read_text() == recipe.read_text()
    recipe.write_text(text)
    back = run_here(*asked)
    assert "rotator-l1.safetensors was trained by other settings" in back.stderr


def test_two_processes_learn_what_one_does(small: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, examples=64)
    one, two = tmp_path / "one", tmp_path / "two"
    asked = (str(recipe), "--data", str(small), "--only", "morpher", "--accelerator", "cpu")
    alone = run_here("train", *asked, "-o", str(one))
    assert alone.returncode == 0, alone.stderr
    together = started(*asked, "-o", str(two), "--devices", "2")
    told, _ = together.communicate(timeout=STARTS_WITHIN_S * 2)
    assert together.returncode == 0, told
    first, second = (
        torch.cat([t.float().flatten() for t in load_file(run / "morpher.safetensors").values()])
        for run in (one, two)
    )
    assert (first - second).abs().mean() < 1e-4
    said = [line for line in alone.stdout.splitlines() if " L1 " in line]
    assert said[0].rsplit(";", 1)[0] in told


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("train", "nothing", "--data", "{data}"), "there is no recipe nothing"),
        (("train", "ci", "--data", "{folder}"), "no finished data set"),
        (("train", "ci", "--data", "{data}", "--only", "moprher"), "has no stage 'moprher'"),
        (("evaluate", "{folder}", "--data", "{data}"), "has no finished network"),
        (("dataset", "render", "nothing"), "there is no recipe nothing"),
    ],
)
def test_what_is_not_there_is_named(
    small: Path, tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    filled = [argument.format(data=small, folder=tmp_path) for argument in arguments]
    told = run_here(*filled, cwd=tmp_path)
    assert told.returncode in (TrainingError.exit_code, 12)
    assert complaint in told.stderr


def test_a_run_on_other_data_or_by_another_recipe_is_refused(
    small: Path, research: Research, tmp_path: Path
) -> None:
    other = run_here("train", "ci", "--data", str(small), "-o", str(research.run))
    assert "was begun on another data set" in other.stderr
    recipe = recipe_file(tmp_path)
    mixed = run_here("train", str(recipe), "--data", str(research.data), "-o", str(research.run))
    assert "morpher.safetensors was trained by other settings than the recipe tiny" in mixed.stderr


def test_a_data_set_tells_what_it_holds(small: Path) -> None:
    told = run_here("dataset", "info", str(small)).stdout
    assert told.startswith("small, seed 0")
    assert read_manifest(small).digest in told
    counts = {line.split()[0]: line.split()[1:4:2] for line in told.splitlines()[1:]}
    assert counts == {"train": ["4", "12"], "validation": ["2", "6"], "test": ["2", "6"]}


def test_recipes_are_listed() -> None:
    assert "small-cpu" in run_here("train", "--list").stdout
    assert "procedural-small" in run_here("dataset", "render", "--list").stdout
