"""``vtbridge bench``: levels, runtimes and the way of others in turns, judged and drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import REPOSITORY
from tests.support.cli import run_here
from vtbridge.cli.commands import app
from vtbridge.render.weights import WeightStore
from vtbridge.tracking.protocols.table import PROTOCOLS

TIMEOUT_S = 600
KEPT = REPOSITORY / ".cache" / "bench"
"""What the benchmark keeps from run to run, not among the user's own."""
LIVE_SAMPLES = 6
TOP = {
    "machine",
    "versions",
    "frames",
    "poses",
    "character",
    "baseline",
    "quality",
    "runtimes",
    "others",
    "live",
    "promises",
    "tracking",
}
NUMBERS = ("fps", "ms", "p99_ms", "box_psnr_db", "ssim", "ratio_to_onnxruntime", "rss_mb")


@pytest.fixture(scope="module")
def report(
    weight_store: WeightStore, reference_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return what one run tells of all levels, beside the reference, and live.

    ``page`` is its plot, ``history`` the lines that it left.
    """
    assert weight_store.root.is_dir()
    folder = tmp_path_factory.mktemp("bench")
    page, history = folder / "bench.html", folder / "history.jsonl"
    options = ("--runtime", "native", "--frames", "2", "--live", "2", "--no-tracking", "--json")
    files = ("--reference", str(reference_wheel), "--plot", str(page), "--history", str(history))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(KEPT))
        # Each takes an exact frame.
        patch.setattr("vtbridge.render.benchmark.live.SAMPLES", LIVE_SAMPLES)
        done = CliRunner().invoke(app, ["bench", *options, *files])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return {"page": page.read_text(), "history": history.read_text().splitlines(), **told}


@pytest.mark.timeout(TIMEOUT_S + 20)
def test_levels_and_runtimes_are_compared(report: dict[str, Any]) -> None:
    assert set(report) == TOP | {"page", "history"}
    assert report["tracking"] is None
    assert report["frames"] == 2
    assert list(report["quality"]) == ["exact", "balanced", "fast"]
    assert list(report["runtimes"]) == ["native f32"]
    for row in (*report["quality"].values(), report["runtimes"]["native f32"]):
        assert row["ran"], row
        assert all(row[number] > 0 for number in NUMBERS), row
        assert row["description"].startswith("native f32")
        assert row["startup_s"] > 0
        assert row["ratio_to_reference"] > 0
        assert not row["needless_torch"]
    # Exact is exact: what differs are roundings of 8-bit numbers.
    assert report["quality"]["exact"]["box_psnr_db"] > 50
    assert report["quality"]["exact"]["ssim"] > 0.999
    judged = {promise["name"]: promise["kept"] for promise in report["promises"]}
    assert judged["exact, likeness"] is True
    assert judged["live, likeness"] is not None
    assert report["versions"]["onnxruntime"]


@pytest.mark.timeout(TIMEOUT_S + 20)
def test_a_run_leaves_a_plot_and_a_line_of_history(report: dict[str, Any]) -> None:
    assert "<svg" in report["page"]
    (line,) = report["history"]
    assert json.loads(line)["ratios"]["quality.exact.ratio_to_onnxruntime"] > 0


@pytest.mark.timeout(TIMEOUT_S + 20)
def test_frames_can_be_watched_live(report: dict[str, Any]) -> None:
    live = report["live"]
    assert live["ran"], live
    assert live["quality"] in report["quality"]
    assert 0 < live["fresh_fps"] <= live["fps"] + 1
    assert 0 <= live["missed"] <= live["beats"]
    assert 0 < live["samples"] <= LIVE_SAMPLES
    assert live["box_psnr_db"] > 25


@pytest.mark.timeout(TIMEOUT_S + 20)
def test_the_reference_runs_out_of_the_wheel_and_is_compared_with(report: dict[str, Any]) -> None:
    assert report["baseline"] == "reference"
    reference, plain = (report["others"][name] for name in ("reference", "plain onnxruntime"))
    assert reference["ran"], reference
    assert reference["ratio_to_reference"] == 1
    assert reference["stages_ms"].keys() >= {"brows", "face", "rotate", "edit", "convert"}
    # Two ways to compute the same networks; exact is held against them above.
    assert plain["box_psnr_db"] > 60
    assert report["quality"]["fast"]["box_psnr_db"] > 30


def check_tracking(tracking: dict[str, Any], frames: int) -> None:
    assert [row["name"] for row in tracking["results"]] == [row.name for row in PROTOCOLS]
    for row in tracking["results"]:
        assert row["faces"] >= row["frames"] == frames, row["name"]
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["kept"] == (row["p99_ms"] < tracking["limit_ms"])
    assert tracking["kept"] == all(row["kept"] for row in tracking["results"])


@pytest.fixture
def brief_tracking(monkeypatch: pytest.MonkeyPatch) -> int:
    """Measure the trackers' side, in this process, with fewer frames; return how many."""
    monkeypatch.setattr("vtbridge.cli.bench_measures._TRACKED_FRAMES", 20)
    return 20


def test_the_trackers_side_alone_needs_no_weights(
    brief_tracking: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path))
    done = CliRunner().invoke(app, ["bench", "--tracking", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert set(report) == {"machine", "tracking"}
    check_tracking(report["tracking"], brief_tracking)


@pytest.mark.parametrize(
    ("options", "measured"),
    [
        ((), {"render", "trackers"}),
        (("--tracking",), {"trackers"}),
        (("--no-tracking",), {"render"}),
    ],
)
def test_both_sides_are_measured_unless_one_is_left_out(
    options: tuple[str, ...], measured: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: set[str] = set()

    def measure_render(*_: object) -> dict[str, Any]:
        done.add("render")
        return {}

    def measure_tracking(_: object) -> dict[str, Any]:
        done.add("trackers")
        return {"results": []}

    monkeypatch.setattr("vtbridge.cli.bench.measure_render", measure_render)
    monkeypatch.setattr("vtbridge.cli.bench.measure_trackers", measure_tracking)
    told = CliRunner().invoke(app, ["bench", "--json", *options])
    assert told.exit_code == 0, told.output
    assert done == measured


@pytest.mark.usefixtures("brief_tracking")
def test_the_trackers_table_tells_whether_the_promise_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = CliRunner().invoke(app, ["bench", "--tracking"])
    assert done.exit_code == 0, done.output
    assert "p99 below 0.5 ms" in " ".join(done.stdout.split())
    for row in PROTOCOLS:
        (line,) = (ln for ln in done.stdout.splitlines() if ln.strip().startswith(f"{row.name} "))
        assert line.split()[-1] in {"kept", "broken"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tracking", "--compare", "reference"), "--tracking renders nothing"),
        (("--dataset", "--quality", "fast"), "--dataset measures nothing else"),
        (("--dataset", "--no-tracking"), "--dataset measures nothing else"),
        (("--processes", "2"), "--model and --processes go with --dataset"),
        (("--dataset", "--model", "absent.pmx"), "absent.pmx"),
        (("--quality", "auto"), "choose exact, balanced, fast or baked"),
        (("--plot", "bench.gif"), "a name that ends in .png or .html"),
        (("--plot", "nowhere/bench.png"), "there is no folder"),
        (("--poses", "absent.json"), "absent.json cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_measured(
    arguments: tuple[str, ...], message: str
) -> None:
    done = run_here("bench", *arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--character", str(REPOSITORY / "tests")), 3, "must hold one picture, not none"),
        (("--quality", "baked"), 4, "run `vtbridge character bake michi` first"),
    ],
)
def test_a_character_that_cannot_be_measured_is_told_before_anything_is(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("VTBRIDGE_CHARACTERS_DIR", str(tmp_path))
    done = run_here("bench", *arguments)
    assert done.returncode == code
    assert message in " ".join(done.stderr.split())


def test_a_wheel_that_is_given_must_be_the_right_one() -> None:
    done = run_here("bench", "--reference", str(REPOSITORY / "setup.py"))
    assert done.returncode == 4
    assert "its sha256 is" in done.stderr
    assert "Traceback" not in done.stderr


def test_drawing_models_is_measured_in_processes_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vtbridge.cli.bench_measures._DRAWN_PICTURES", 3)
    done = run_here("bench", "--dataset", "--processes", "2", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) == {"machine", "dataset"}
    told = report["dataset"]
    assert (told["processes"], told["size"], told["model"]) == (2, 256, None)
    assert told["triangles"] > 18_000
    assert [row["shading"] for row in told["results"]] == ["phong", "toon"]
    for row in told["results"]:
        assert min(row["pose_ms"], row["draw_ms"], row["cpu_ms"], row["images_per_hour"]) > 0
