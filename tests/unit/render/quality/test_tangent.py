"""The flow's tangent: answers of the rotator, extended to rotations nearby."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from vtbridge.datatypes import F32Array
from vtbridge.render.quality.tangent import FlowTangent, motion_px

SIZE = 16
SLOPES = np.random.default_rng(4).uniform(-0.05, 0.05, (6, 2, SIZE, SIZE)).astype(np.float32)


def answer(rotation: F32Array) -> F32Array:
    grid: F32Array = np.tensordot(rotation, SLOPES, 1) + np.float32(0.01)
    return grid


def rotations(count: int) -> F32Array:
    return np.random.default_rng(5).uniform(-0.5, 0.5, (count, 6)).astype(np.float32)


def taught(steps: F32Array) -> FlowTangent:
    tangent = FlowTangent(SIZE)
    for before, now in pairwise(steps):
        tangent.learn(before, answer(before), now, answer(now))
    return tangent


def test_untaught_it_leaves_an_answer_as_it_is() -> None:
    there, here = rotations(2)
    extended = FlowTangent(SIZE).extended(there, answer(there), here)
    np.testing.assert_array_equal(extended, answer(there))


def test_it_learns_a_linear_flow_in_all_directions() -> None:
    there, here = rotations(2)
    extended = taught(rotations(150)[2:]).extended(there, answer(there), here)
    left_out = np.abs(answer(there) - answer(here)).max()
    assert np.abs(extended - answer(here)).max() < 0.1 * left_out


def test_one_step_teaches_its_own_direction() -> None:
    still, moved = np.zeros(6, np.float32), np.array([0.4, 0, 0.1, 0, 0, 0], np.float32)
    tangent = taught(np.stack([still, moved]))
    np.testing.assert_allclose(
        tangent.extended(moved, answer(moved), 1.5 * moved), answer(1.5 * moved), atol=2e-3
    )


def test_a_change_without_rotation_teaches_nothing() -> None:
    still = np.zeros(6, np.float32)
    nearly = np.array([1e-4, 0, 0, 0, 0, 0], np.float32)
    tangent = FlowTangent(SIZE)
    changed = answer(still) + np.float32(0.05)  # by the face
    tangent.learn(still, answer(still), still, changed)
    tangent.learn(still, answer(still), nearly, changed)
    far = np.full(6, 0.05, np.float32)
    extended = tangent.extended(still, answer(still), far)
    assert np.abs(extended - answer(still)).max() < 2e-4


def test_an_answer_is_not_written_to() -> None:
    there, here = rotations(2)
    before = answer(there)
    kept = before.copy()
    taught(rotations(5)).extended(there, before, here)
    np.testing.assert_array_equal(before, kept)


@pytest.mark.parametrize(("param", "least"), [(2, 7.0), (4, 10.0), (5, 0.5)])
def test_motion_is_told_in_pixels_whichever_way(param: int, least: float) -> None:
    still, moved = np.zeros(6, np.float32), np.zeros(6, np.float32)
    moved[param] = 1
    assert motion_px(still, still) == 0
    assert motion_px(still, moved) == motion_px(moved, still) >= least
