"""What flickers and what only moves."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.pose_params import POSE_MAX, POSE_MIN, POSE_SIZE, PoseParam
from vtbridge.training.distill.flicker import measure_flicker, paths

PLACES = np.arange(512, dtype=np.float32)
PATH = np.zeros((12, POSE_SIZE), np.float32)
PATH[:, PoseParam.HEAD_Y] = np.linspace(0.0, 0.5, 12)


def ramp(values: F32Array) -> U8Array:
    """A soft edge that moves with the head: each pixel's level changes steadily."""
    edge = 200 + 100 * float(values[PoseParam.HEAD_Y])
    levels = np.clip(0.5 + (PLACES - edge) / 400, 0, 1) * 200
    frame = np.full((512, 512, 4), 255, np.uint8)
    frame[..., :3] = np.rint(levels)[None, :, None].astype(np.uint8)
    return frame


class Flickering:
    """The same, ``levels`` brighter in every other frame."""

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.frames = 0

    def __call__(self, values: F32Array) -> U8Array:
        self.frames += 1
        frame = ramp(values)
        frame[..., :3] += np.uint8(self.levels * (self.frames % 2))
        return frame


def test_what_is_alike_flickers_alike_and_adds_nothing() -> None:
    flicker = measure_flicker(PATH, ramp, ramp)
    assert flicker.ratio == 1.0
    assert flicker.added == 0.0


def test_steady_motion_is_no_flicker() -> None:
    # Rounding alone is left of it.
    assert measure_flicker(PATH, ramp, ramp).teacher < 1.5


def test_what_alternates_counts_twice_its_levels() -> None:
    # f - 2 (f + l) + f is 2 l in one frame and -2 l in the next.
    flicker = measure_flicker(PATH, ramp, Flickering(5))
    assert flicker.added == pytest.approx(10.0)
    assert flicker.model > 5 * flicker.teacher


def test_a_model_that_is_wrong_but_steady_adds_no_flicker() -> None:
    def brighter(values: F32Array) -> U8Array:
        frame = ramp(values)
        frame[..., :3] += np.uint8(20)
        return frame

    flicker = measure_flicker(PATH, ramp, brighter)
    assert flicker.added == 0.0
    assert flicker.ratio == pytest.approx(1.0)


def test_empty_surroundings_do_not_dilute_it() -> None:
    def small(values: F32Array) -> U8Array:
        frame = Flickering(0)(values)
        cut = np.zeros_like(frame)
        cut[200:230, 300:340] = frame[200:230, 300:340]
        return cut

    state = Flickering(5)

    def small_flickering(values: F32Array) -> U8Array:
        cut = np.zeros((512, 512, 4), np.uint8)
        cut[200:230, 300:340] = state(values)[200:230, 300:340]
        return cut

    assert measure_flicker(PATH, small, small_flickering).added == pytest.approx(10.0)


def test_a_teacher_at_rest_and_a_model_that_is_not_are_told() -> None:
    still = np.zeros((6, POSE_SIZE), np.float32)
    assert measure_flicker(still, ramp, ramp).ratio == 1.0
    assert measure_flicker(still, ramp, Flickering(3)).ratio == float("inf")


def test_a_poser_that_draws_into_one_frame_can_be_both() -> None:
    frame = np.zeros((512, 512, 4), np.uint8)

    def reused(values: F32Array) -> U8Array:
        frame[:] = ramp(values)
        return frame

    assert measure_flicker(PATH, reused, reused) == measure_flicker(PATH, ramp, ramp)


def test_a_path_needs_three_poses() -> None:
    with pytest.raises(ValueError, match="3 are the least"):
        measure_flicker(PATH[:2], ramp, ramp)


def test_paths_are_smooth_within_the_ranges_and_move_what_they_are_named_for() -> None:
    found = paths()
    assert list(found) == ["head sweep", "speech", "idle"]
    for path in found.values():
        assert path.shape == (90, POSE_SIZE)
        assert (path >= np.array(POSE_MIN)).all()
        assert (path <= np.array(POSE_MAX)).all()
        assert np.abs(np.diff(path, n=2, axis=0)).max() < 0.03
    assert np.ptp(found["head sweep"][:, PoseParam.HEAD_Y]) > 1
    assert np.ptp(found["speech"][:, PoseParam.MOUTH_AAA]) > 0.5
    assert np.ptp(found["idle"][:, PoseParam.HEAD_Y]) < 0.3
