"""``vtbridge bench``: every runtime in turns, with or without the reference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.conftest import REPOSITORY
from vtbridge.tracking.protocols.table import PROTOCOLS

STAGES = {"face", "rotate", "edit", "convert"}


def run_bench(
    *arguments: str, env: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vtbridge", "bench", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        cwd=REPOSITORY,
        env={**os.environ, **env},
    )


@pytest.mark.usefixtures("weight_store")
def test_json_tells_what_every_runtime_needed() -> None:
    done = run_bench("--frames", "2", "--no-reference", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["frames"] == 2
    assert report["machine"]["threads"] >= 1
    rows = {row["name"]: row for row in report["results"]}
    assert list(rows) == [
        "reference",
        "pytorch f32",
        "openvino f32",
        "openvino bf16",
        "openvino auto",
    ]
    assert rows["reference"] == {
        "name": "reference",
        "ran": False,
        "reason": "left out as asked",
    }
    for name in ("pytorch f32", "openvino f32", "openvino auto"):
        row = rows[name]
        assert row["ran"], row
        assert row["description"].startswith(name.split()[0])
        assert 0 < row["median_ms"] <= row["p90_ms"]
        assert row["stages_ms"].keys() >= STAGES
        assert row["times_faster"] is None
    assert report["tracking"]["results"]
    bf16 = rows["openvino bf16"]
    assert bf16["ran"] or "does not multiply bf16" in bf16["reason"]


def test_the_trackers_side_alone_needs_no_weights(tmp_path: Path) -> None:
    done = run_bench("--tracking", "--json", env={"XDG_DATA_HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) == {"machine", "tracking"}
    tracking = report["tracking"]
    assert [row["name"] for row in tracking["results"]] == [row.name for row in PROTOCOLS]
    for row in tracking["results"]:
        assert row["faces"] >= row["frames"] == 600, row["name"]
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["kept"] == (row["p99_ms"] < tracking["limit_ms"])
    assert tracking["kept"] == all(row["kept"] for row in tracking["results"])


def test_the_trackers_table_tells_whether_the_promise_is_kept() -> None:
    done = run_bench("--tracking")
    assert done.returncode == 0, done.stderr
    assert "p99 below 0.5 ms" in " ".join(done.stdout.split())
    for row in PROTOCOLS:
        (line,) = (ln for ln in done.stdout.splitlines() if ln.strip().startswith(f"{row.name} "))
        assert line.split()[-1] in {"kept", "broken"}


def test_options_of_rendering_do_not_go_with_tracking_alone() -> None:
    done = run_bench("--tracking", "--no-reference")
    assert done.returncode == 2
    assert "--tracking renders nothing" in " ".join(done.stderr.split())


def test_a_wheel_that_is_given_must_be_the_right_one() -> None:
    done = run_bench("--reference", "setup.py")
    assert done.returncode == 4
    assert "its sha256 is" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("weight_store")
@pytest.mark.timeout(240)
def test_the_reference_runs_out_of_the_wheel_and_is_compared_with(
    reference_wheel: Path,
) -> None:
    done = run_bench("--reference", str(reference_wheel), "--frames", "1", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["results"]}
    assert rows["reference"]["ran"], rows["reference"]
    assert rows["reference"]["stages_ms"].keys() >= STAGES
    assert rows["reference"]["times_faster"] == 1
    for name in ("pytorch f32", "openvino f32", "openvino auto"):
        assert rows[name]["times_faster"] > 0
