"""A body is learnt from samples, better with more, and drawn as the teacher draws it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.body_teacher import drawn_picture, taught
from vtbridge.datatypes import F32Array
from vtbridge.render.baked.body import BakedBody
from vtbridge.render.benchmark.similarity import Likeness, likeness
from vtbridge.render.compositor import Compositor
from vtbridge.training.distill.body import BodyTrainer

PICTURE = drawn_picture()
RNG = np.random.default_rng(11)
LEARNT = RNG.uniform(-1, 1, (14, 6)).astype(np.float32)
UNSEEN = RNG.uniform(-0.5, 0.5, (3, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> BodyTrainer:
    made = BodyTrainer(tmp_path_factory.mktemp("body"), PICTURE)
    for rotation in LEARNT:
        made.add(rotation, taught(rotation, PICTURE))
    return made


@pytest.fixture(scope="module")
def tensors(trainer: BodyTrainer) -> dict[str, NDArray[Any]]:
    return trainer.fit(600.0, lambda: False)


@pytest.fixture(scope="module")
def brief(trainer: BodyTrainer) -> dict[str, NDArray[Any]]:
    """Return what a fit learns that has no time for all samples."""
    return trainer.fit(0.75, lambda: False)


def quality(tensors: dict[str, NDArray[Any]], rotation: F32Array, face: float = 0.0) -> Likeness:
    fields = taught(rotation, PICTURE, face=face)
    wanted, drawn = np.empty((2, 512, 512, 4), np.uint8)
    Compositor().composite(fields, wanted)
    BakedBody(tensors).draw(rotation, fields.morphed, drawn)
    return likeness(drawn, wanted)


def test_what_was_learnt_is_drawn_as_the_teacher_draws_it(
    tensors: dict[str, NDArray[Any]],
) -> None:
    for rotation in LEARNT[:3]:
        assert quality(tensors, rotation).psnr_db > 42


def test_unseen_rotations_are_near_the_teacher(tensors: dict[str, NDArray[Any]]) -> None:
    assert np.mean([quality(tensors, rotation).psnr_db for rotation in UNSEEN]) > 33


def test_a_face_never_learnt_is_carried_along(tensors: dict[str, NDArray[Any]]) -> None:
    assert quality(tensors, LEARNT[0], face=-0.4).psnr_db > 40


def test_more_samples_make_it_better(
    tensors: dict[str, NDArray[Any]], brief: dict[str, NDArray[Any]]
) -> None:
    better = np.mean([quality(tensors, rotation).psnr_db for rotation in UNSEEN])
    assert better > np.mean([quality(brief, rotation).psnr_db for rotation in UNSEEN])


def test_a_short_fit_leaves_samples_out(brief: dict[str, NDArray[Any]]) -> None:
    assert 0 < len(brief["body.centres"]) < len(LEARNT)


def test_a_fit_is_told_to_stop_and_leaves_no_scratch(trainer: BodyTrainer) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 60

    assert trainer.fit(600.0, stop) == {}
    assert asked > 60
    assert not list(trainer.folder.glob("*.scratch"))


def test_too_few_samples_make_no_model(tmp_path: Path) -> None:
    few = BodyTrainer(tmp_path, PICTURE)
    for rotation in LEARNT[:3]:
        few.add(rotation, taught(rotation, PICTURE))
    assert few.fit(600.0, lambda: False) == {}
    assert np.array_equal(few.rotations, LEARNT[:3])


def test_every_tensor_is_small_and_named_as_the_body_s(tensors: dict[str, NDArray[Any]]) -> None:
    assert all(name.startswith("body.") for name in tensors)
    assert sum(array.nbytes for array in tensors.values()) <= 20_000_000
