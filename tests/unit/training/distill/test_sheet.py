"""The contact sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.baking import frame_of
from vtbridge.datatypes import F32Array, U8Array, clamp_pose
from vtbridge.training.distill.sheet import difference, telling_poses, write_sheet


def test_six_telling_poses_that_can_be() -> None:
    poses = telling_poses()
    assert len(poses) == 6
    for pose in poses.values():
        assert (clamp_pose(pose) == pose).all()
    assert len({pose.tobytes() for pose in poses.values()}) == 6


def test_a_difference_is_shown_eight_times_and_never_wraps() -> None:
    black = np.zeros((2, 2, 3), np.float32)
    assert (difference(black, black + 3) == 24).all()
    assert (difference(black + 200, black) == 255).all()


def solid(level: int) -> U8Array:
    frame = np.zeros((512, 512, 4), np.uint8)
    frame[...] = (level, level, level, 255)
    return frame


def test_a_sheet_shows_teacher_model_and_difference_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "baked.png"
    write_sheet(path, [solid(100)] * 6, lambda values: solid(110))
    sheet = np.array(Image.open(path))
    assert sheet.shape == (6 * 338, 960, 3)
    for row in range(6):
        middle = row * 338 + 18 + 160
        assert [int(sheet[middle, column, 0]) for column in (160, 480, 800)] == [100, 110, 80]


def test_a_model_that_fails_leaves_the_old_sheet(tmp_path: Path) -> None:
    path = tmp_path / "baked.png"
    path.write_bytes(b"old")

    def failing(values: F32Array) -> U8Array:
        raise RuntimeError

    frames = [frame_of(pose) for pose in telling_poses().values()]
    with pytest.raises(RuntimeError):
        write_sheet(path, frames, failing)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_frame_is_needed_for_every_pose(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        write_sheet(tmp_path / "baked.png", [solid(1)] * 5, lambda values: solid(1))
