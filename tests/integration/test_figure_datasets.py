"""A folder of 3D models becomes a data set: scanned, corrected, rendered, learnt from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.support.cli import Told, run_here
from tests.support.figures import CHIN_Y, a_figure
from tests.support.mmd_files import write_pmd, write_pmx
from tests.support.vrm_files import write_vrm
from vtbridge.datatypes import U8Array
from vtbridge.pose_params import PoseParam
from vtbridge.training.dataset.examples import Examples
from vtbridge.training.dataset.split import Split
from vtbridge.training.figures.annotation import read_annotations

RECIPE = """
name = "mine"
poses = 4
size = 128
shard = 1
rest_mouth = [1.0]
[shares]
train = 0.5
validation = 0.25
test = 0.25
[light]
shading = ["toon"]
[source]
kind = "figures"
folder = "{folder}"
annotations = "{annotations}"
"""
TRAINING = """# Seconds.
name = "figures"
validate_on = 4
[networks.morpher]
image_size = 64
start_channels = 4
bottleneck_size = 16
bottleneck_blocks = 1
[[stages]]
name = "morpher"
examples = 32
batch = 8
rate = 1e-3
"""
LICENCE_LINE = "再配布可"


@dataclass(frozen=True)
class Scan:
    """A folder of models and what a scan left."""

    models: Path
    out: Path
    told: Told

    @property
    def reports(self) -> dict[str, dict[str, object]]:
        """What is in scan.json, by file."""
        read = json.loads((self.out / "scan.json").read_text())
        return {report["file"]: report for report in read}


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    folder = tmp_path_factory.mktemp("models")
    models, out = folder / "models", folder / "scan"
    figure = a_figure(triangles=1500)
    for work in "abcd":
        (models / work).mkdir(parents=True)
    write_pmx(figure, models / "a" / "初音.pmx")
    write_pmd(figure, models / "b" / "b.pmd")
    write_vrm(figure, models / "c" / "c.vrm", 0)
    write_vrm(figure, models / "d" / "d.vrm", 1)
    (models / "d" / "broken.pmx").write_bytes(b"PMX nonsense")
    told = run_here("dataset", "scan", str(models), "-o", str(out), "--processes", "1")
    assert told.returncode == 0, told.stderr
    return Scan(models, out, told)


def same_content(one: U8Array, other: U8Array) -> float:
    """Return the share of pixels that are nearly equal."""
    apart = np.abs(one.astype(int) - other.astype(int)).max(axis=2)
    return float((apart < 24).mean())


def test_a_scan_tells_what_each_model_offers(scan: Scan) -> None:
    reports = scan.reports
    assert reports.keys() == {"a/初音.pmx", "b/b.pmd", "c/c.vrm", "d/d.vrm", "d/broken.pmx"}
    for file, report in reports.items():
        if file == "d/broken.pmx":
            assert "PMX" in str(report["error"])
            continue
        assert not report["error"]
        assert report["lacks"] == []
        assert {"eye_wink_left", "eye_wink_right", "mouth_aaa"} <= set(report["morphs"])  # type: ignore[call-overload]
        assert {"head", "neck"} <= set(report["bones"])  # type: ignore[call-overload]
    assert reports["a/初音.pmx"]["chin_y"] == pytest.approx(CHIN_Y, abs=0.1)
    assert LICENCE_LINE in str(reports["a/初音.pmx"]["licence"])
    assert "4 of 5 models can be used" in scan.told.stdout
    assert "broken" in scan.told.stderr


def test_a_contact_sheet_shows_every_model_with_its_head_in_the_box(scan: Scan) -> None:
    from PIL import Image

    sheet = np.asarray(Image.open(scan.out / "sheet-01.png"))
    assert sheet.shape == (4 * 210, 5 * 192, 3)
    for row in range(4):
        cells = sheet[row * 210 : row * 210 + 192].reshape(192, 5, 192, 3).swapaxes(0, 1)
        rest, left, right, mouth, turned = cells[:, 24:-24, 24:-24]
        eyes, lips = slice(60, 84), (slice(104, 119), slice(60, 84))
        middle = 72
        assert same_content(rest[eyes, :middle], left[eyes, :middle]) > 0.97
        assert same_content(rest[eyes, middle:], left[eyes, middle:]) < 0.95
        assert same_content(rest[eyes, middle:], right[eyes, middle:]) > 0.97
        assert same_content(rest[eyes], mouth[eyes]) > 0.97
        assert same_content(rest[lips], left[lips]) > 0.97
        assert same_content(rest[lips], mouth[lips]) < 0.9
        assert same_content(rest, turned) < 0.9


def test_a_scan_tells_again_what_it_knows_as_json_or_in_full(scan: Scan) -> None:
    asked = ("dataset", "scan", str(scan.models), "-o", str(scan.out), "--processes", "1")
    as_json = run_here(*asked, "--json")
    assert {report["file"]: report for report in json.loads(as_json.stdout)} == scan.reports
    details = run_here(*asked, "--details")
    assert "mouth_aaa = あ" in details.stdout
    assert LICENCE_LINE in details.stdout
    assert "0 were looked at anew" in details.stdout
    assert f"look at {scan.out / 'sheet-01.png'}" in details.stdout


def test_corrections_survive_a_second_scan_that_reads_only_what_changed(
    scan: Scan, tmp_path: Path
) -> None:
    file = tmp_path / "mine.json"
    asked = ("dataset", "scan", str(scan.models), "-o", str(tmp_path), "--no-sheet")
    first = run_here(*asked, "--annotations", str(file), "--processes", "1")
    assert "5 were looked at anew" in first.stdout
    written = json.loads(file.read_text())
    name = next(name for name in written["figures"] if name.startswith("b-"))
    written["figures"][name] |= {"excluded": True, "chin_y": 15.8}
    written["figures"]["gone-12345678"] = {"licence_ok": False}
    file.write_text(json.dumps(written))
    second = run_here(*asked, "--annotations", str(file), "--processes", "1")
    assert "1 were looked at anew" in second.stdout
    assert "left out" in second.stdout
    assert "gone-12345678 is not there any more" in second.stdout
    kept = read_annotations(file)
    assert (kept[name].excluded, kept[name].chin_y) == (True, 15.8)
    assert kept["gone-12345678"].licence_ok is False


def test_models_of_every_format_become_shards_that_a_network_learns_from(
    scan: Scan, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    annotations = scan.out / "annotations.json"
    recipe.write_text(RECIPE.format(folder=scan.models, annotations=annotations))
    data, run = tmp_path / "data", tmp_path / "run"
    made = run_here("dataset", "render", str(recipe), "-o", str(data), "--processes", "2")
    assert made.returncode == 0, made.stderr
    assert "left out broken" in made.stderr
    subjects = 0
    for split in Split:
        with Examples(data, split) as examples:
            subjects += len(examples.subjects)
            for index in range(len(examples)):
                example = examples[index]
                solid = example.rest[..., 3] > 128
                assert solid[32:96, 32:96].mean() > 0.6  # the head fills the middle
                assert not solid[:, [0, -1]].any()
                closed = max(
                    example.pose[PoseParam.EYE_WINK_LEFT], example.pose[PoseParam.EYE_WINK_RIGHT]
                )
                if closed > 0.5:
                    assert same_content(example.rest, example.expression) < 0.999
                assert same_content(example.expression, example.posed) < 0.99
    assert subjects == 4
    training = tmp_path / "training.toml"
    training.write_text(TRAINING)
    trained = run_here("train", str(training), "--data", str(data), "-o", str(run))
    assert trained.returncode == 0, trained.stderr
    assert (run / "morpher.safetensors").is_file()
    evaluated = run_here("evaluate", str(run), "--data", str(data), "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads(evaluated.stdout)["data"]["examples"] == 4


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    told = run_here("dataset", "scan", str(tmp_path / "models"), "-o", str(tmp_path / "out"))
    assert told.returncode == 12
    assert "is no folder" in told.stderr
