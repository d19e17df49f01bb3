"""Which poses are rendered: excerpts from all over, and a made-up path for other tests."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import F32Array, clamp_pose
from vtbridge.pose_params import BROW_SLICE, POSE_SIZE
from vtbridge.render.benchmark.pose_path import LEAD_IN, excerpts, smooth_pose_path


def numbered(count: int) -> F32Array:
    return np.repeat(np.arange(count, dtype=np.float32)[:, None], POSE_SIZE, axis=1)


@pytest.mark.parametrize("frames", [1, 9, 30, 31, 200])
def test_as_many_frames_count_as_were_asked_for(frames: int) -> None:
    stream = excerpts(numbered(2000), frames)
    assert stream.counted.sum() == frames
    assert len(stream.values) == len(stream.counted)


def test_a_recording_is_sampled_in_runs_from_all_over_it() -> None:
    stream = excerpts(numbered(2000), 200)
    places = stream.values[:, 0]
    jumps = np.flatnonzero(np.diff(places) != 1) + 1
    assert len(jumps) == 3, "four runs of neighbours"
    np.testing.assert_allclose(places[[0, *jumps]], [243, 730, 1217, 1704], atol=1)
    for begin in (0, *jumps):
        assert not stream.counted[begin : begin + LEAD_IN].any(), "nobody is blamed for a jump"
        assert stream.counted[begin + LEAD_IN]


def test_a_recording_shorter_than_wanted_starts_over() -> None:
    stream = excerpts(numbered(5), 12)
    assert stream.values.shape == (12 + 2 * LEAD_IN, POSE_SIZE)
    assert set(stream.values[:, 0]) == {0, 1, 2, 3, 4}


def test_the_made_up_path_is_smooth_in_range_and_always_the_same() -> None:
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
