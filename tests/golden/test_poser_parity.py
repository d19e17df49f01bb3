"""What ``vtbridge pose`` writes against what the reference computes from the same poses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.golden.conftest import MOVING, RANDOM, ReferenceRun
from vtbridge.cli.commands import app
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.render.runtimes.openvino import has_bf16

ALL = range(RANDOM + MOVING)
SOME = (0, *ALL[-2:])
"""Poses of both kinds, and the two neighbours."""
PICTURES = range(RANDOM - 1, RANDOM + 2)
"""Poses of both kinds, of which pictures of the default precision are compared."""

TOLERANCE = 1e-4
EXACT_LEVELS = 1
# Measured: at worst 2.0 levels on a CPU without bf16, 49 dB in bf16. Sums are rounded otherwise on
# other CPUs, hence one more.
FAST_LEVELS = 3
BF16_PSNR_DB = 45.0

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("weight_store")]


def arguments(run: ReferenceRun, indices: Sequence[int], out_dir: Path) -> list[str]:
    """Return what has ``vtbridge`` write some of the run's poses to ``out_dir``."""
    poses = out_dir / "poses.json"
    poses.write_text(json.dumps([run.poses[index].tolist() for index in indices]))
    command = ["pose", str(run.picture_file), "--json"]
    return [*command, "--poses", str(poses), "--out-dir", str(out_dir)]


def run_pose(arguments: Sequence[str]) -> str:
    """Run ``vtbridge pose`` in this process and return what computed."""
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return str(json.loads(done.stdout)["runtime"])


@pytest.fixture(scope="module")
def native_dir(reference_run: ReferenceRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with pictures and float output of ``ALL``, by a process of its own."""
    folder = tmp_path_factory.mktemp("native")
    command = [*arguments(reference_run, ALL, folder), "--float", "--runtime", "native"]
    command = [sys.executable, "-m", "vtbridge", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runtime"].startswith("native f32")
    return folder


def test_float_output_is_that_of_the_reference(
    native_dir: Path, reference_run: ReferenceRun
) -> None:
    assert_float_output(native_dir, ALL, reference_run)
    difference = np.abs(reference_run.frames[0] - reference_run.frames[RANDOM]).max()
    assert difference > 0.5, "the poses look alike and prove nothing"


@pytest.mark.parametrize("runtime", ["pytorch", "openvino"])
def test_float_output_of_other_runtimes_is_that_of_the_reference(
    runtime: str, reference_run: ReferenceRun, tmp_path: Path
) -> None:
    options = ("--float", "--runtime", runtime, "--precision", "f32")
    described = run_pose([*arguments(reference_run, SOME, tmp_path), *options])
    assert described == f"{runtime} f32 CPU"
    assert_float_output(tmp_path, SOME, reference_run)


def test_pictures_are_what_the_reference_saves_within_a_level(
    native_dir: Path, reference_run: ReferenceRun
) -> None:
    for ours, theirs in picture_pairs(reference_run, native_dir, ALL):
        assert levels_off(ours, theirs) <= EXACT_LEVELS


def test_the_default_precision_shows_no_difference(
    reference_run: ReferenceRun, tmp_path: Path
) -> None:
    options = ("--runtime", "openvino", "--precision", "auto")
    described = run_pose([*arguments(reference_run, PICTURES, tmp_path), *options])
    for ours, theirs in picture_pairs(reference_run, tmp_path, PICTURES):
        if has_bf16():
            assert described == "openvino bf16 CPU"
            assert psnr_db(ours, theirs) >= BF16_PSNR_DB
        else:
            assert described == "openvino f32-fast CPU"
            assert np.abs(premultiplied(ours) - premultiplied(theirs)).max() <= FAST_LEVELS


def assert_float_output(folder: Path, indices: Sequence[int], run: ReferenceRun) -> None:
    files = [folder / f"{place:04d}.npy" for place in range(len(indices))]
    assert sorted(folder.glob("*.npy")) == files
    for index, file in zip(indices, files, strict=True):
        frame = np.load(file)
        assert frame.dtype == np.float32
        assert frame.shape == (4, 512, 512)
        error = float(np.abs(frame - run.frames[index]).max())
        assert error <= TOLERANCE, f"pose {index} is off by {error:.1e}"


def picture_pairs(
    run: ReferenceRun, out_dir: Path, indices: Sequence[int]
) -> list[tuple[U8Array, U8Array]]:
    """Return each written picture beside what the reference would have saved."""
    pairs = []
    for place, index in enumerate(indices):
        with Image.open(out_dir / f"{place:04d}.png") as image:
            assert image.mode == "RGBA"
            pairs.append((np.asarray(image), saved_by_reference(run.frames[index])))
    return pairs


def levels_off(ours: U8Array, theirs: U8Array) -> int:
    """Return by how many of 255 levels what can be seen differs at most."""
    seen = theirs[..., 3] > 0  # it leaves colour where nothing can be seen
    colour = np.abs(ours[seen].astype(int) - theirs[seen].astype(int)).max()
    return max(int(colour), int(ours[..., 3][~seen].max()))


def psnr_db(ours: U8Array, theirs: U8Array) -> float:
    """Return the PSNR of the two over black, alpha as a fourth channel."""
    error = premultiplied(ours) - premultiplied(theirs)
    return float(10 * np.log10(255**2 / max(1e-9, np.mean(error**2))))


def premultiplied(rgba: U8Array) -> F32Array:
    """Return what a stream shows, 0..255: colour that can hardly be seen hardly counts."""
    planes = rgba.astype(np.float32)
    planes[..., :3] *= planes[..., 3:] / 255
    return planes


def saved_by_reference(planes: F32Array) -> U8Array:
    """Convert as the reference saves pictures: clip, encode, round, straight alpha."""
    unit = np.clip((planes.astype(np.float64) + 1) / 2, 0, 1).transpose(1, 2, 0)
    colour = unit[..., :3]
    unit[..., :3] = np.where(
        colour <= 0.0031308, colour * 12.92, 1.055 * np.maximum(colour, 1e-9) ** (1 / 2.4) - 0.055
    )
    return np.rint(unit * 255).astype(np.uint8)
