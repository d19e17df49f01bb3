from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.evaluated import random_run
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.dataset.examples import Example
from vtbridge.training.evaluate.measure import MORPHER
from vtbridge.training.evaluate.networks import Answer, TrainedRun
from vtbridge.training.evaluate.rest import rest_psnr_db
from vtbridge.training.learn.recipe import StageName

SIZE, FACE = 64, 32
STEP_DB = -20 * np.log10(0.1)


def an_example() -> Example:
    """Drawn with its mouth open; its example has it closed and the head turned."""
    rest: U8Array = np.full((SIZE, SIZE, 4), 255, np.uint8)
    moved: U8Array = np.zeros((SIZE, SIZE, 4), np.uint8)
    drawn: F32Array = np.zeros(POSE_SIZE, np.float32)
    drawn[PoseParam.MOUTH_AAA] = 1
    pose: F32Array = np.zeros(POSE_SIZE, np.float32)
    pose[PoseParam.HEAD_Y] = 1
    return Example("one", rest, moved, moved, drawn, pose, frozenset())


@pytest.fixture
def run(tmp_path: Path) -> TrainedRun:
    stages = [StageName.MORPHER, StageName.ROTATOR_L1]
    return TrainedRun(random_run(tmp_path, stages, face=FACE, head=SIZE))


def test_the_pose_is_the_one_it_was_drawn_in(
    run: TrainedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[torch.Tensor] = []

    def morphed(image: torch.Tensor, pose: torch.Tensor) -> torch.Tensor:
        told.append(pose)
        return image

    def turned(image: torch.Tensor, pose: torch.Tensor) -> dict[str, Answer]:
        told.append(pose)
        return {"PU-L1": Answer(image)}

    monkeypatch.setattr(run, "morphed", morphed)
    monkeypatch.setattr(run, "turned", turned)
    found = rest_psnr_db(run, [an_example()])
    assert found == {MORPHER: 99, "PU-L1": 99}
    assert [pose.tolist() for pose in told] == [[[0, 0, 1]], [[0, 0, 0]]]


def test_what_changes_a_picture_that_rests_is_told(
    run: TrainedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faded(image: torch.Tensor, pose: torch.Tensor) -> torch.Tensor:
        return torch.cat([image[:, :3], image[:, 3:] - 0.2], dim=1)

    monkeypatch.setattr(run, "morphed", faded)
    found = rest_psnr_db(run, [an_example()])
    assert found[MORPHER] == pytest.approx(STEP_DB, abs=1e-3)
    assert set(found) == {MORPHER, "PU-L1", "ZH-L1"}


def test_without_examples_nothing_is_told(run: TrainedRun) -> None:
    assert rest_psnr_db(run, []) == {}
