"""A pose holds only what a poser can show, and says how far faces drive it."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import F32Array, Pose, clamp_pose
from vtbridge.pose_params import POSE_SIZE
from vtbridge.pose_schema import THA1, THA3

VALUES = np.zeros(POSE_SIZE, np.float32)


def test_a_pose_is_covered_wholly_unless_it_says_otherwise() -> None:
    pose = Pose(VALUES.copy())
    assert pose.coverage is None
    assert pose.schema is THA3


def test_values_and_coverage_can_no_longer_be_changed() -> None:
    pose = Pose(VALUES.copy(), coverage=np.ones(POSE_SIZE, np.float32))
    assert pose.coverage is not None
    for array in (pose.values, pose.coverage):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.5


@pytest.mark.parametrize(
    "coverage",
    [
        np.ones(3, np.float32),
        np.ones(POSE_SIZE),
        np.full(POSE_SIZE, 1.1, np.float32),
        np.full(POSE_SIZE, -0.1, np.float32),
        np.full(POSE_SIZE, np.nan, np.float32),
    ],
)
def test_a_coverage_that_makes_no_sense_is_refused(coverage: F32Array) -> None:
    with pytest.raises(ValueError, match="coverage"):
        Pose(VALUES.copy(), coverage=coverage)


def test_a_pose_has_the_size_of_its_schema() -> None:
    assert Pose(np.zeros(6, np.float32), schema=THA1).values.shape == (6,)
    with pytest.raises(ValueError, match=r"float32 \[6\]"):
        Pose(VALUES.copy(), schema=THA1)
    with pytest.raises(ValueError, match=r"float32 \[45\]"):
        Pose(np.zeros(6, np.float32))
    with pytest.raises(ValueError, match=r"coverage is float32 \[6\]"):
        Pose(np.zeros(6, np.float32), coverage=np.ones(45, np.float32), schema=THA1)


def test_clamping_knows_the_ranges_of_each_schema() -> None:
    assert clamp_pose(np.full(6, -2, np.float32), THA1).tolist() == [-1, -1, -1, 0, 0, 0]
    assert clamp_pose(np.full(POSE_SIZE, 2, np.float32)).max() == 1.0
