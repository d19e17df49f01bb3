"""Which poses the teacher is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.baking import recording
from vtbridge.datatypes import F32Array, clamp_pose
from vtbridge.errors import ConfigError
from vtbridge.pose_params import POSE_SIZE, ROTATION_SLICE, PoseParam
from vtbridge.pose_schema import THA3
from vtbridge.training.distill.poses import (
    FACE_POSE_SIZE,
    ROTATION_SIZE,
    FacePlan,
    RotationPlan,
    composed_face,
    divided,
)

NOTHING = np.empty((0, ROTATION_SIZE), np.float32)
NO_FACE = np.empty((0, FACE_POSE_SIZE), np.float32)


def taken(plan: RotationPlan | FacePlan, count: int) -> F32Array:
    return np.array([plan.next() for _ in range(count)], np.float32)


def test_what_is_judged_by_comes_from_the_last_fifth_of_each_recording() -> None:
    first, second = recording(100), recording(50) * 0.5
    recorded = divided([first, second], 12)
    assert len(recorded.training) == 80 + 40
    assert len(recorded.held_out) == 12
    ends = clamp_pose(np.concatenate([first[80:], second[40:]]))
    for pose in recorded.held_out:
        assert (ends == pose).all(axis=1).any()
    assert (recorded.held_out[0] == clamp_pose(first[80:])).all(axis=1).any()
    assert (recorded.held_out[-1] == clamp_pose(second[40:])).all(axis=1).any()


def test_a_single_pose_may_be_asked_for_but_not_judged_by() -> None:
    recorded = divided([recording(20), np.ones((1, POSE_SIZE), np.float32)], 4)
    assert (recorded.training == 1).all(axis=1).any()
    with pytest.raises(ConfigError, match="at least 10 poses"):
        divided([np.ones((1, POSE_SIZE), np.float32)], 4)


def test_recorded_values_beyond_their_range_are_clamped() -> None:
    recorded = divided([np.full((20, POSE_SIZE), 7, np.float32)], 2)
    assert recorded.training.max() == 1
    assert recorded.held_out.max() == 1


def test_rotations_begin_neutral_and_lie_within_their_ranges() -> None:
    rotations = taken(RotationPlan(divided([recording()], 8), NOTHING), 200)
    assert (rotations[0] == 0).all()
    assert rotations[:, :5].min() == -1
    assert rotations[:, :5].max() == 1
    assert rotations[:, 5].min() >= 0


def test_no_rotation_is_asked_for_twice() -> None:
    rotations = taken(RotationPlan(divided([recording()], 8), NOTHING), 300)
    distances = np.abs(rotations[:, None] - rotations[None]).max(axis=2)
    assert distances[~np.eye(300, dtype=bool)].min() >= 1e-4


def test_about_half_of_the_first_rotations_are_recorded_ones_and_the_farthest_first() -> None:
    recorded = divided([recording(2000)], 8)
    rotations = taken(RotationPlan(recorded, NOTHING), 81)
    known = recorded.training[:, ROTATION_SLICE]
    is_recorded = np.array([(np.abs(known - each).max(axis=1) < 1e-6).any() for each in rotations])
    assert 35 <= is_recorded.sum() <= 45
    first = rotations[is_recorded][:20]
    rng = np.random.default_rng(0)
    random = known[rng.choice(len(known), 20, replace=False)]

    def covering(chosen: F32Array) -> float:
        return float(np.linalg.norm(known[:, None] - chosen[None], axis=2).min(axis=1).max())

    assert covering(first) < covering(random)


def test_some_rotations_turn_the_body_as_the_head_and_some_do_not() -> None:
    rotations = taken(RotationPlan(divided([recording()], 8), NOTHING), 200)
    follows = np.isclose(rotations[:, 1], rotations[:, 3]) & np.isclose(
        rotations[:, 2], rotations[:, 4]
    )
    assert 20 < follows.sum() < 180


def test_rotations_near_a_held_out_one_are_passed_over() -> None:
    poses = recording(400)
    poses[:, ROTATION_SLICE] = np.float32(0.5)
    poses[:20, ROTATION_SLICE] = np.linspace(-1, 0, 20)[:, None]
    recorded = divided([poses], 4)
    rotations = taken(RotationPlan(recorded, NOTHING), 100)
    assert np.abs(rotations - np.float32(0.5)).max(axis=1).min() >= 0.01


def test_not_even_the_neutral_pose_is_asked_for_where_it_is_held_out() -> None:
    poses = recording(100) + np.float32(0.2)
    poses[-20:] = 0
    recorded = divided([poses], 4)
    assert np.abs(taken(RotationPlan(recorded, NOTHING), 60)).max(axis=1).min() >= 0.01
    assert np.abs(taken(FacePlan(recorded, NO_FACE), 60)).max(axis=1).min() >= 0.01


def test_a_plan_goes_on_from_what_is_known() -> None:
    recorded = divided([recording()], 8)
    whole = taken(RotationPlan(recorded, NOTHING), 120)
    begun = taken(RotationPlan(recorded, NOTHING), 50)
    rest = taken(RotationPlan(recorded, begun), 70)
    together = np.concatenate([begun, rest])
    distances = np.abs(together[:, None] - together[None]).max(axis=2)
    assert distances[~np.eye(120, dtype=bool)].min() >= 1e-4
    shared = (np.abs(whole[:, None] - together[None]).max(axis=2) < 1e-4).any(axis=1)
    assert shared.mean() > 0.8


def test_faces_begin_neutral_and_are_never_asked_for_twice() -> None:
    faces = taken(FacePlan(divided([recording()], 8), NO_FACE), 200)
    assert (faces[0] == 0).all()
    assert len(np.unique(faces, axis=0)) == 200
    again = taken(FacePlan(divided([recording()], 8), faces), 50)
    assert np.abs(faces[:, None] - again[None]).max(axis=2).min() >= 1e-4


def test_each_expression_is_asked_for_by_itself_before_any_other() -> None:
    faces = taken(FacePlan(divided([recording()], 8), NO_FACE), 27)
    used = faces != 0
    assert used.sum(axis=1).max() == 2
    assert used.any(axis=0).all()
    assert np.abs(faces[1:]).max(axis=1).min() == 1
    blink = faces[:, PoseParam.EYE_WINK_LEFT] == 1
    assert (faces[blink, PoseParam.EYE_WINK_RIGHT] == 1).all()
    assert {*faces[:, PoseParam.IRIS_ROTATION_X]} == {-1.0, 0.0, 1.0}


def test_when_recorded_faces_run_out_composed_ones_go_on() -> None:
    faces = taken(FacePlan(divided([recording(20)], 2), NO_FACE), 100)
    assert len(np.unique(faces, axis=0)) == 100


def test_a_composed_face_is_one_that_can_be_and_always_the_same() -> None:
    faces = np.array([composed_face(number) for number in range(400)])
    assert (composed_face(7) == faces[7]).all()
    whole = np.zeros((400, POSE_SIZE), np.float32)
    whole[:, :FACE_POSE_SIZE] = faces
    assert (clamp_pose(whole) == whole).all()
    for eye in THA3.eyes:
        assert whole[:, list(eye)].sum(axis=1).max() <= 1 + 1e-5
    # Every parameter is used, most faces use few, and both sides are mostly alike.
    assert (np.abs(faces).max(axis=0) > 0.5).all()
    assert np.median((faces != 0).sum(axis=1)) < 16
    winks = faces[:, [PoseParam.EYE_WINK_LEFT, PoseParam.EYE_WINK_RIGHT]]
    assert (winks[:, 0] == winks[:, 1]).mean() > 0.8
