"""The main job from the command line: the demo renders, reports and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.daemon import run_vtbridge, unique_name, write_config
from vtbridge.publish.vtbf import segment_path


@pytest.mark.usefixtures("weight_store")
def test_headless_demo_ends_with_one_line_of_json(tmp_path: Path) -> None:
    name = unique_name()
    write_config(tmp_path, name)
    config = ("--config", str(tmp_path / "config.toml"))
    finished = run_vtbridge(tmp_path, "demo", "--headless", "--seconds", "5", "--json", *config)
    assert finished.returncode == 0, finished.stderr
    summary = json.loads(finished.stdout.splitlines()[-1])
    assert summary["frames"] >= 1
    assert summary["fps"] == pytest.approx(summary["frames"] / summary["seconds"], rel=0.02)
    assert summary["dropped"] >= 0
    assert summary["runtime"].startswith(("native", "openvino", "onnxruntime"))
    stages = summary["latency_ms"]
    assert {"retarget", "render", "render.edit", "publish", "face_to_frame"} <= stages.keys()
    assert all(0 < stage["p50"] <= stage["p99"] for stage in stages.values())
    assert not segment_path(name).exists()
