"""The performance as poses: lively, smooth, and the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.app.performed_poses import performed_poses
from vtbridge.datatypes import clamp_pose
from vtbridge.pose_params import POSE_SIZE, PoseParam


def test_the_performance_moves_a_face_and_is_always_the_same() -> None:
    poses = performed_poses(20, seconds=8)
    assert poses.shape == (160, POSE_SIZE)
    assert poses.dtype == np.float32
    np.testing.assert_array_equal(poses, performed_poses(20, seconds=8))
    np.testing.assert_array_equal(poses, [clamp_pose(pose) for pose in poses])
    for param in (PoseParam.MOUTH_AAA, PoseParam.HEAD_Y, PoseParam.BREATHING):
        assert poses[:, param].std() > 0.05, param
    assert poses[:, PoseParam.EYE_WINK_LEFT].max() > 0.5, "nobody blinks"
    assert np.abs(poses[0] - poses[1]).max() < 0.3, "the face fades in before the first pose"


def test_a_finer_stream_passes_the_same_poses() -> None:
    coarse, fine = performed_poses(20, seconds=2), performed_poses(60, seconds=2)
    np.testing.assert_array_equal(coarse, fine[::3])


def test_a_rate_that_the_faces_do_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="do not divide"):
        performed_poses(25)
