"""Judging by poses that were never learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.baking import frame_of, recording
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.training.distill.evaluation import HeldOut

POSES = recording(3)


def asked(path: Path, poses: F32Array = POSES) -> HeldOut:
    held_out = HeldOut(path, poses)
    while not held_out.complete:
        held_out.ask(frame_of)
    return held_out


def test_the_teacher_itself_is_perfect(tmp_path: Path) -> None:
    accuracy = asked(tmp_path / "held_out.npz").judge(frame_of)
    assert (accuracy.psnr_db, accuracy.worst_psnr_db, accuracy.ssim) == (99.0, 99.0, 1.0)
    assert accuracy.poses == 3
    assert accuracy.finite


def test_the_worst_pose_is_told_apart_from_the_mean(tmp_path: Path) -> None:
    def wrong_once(values: F32Array) -> U8Array:
        return frame_of(values, 60.0 if (values == POSES[1]).all() else 2.0)

    accuracy = asked(tmp_path / "held_out.npz").judge(wrong_once)
    assert accuracy.worst_psnr_db < accuracy.psnr_db - 5


def test_frames_are_kept_and_not_asked_for_again(tmp_path: Path) -> None:
    asked(tmp_path / "held_out.npz")
    again = HeldOut(tmp_path / "held_out.npz", POSES)
    assert again.complete
    assert again.judge(frame_of).psnr_db == 99.0


def test_frames_of_other_poses_are_not_taken(tmp_path: Path) -> None:
    asked(tmp_path / "held_out.npz")
    assert HeldOut(tmp_path / "held_out.npz", POSES[:2]).known == 0
    assert HeldOut(tmp_path / "held_out.npz", POSES + np.float32(0.1)).known == 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"x" * 100])
def test_damaged_frames_are_asked_for_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "held_out.npz").write_bytes(content)
    assert HeldOut(tmp_path / "held_out.npz", POSES).known == 0
    assert asked(tmp_path / "held_out.npz").complete


def test_a_file_whose_end_is_cut_off_is_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "held_out.npz"
    asked(path)
    path.write_bytes(path.read_bytes()[:-200])
    assert HeldOut(path, POSES).known == 0


def test_nothing_is_judged_before_all_frames_are_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not drawn all"):
        HeldOut(tmp_path / "held_out.npz", POSES).judge(frame_of)
