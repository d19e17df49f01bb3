from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from tests.support.training import small_dataset
from vtbridge.datatypes import F32Array
from vtbridge.pose_params import PoseParam
from vtbridge.training.dataset.recipe import DatasetRecipe, LightRecipe
from vtbridge.training.dataset.sampling import random_light, random_pose, rest_pose, stream_of
from vtbridge.training.dataset.tha1 import FACE, HEAD, face_of, head_of
from vtbridge.training.sources.procedural import SHOWN

COUNT = 4000
LIDS = [param for param in PoseParam if param.label.startswith("eye_")]
VOWELS = list(map(PoseParam, range(PoseParam.MOUTH_AAA, PoseParam.MOUTH_DELTA + 1)))
BYTES_OF_VERSION_1 = "be6417882513ca61"


def poses_of(recipe: DatasetRecipe, shows: frozenset[PoseParam] = SHOWN) -> F32Array:
    random = stream_of(0, "somebody")
    rest = rest_pose(recipe, random)
    return np.stack([random_pose(recipe, rest, shows, random) for _ in range(COUNT)])


@pytest.mark.parametrize("param", FACE, ids=lambda param: param.label)
def test_eyes_and_mouth_are_uniform(param: PoseParam) -> None:
    values = poses_of(small_dataset())[:, param]
    assert stats.kstest(values, "uniform").pvalue > 0.01


@pytest.mark.parametrize("param", HEAD, ids=lambda param: param.label)
def test_density_of_a_joint_grows_with_its_distance_from_the_middle(param: PoseParam) -> None:
    values = poses_of(small_dataset())[:, param]
    assert stats.kstest(np.abs(values), lambda x: np.clip(x, 0, 1) ** 2).pvalue > 0.01
    assert abs((values > 0).mean() - 0.5) < 0.04


def test_version_1_moves_its_six_parameters_and_no_other() -> None:
    poses = poses_of(small_dataset())
    still = [param for param in PoseParam if param not in (*FACE, *HEAD)]
    assert not poses[:, still].any()
    assert face_of(poses).shape == head_of(poses).shape == (COUNT, 3)
    assert (head_of(poses[0]) == poses[0, [PoseParam.HEAD_X, PoseParam.HEAD_Y, 41]]).all()


def test_what_a_subject_does_not_show_stays_as_at_rest() -> None:
    shows = frozenset({PoseParam.EYE_WINK_LEFT})
    poses = poses_of(small_dataset(rest_mouth=[1.0]), shows)
    assert (poses[:, PoseParam.MOUTH_AAA] == 1).all()
    assert not poses[:, list(HEAD)].any()
    assert np.ptp(poses[:, PoseParam.EYE_WINK_LEFT]) > 0.9


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_shape_at_most_is_on_an_eye_and_each_reaches_its_end(side: str) -> None:
    lids = [param for param in LIDS if param.label.endswith(side)]
    shapes = poses_of(small_dataset(parameters="tha3"))[:, lids]
    assert len(lids) == 6
    assert ((shapes > 0).sum(axis=1) <= 1).all()
    shares = (shapes > 0).mean(axis=0)
    assert np.abs(shares - 1 / 6).max() < 0.03
    assert (shapes.max(axis=0) > 0.98).all()


def test_one_or_two_shapes_share_the_mouth_and_each_reaches_its_end() -> None:
    vowels = poses_of(small_dataset(parameters="tha3"))[:, VOWELS]
    counts = (vowels > 0).sum(axis=1)
    assert set(counts.tolist()) == {1, 2}
    assert abs((counts == 1).mean() - 0.5) < 0.03
    assert (vowels.sum(axis=1) <= 1 + 1e-6).all()
    assert (vowels.max(axis=0) > 0.98).all()
    assert stats.kstest(vowels[counts == 1].max(axis=1), "uniform").pvalue > 0.01


def test_shapes_that_a_subject_lacks_take_nothing_from_those_it_has() -> None:
    has = frozenset({PoseParam.EYE_WINK_LEFT, PoseParam.MOUTH_AAA, PoseParam.MOUTH_OOO})
    poses = poses_of(small_dataset(parameters="tha3"), has)
    assert stats.kstest(poses[:, PoseParam.EYE_WINK_LEFT], "uniform").pvalue > 0.01
    mouth = poses[:, [PoseParam.MOUTH_AAA, PoseParam.MOUTH_OOO]]
    assert (mouth.sum(axis=1) > 0).all()
    assert (mouth.max(axis=0) > 0.98).all()


def test_poses_of_version_1_are_the_same_numbers_for_ever() -> None:
    """Networks that come along name the digest of the data set that they learnt from."""
    poses = poses_of(small_dataset(rest_mouth=[1.0, 0.0]))
    assert hashlib.sha256(np.round(poses, 5).tobytes()).hexdigest()[:16] == BYTES_OF_VERSION_1


def test_extremes_are_as_many_as_were_asked_for() -> None:
    mouths = poses_of(small_dataset(extremes=0.25))[:, PoseParam.MOUTH_AAA]
    assert abs(np.isin(mouths, (0.0, 1.0)).mean() - 0.25) < 0.03


def test_a_subject_has_a_stream_of_its_own() -> None:
    first = stream_of(0, "a").random(4)
    assert (first == stream_of(0, "a").random(4)).all()
    assert (first != stream_of(0, "b").random(4)).all()
    assert (first != stream_of(1, "a").random(4)).all()


def test_a_rest_mouth_is_one_of_those_listed() -> None:
    recipe = small_dataset(rest_mouth=[1.0, 0.0])
    mouths = {
        rest_pose(recipe, stream_of(0, str(number))).item(PoseParam.MOUTH_AAA)
        for number in range(20)
    }
    assert mouths == {0.0, 1.0}


def test_ambient_light_fills_its_range() -> None:
    random = np.random.default_rng(0)
    ambient = [random_light(LightRecipe(), random).ambient for _ in range(COUNT)]
    assert stats.kstest(ambient, stats.uniform(0.5, 0.7).cdf).pvalue > 0.01
