"""The quality levels: what each one may leave out."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.recording_runtime import pose
from vtbridge.pose_params import POSE_MAX, POSE_MIN, ROTATION_SLICE
from vtbridge.render.quality.body import NEVER
from vtbridge.render.quality.levels import LEVELS, FaceSteps, Level
from vtbridge.render.settings import Quality


def test_there_is_a_level_for_every_quality_that_networks_compute() -> None:
    assert set(LEVELS) == set(Quality) - {Quality.AUTO, Quality.BAKED}


def test_exact_leaves_nothing_out() -> None:
    values = np.random.default_rng(1).uniform(POSE_MIN, POSE_MAX).astype(np.float32)
    assert LEVELS[Quality.EXACT].rounded(values) is values
    assert LEVELS[Quality.EXACT].reuse == NEVER


def test_each_level_reuses_at_least_what_the_one_before_does() -> None:
    exact, balanced, fast = (
        LEVELS[quality].reuse for quality in (Quality.EXACT, Quality.BALANCED, Quality.FAST)
    )
    for stricter, looser in ((exact, balanced), (balanced, fast)):
        assert stricter.extend_px < looser.extend_px
        assert stricter.bending < looser.bending
        assert stricter.face_change < looser.face_change


@pytest.mark.parametrize("quality", [Quality.BALANCED, Quality.FAST])
def test_rounding_touches_the_face_alone_and_keeps_its_ends(quality: Quality) -> None:
    rng = np.random.default_rng(2)
    level = LEVELS[quality]
    for values in [*rng.uniform(POSE_MIN, POSE_MAX, (20, 45)), POSE_MIN, POSE_MAX, np.zeros(45)]:
        exact = np.array(values, np.float32)
        rounded = level.rounded(exact)
        assert rounded.dtype == np.float32
        np.testing.assert_array_equal(rounded[ROTATION_SLICE], exact[ROTATION_SLICE])
        assert np.abs(rounded - exact).max() <= 0.5 / 12 + 1e-6
    for ends in (POSE_MIN, POSE_MAX):
        exact = np.array(ends, np.float32)
        np.testing.assert_array_equal(level.rounded(exact), exact)


def test_poses_nearer_than_a_step_share_their_key() -> None:
    level = Level(NEVER, FaceSteps(brows=10, eyes=10, gaze=10, mouth=10))
    near = level.rounded(pose(eye_wink_left=0.51, mouth_aaa=-0.0, iris_rotation_x=-0.02))
    assert near.tobytes() == level.rounded(pose(eye_wink_left=0.49)).tobytes()
    assert near.tobytes() != level.rounded(pose(eye_wink_left=0.56)).tobytes()
