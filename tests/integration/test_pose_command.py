"""``vtbridge pose`` as a user runs it: real weights, real runtimes, files on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from tests.support.cli import Told, run_here
from vtbridge.pose_params import POSE_SIZE, PoseParam

pytestmark = pytest.mark.timeout(240)

EXIT_CONFIG, EXIT_PICTURE, EXIT_WEIGHTS, EXIT_RUNTIME = 2, 3, 4, 5


def run_python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )


def run_pose(*arguments: str, cwd: Path) -> Told:
    return run_here("pose", *arguments, cwd=cwd)


def pixels(file: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(file) as image:
        assert image.mode == "RGBA"
        assert image.size == (512, 512)
        return np.asarray(image)


@pytest.mark.usefixtures("weight_store")
def test_a_built_in_character_is_posed_into_a_png(tmp_path: Path) -> None:
    rest = run_python("-m", "vtbridge", "pose", "michi", cwd=tmp_path)
    assert rest.returncode == 0, rest.stderr
    wink = run_pose(
        *("michi", "--set", "eye_wink_left=1", "--set", "mouth_aaa=1", "-o", "deep/wink.png"),
        "--json",
        cwd=tmp_path,
    )
    assert wink.returncode == 0, wink.stderr
    summary = json.loads(wink.stdout)
    assert summary["written"] == ["deep/wink.png"]
    assert " f32 " in summary["runtime"]
    before, after = pixels(tmp_path / "pose.png"), pixels(tmp_path / "deep" / "wink.png")
    changed = np.abs(before.astype(int) - after.astype(int)).max(axis=2) > 32
    assert changed[32:224, 160:352].sum() > 200, "the face did not change"
    assert changed.sum() < 1.2 * changed[32:224, 160:352].sum(), "more than the face changed"
    assert (before[0, 0] == 0).all()
    assert before[256, 256, 3] == 255


@pytest.mark.usefixtures("weight_store")
def test_many_poses_become_numbered_files_and_can_be_resumed(tmp_path: Path) -> None:
    poses = np.zeros((3, POSE_SIZE))
    poses[1, PoseParam.HEAD_Y] = 1
    poses[2, PoseParam.HEAD_Y] = 40  # beyond its range: clamped to the same
    (tmp_path / "poses.json").write_text(json.dumps(poses.tolist()))
    batch = ("michi", "--poses", "poses.json", "--out-dir", "out", "--float")

    done = run_pose(*batch, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "out").iterdir())
    stems = ["0000", "0001", "0002"]
    assert [file.name for file in files] == [
        f"{s}.{kind}" for s in stems for kind in ("npy", "png")
    ]
    frames = [np.load(file) for file in files if file.suffix == ".npy"]
    assert all(f.dtype == np.float32 and f.shape == (4, 512, 512) for f in frames)
    assert np.abs(frames[0] - frames[1]).max() > 0.5
    np.testing.assert_array_equal(frames[1], frames[2])

    (tmp_path / "out" / "0001.npy").unlink()
    (tmp_path / "out" / "0002.png").write_bytes(b"kept as it is")
    again = run_pose(*batch, "--resume", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["written"] == ["out/0001.png", "out/0001.npy"]
    assert json.loads(again.stdout)["kept"] == 2
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "0001.npy"), frames[1])
    assert (tmp_path / "out" / "0002.png").read_bytes() == b"kept as it is"


@pytest.mark.usefixtures("weight_store")
def test_openvino_never_loads_torch(tmp_path: Path) -> None:
    script = (
        "import sys; from vtbridge.cli.pose import pose; "
        "pose('michi', runtime='openvino', precision='f32'); "
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    done = run_python("-c", script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["nobody"], EXIT_PICTURE, "no character is called 'nobody'"),
        (["michi", "--set", "mouth_aa=1"], EXIT_CONFIG, "did you mean mouth_aaa"),
        (["michi", "--set", "mouth_aaa"], EXIT_CONFIG, "NAME=NUMBER"),
        (["michi", "--set", "mouth_aaa=nan"], EXIT_CONFIG, "NAME=NUMBER"),
        (["michi", "--poses", "p.json"], EXIT_CONFIG, "--poses needs --out-dir"),
        (["michi", "--out-dir", "out"], EXIT_CONFIG, "belong to --poses"),
        (["michi", "--poses", "p.json", "--out-dir", "o"], EXIT_CONFIG, "p.json cannot be read"),
        (["michi", "-o", ""], EXIT_CONFIG, "names no file"),
        (["michi", "-o", ".."], EXIT_CONFIG, ".. is a folder"),
        (["michi", "-o", "/"], EXIT_CONFIG, "names no file"),
        (["michi", "-o", "/proc/version/a.png"], EXIT_CONFIG, "/proc/version is a file"),
        (["michi", "--float", "-o", "a.npy"], EXIT_CONFIG, "is where --float writes to"),
        (["michi", "--weights", "other"], EXIT_WEIGHTS, "vtbridge weights import"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    arguments: list[str], code: int, complaint: str, tmp_path: Path
) -> None:
    done = run_pose(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("vtbridge: ")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("weight_store")
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            ["--runtime", "openvino", "--device", "cuda"],
            "openvino computes on cpu, gpu, npu, not on cuda",
        ),
        (["--runtime", "openvino", "--precision", "f16"], "not in f16"),
        (
            ["--runtime", "pytorch", "--precision", "bf16"],
            "pytorch computes in f32 on cpu, not in bf16",
        ),
    ],
)
def test_what_a_runtime_cannot_do_is_refused_with_a_remedy(
    options: list[str], complaint: str, tmp_path: Path
) -> None:
    done = run_pose("michi", "--device", "cpu", *options, cwd=tmp_path)
    assert done.returncode == EXIT_RUNTIME, done.stderr
    assert complaint in done.stderr
    assert "set " in done.stderr.lower()
