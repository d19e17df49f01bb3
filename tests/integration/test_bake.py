"""A character baked with the real networks: killed, gone on with, shown, and refused when damaged.

Seconds of baking make a poor model, but a whole one; how good it gets is for a benchmark.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from vtbridge.characters import BUILTIN
from vtbridge.render.baked.model_file import MAX_FILE_BYTES, read_manifest

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("weight_store"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows"),
]

EXIT_WEIGHTS = 4
_LONGEST_S = 280.0


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(REPOSITORY)}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vtbridge", *arguments]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_S,
        cwd=cwd,
        env=environment(),
    )


def samples(package: Path) -> int:
    return len(list((package / "bake" / "body").glob("*.npz")))


def kill_in_the_middle(package: Path, *arguments: str, cwd: Path) -> None:
    """Bake until there are some samples, then SIGKILL."""
    with subprocess.Popen(
        command(*arguments),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=cwd,
        env=environment(),
    ) as process:
        give_up = time.monotonic() + _LONGEST_S
        while samples(package) < 4 and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"


def test_a_character_is_baked_through_a_kill_and_then_shown(tmp_path: Path) -> None:
    package = tmp_path / "me"
    bake = ("character", "bake", "michi", "-o", "me", "--minutes", "0.1", "--threads", "2")
    kill_in_the_middle(package, *bake, cwd=tmp_path)
    kept = samples(package)
    assert kept >= 4
    assert not (package / "baked.safetensors").exists()

    done = run(*bake, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["complete"]
    assert told["body_samples"] >= max(kept, 12)
    assert told["accuracy"]["psnr_db"] > 24
    model = package / "baked.safetensors"
    assert model.stat().st_size <= MAX_FILE_BYTES
    assert read_manifest(model).psnr_db == pytest.approx(told["accuracy"]["psnr_db"], abs=0.01)
    with Image.open(package / "baked.png") as sheet:
        assert sheet.width == 960
    assert (package / "picture.png").read_bytes() == BUILTIN["michi"].read_bytes()

    again = run(*bake, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "already baked for" in again.stderr

    pose = ("pose", "--character", "me", "--quality", "baked", "--set", "head_y=0.4")
    shown = run(*pose, "--json", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["runtime"].startswith("baked ")
    exact = run("pose", "me", "--set", "head_y=0.4", "-o", "exact.png", cwd=tmp_path)
    assert exact.returncode == 0, exact.stderr
    alpha = [
        np.asarray(Image.open(tmp_path / name))[..., 3].astype(int) > 127
        for name in ("pose.png", "exact.png")
    ]
    assert (alpha[0] != alpha[1]).sum() < 0.05 * alpha[1].sum(), "another silhouette"

    model.write_bytes(model.read_bytes()[:-7] + b"damaged")
    refused = run(*pose, cwd=tmp_path)
    assert refused.returncode == EXIT_WEIGHTS
    assert "vtbridge character bake" in refused.stderr
