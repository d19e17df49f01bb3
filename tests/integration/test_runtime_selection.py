"""Choosing among the real runtimes: processes of their own, no torch, little memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, skip_loudly
from vtbridge.render.models.variants import Network
from vtbridge.render.runtimes.prepared import OPENVINO_FILES
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.selection.candidates import Candidate, Outcome
from vtbridge.render.selection.golden import GOLDEN_FILE, Golden, find_golden, make_golden
from vtbridge.render.selection.probe import probe
from vtbridge.render.settings import DeviceName, RuntimeName
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore

NATIVE = Candidate(name=RuntimeName.NATIVE, device=DeviceName.CPU)
RSS_LIMIT_MB = 600
OPENVINO_LIMIT_MB = 690
"""Of OpenVINO, which needs 570 to 640 with these networks, more on a busy machine."""

# What `vtbridge run` does until its first frame, without trackers and readers.
START = """
import json, sys
from time import perf_counter
begin = perf_counter()
import numpy as np
import psutil
from vtbridge.datatypes import PICTURE_SIZE, Picture
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.settings import RenderSettings
from vtbridge.render.tha3 import open_poser
from vtbridge.telemetry import Telemetry

poser = open_poser(RenderSettings(runtime=sys.argv[1]), Telemetry())
rgba = np.full((PICTURE_SIZE, PICTURE_SIZE, 4), 255, np.uint8)
poser.set_picture(Picture(rgba=rgba, name="white", digest=""))
poser.render(np.zeros(POSE_SIZE, np.float32))
seconds = perf_counter() - begin
print(json.dumps({
    "runtime": poser.describe(),
    "start_s": round(seconds, 2),
    "rss_mb": round(psutil.Process().memory_info().rss / 2**20),
    "torch": "torch" in sys.modules,
    "files": sorted({each.path for each in psutil.Process().memory_maps()})
    if sys.platform == "linux"
    else [],
}))
"""


def start(runtime: str, cache: Path) -> dict[str, object]:
    """Start in a process of its own and return what it tells."""
    finished = subprocess.run(
        [sys.executable, "-c", START, runtime],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        cwd=REPOSITORY,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
    )
    assert finished.returncode == 0, finished.stderr
    told: dict[str, object] = json.loads(finished.stdout)
    print({key: value for key, value in told.items() if key != "files"})
    return told


def copy_of(store: WeightStore, folder: Path) -> WeightStore:
    """Return a store with the same weights and nothing else in it."""
    target = folder / "store" / DEFAULT_WEIGHTS
    target.mkdir(parents=True)
    for file in store.directory(DEFAULT_WEIGHTS).iterdir():
        if file.is_file() and file.name != GOLDEN_FILE:
            shutil.copy(file, target)
    return WeightStore(target.parent)


@pytest.mark.timeout(400)
def test_a_start_needs_neither_torch_nor_much_memory(
    weight_store: WeightStore, tmp_path: Path
) -> None:
    cold, warm = start("auto", tmp_path), start("auto", tmp_path)
    assert warm["runtime"] == cold["runtime"]
    if problem := OPENVINO_FILES.problem(weight_store, DEFAULT_WEIGHTS):
        skip_loudly(problem)
    with_openvino = start("openvino", tmp_path)
    assert str(with_openvino["runtime"]).startswith("openvino")
    if sys.platform == "linux":
        files = str(with_openvino["files"])
        assert "openvino_intel_cpu_plugin" in files
        assert "openvino_intel_gpu_plugin" not in files, "27 MB for nothing"
    for told in (cold, warm, with_openvino):
        assert told["torch"] is False
        assert isinstance(told["rss_mb"], int)
        is_openvino = str(told["runtime"]).startswith("openvino")
        assert told["rss_mb"] <= (OPENVINO_LIMIT_MB if is_openvino else RSS_LIMIT_MB)


def test_damaged_weights_are_told_by_the_process_that_meets_them(
    weight_store: WeightStore, tmp_path: Path
) -> None:
    store = copy_of(weight_store, tmp_path)
    editor = store.directory(DEFAULT_WEIGHTS) / Network.EDITOR.weight_file
    content = bytearray(editor.read_bytes())
    content[-1] ^= 1
    editor.write_bytes(content)
    (tried,) = probe([NATIVE], RuntimeRequest(store, DEFAULT_WEIGHTS))
    assert tried.outcome is Outcome.DAMAGED
    assert "vtbridge weights pull" in tried.why


def test_weights_that_nobody_published_get_answers_by_which_a_real_candidate_is_tested_and_timed(
    weight_store: WeightStore, tmp_path: Path
) -> None:
    store = copy_of(weight_store, tmp_path)
    record = store.directory(DEFAULT_WEIGHTS) / "record.json"
    told = json.loads(record.read_text())
    for file in told["files"].values():
        file["source_sha256"] = "0" * 64
    mine = store.root / "mine"
    store.directory(DEFAULT_WEIGHTS).rename(mine)
    (mine / "record.json").write_text(json.dumps(told))
    assert find_golden(store, "mine") is None
    golden = make_golden(store, "mine")
    assert find_golden(store, "mine") == golden
    shipped = find_golden(weight_store, DEFAULT_WEIGHTS)
    assert isinstance(shipped, Golden)
    assert golden.answers.keys() == shipped.answers.keys()
    (tried,) = probe([NATIVE], RuntimeRequest(store, "mine"))
    assert tried.outcome is Outcome.RIGHT
    assert tried.description.startswith("native f32")
    assert tried.noise_db is not None
    assert tried.noise_db > 90
    assert tried.frame_ms is not None
    assert tried.frame_ms > 0
