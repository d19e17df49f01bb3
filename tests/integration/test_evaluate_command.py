"""``vtbridge evaluate`` from the files of a run to choices made in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import browser, page
from tests.support.cli import run_here
from tests.support.evaluated import random_run
from tests.support.training import SIZE, rendered, small_dataset
from vtbridge.errors import TrainingError
from vtbridge.training.dataset.split import Split
from vtbridge.training.evaluate.ranking import read_choices
from vtbridge.training.learn.recipe import StageName

__all__ = ["browser", "page"]

TRAINED = (StageName.MORPHER, StageName.ROTATOR_L1, StageName.COMBINER_L1_L1)
EXAMPLES = 4
PAIRS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set, a run of three stages, and its report with a drawing."""
    root = tmp_path_factory.mktemp("evaluate")
    rendered(
        root / "data",
        small_dataset(subjects=4, poses=2, shares={Split.TRAIN: 0.5, Split.TEST: 0.5}),
    )
    random_run(root / "run", TRAINED, face=SIZE // 2, head=SIZE)
    told = evaluate(root, "-o", str(root / "report"), "-d", "michi")
    (root / "told.json").write_text(told, "utf-8")
    return root


def evaluate(root: Path, *more: str) -> str:
    told = run_here("evaluate", str(root / "run"), "--data", str(root / "data"), "--json", *more)
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.fixture
def report(folder: Path) -> Any:
    return json.loads((folder / "told.json").read_text("utf-8"))


def test_what_is_trained_is_measured_and_what_is_not_is_told(report: Any) -> None:
    rows = {row["name"]: row for row in report["configurations"]}
    assert len(rows) == 8
    assert {name for name, row in rows.items() if row["trained"]} == {"PU-L1", "ZH-L1", "FU-L1-L1"}
    assert rows["FU-L1-P"]["missing"] == ["combiner-l1-perceptual"]
    assert rows["FU-L1-P"]["metrics"] is None
    assert report["data"]["examples"] == EXAMPLES
    assert report["morpher"]["size"] == SIZE // 2


def test_gain_is_over_the_picture_that_was_given(report: Any) -> None:
    identity = report["head"]["identity"]["psnr_db"]
    for row in report["configurations"]:
        if row["trained"]:
            assert row["gain_db"] == pytest.approx(row["metrics"]["psnr_db"] - identity)


def test_what_a_picture_at_rest_becomes_is_measured_of_all_that_is_trained(report: Any) -> None:
    assert report["morpher"]["rest_psnr_db"] > 0
    for row in report["configurations"]:
        assert (row["rest_psnr_db"] is not None) == row["trained"]


def test_flow_is_measured_of_what_samples_alone(report: Any) -> None:
    rows = {row["name"]: row for row in report["configurations"]}
    assert rows["ZH-L1"]["metrics"]["flow_error_px"] > 0
    assert rows["PU-L1"]["metrics"]["flow_error_px"] is None
    assert report["head"]["identity"]["flow_error_px"] > 0


def test_each_value_of_the_face_has_a_region(report: Any) -> None:
    regions = report["morpher"]["regions"]
    assert set(regions) == {"left_eye", "right_eye", "mouth"}
    # Random weights change everything, so most of it lies where nothing should move.
    assert all(0.5 < region["outside"] <= 1 for region in regions.values())


def test_report_has_every_picture_that_its_page_shows(folder: Path, report: Any) -> None:
    assert json.loads((folder / "report" / "report.json").read_text("utf-8")) == report
    text = (folder / "report" / "index.html").read_text("utf-8")
    shown = {part.split('"')[0] for part in text.split('src="')[1:]} - {""}
    assert shown
    assert all((folder / "report" / path).is_file() for path in shown)


def test_a_folder_without_networks_is_told(folder: Path) -> None:
    told = run_here("evaluate", str(folder / "data"), "--data", str(folder / "data"))
    assert told.returncode == TrainingError.exit_code
    assert "no finished network" in told.stderr


def test_networks_that_do_not_fit_the_pictures_are_told(folder: Path, tmp_path: Path) -> None:
    random_run(tmp_path, [StageName.MORPHER], face=2 * SIZE, head=SIZE)
    told = run_here("evaluate", str(tmp_path), "--data", str(folder / "data"))
    assert told.returncode == TrainingError.exit_code
    assert "data set it was trained on" in told.stderr


def test_choices_are_blind_kept_undone_and_ranked(folder: Path, page: Page, tmp_path: Path) -> None:
    address = (folder / "report" / "index.html").as_uri()
    page.goto(address)
    page.click("#start")
    pairs = PAIRS * (EXAMPLES + 10)  # the examples, and what the drawing does
    expect(page.locator("#count")).to_have_text(f"0 of {pairs}")
    dialog = page.locator("#looking")
    assert not {"PU-L1", "ZH-L1", "FU-L1-L1"} & set(dialog.inner_text().split())
    page.keyboard.press("Space")
    expect(page.locator("#left")).to_be_visible()
    expect(page.locator("#right")).to_be_hidden()
    page.keyboard.press("Space")
    expect(page.locator("#left")).to_be_hidden()
    expect(page.locator("#count")).to_have_text(f"0 of {pairs}")
    for key in ("ArrowLeft", "ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("#count")).to_have_text(f"4 of {pairs}")
    page.keyboard.press("u")
    expect(page.locator("#count")).to_have_text(f"3 of {pairs}")
    waiting = page.locator("#left").get_attribute("src")

    page.reload()
    page.click("#start")
    expect(page.locator("#count")).to_have_text(f"3 of {pairs}")
    assert page.locator("#left").get_attribute("src") == waiting
    for _ in range(pairs - 3):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#finished")).to_be_visible()
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.click("#export")
    path = tmp_path / "choices.csv"
    download.value.save_as(path)

    made = read_choices(path)
    assert [each.choice for each in made[:4]] == ["left", "tie", "right", "tie"]
    assert len({frozenset((each.left, each.right)) for each in made}) == PAIRS
    told = run_here("evaluate", "rank", str(path), "--json")
    assert told.returncode == 0, told.stderr
    ranks = json.loads(told.stdout)["ranks"]
    assert {rank["name"] for rank in ranks} == {"PU-L1", "ZH-L1", "FU-L1-L1"}
    assert sum(rank["wins"] for rank in ranks) == 2
