from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.evaluated import random_run
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import TrainingError
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.render.benchmark.similarity import IDENTICAL_DB
from vtbridge.training.dataset.examples import Example
from vtbridge.training.evaluate.measure import IDENTITY, chosen, measure
from vtbridge.training.evaluate.networks import TrainedRun
from vtbridge.training.learn.recipe import StageName
from vtbridge.training.sources.procedural import ProceduralSubject
from vtbridge.training.sources.subject import Subject

SIZE = 64
SHIFT = 3


class Shifted(ProceduralSubject):
    """A character that is known to have come from ``SHIFT`` pixels to the right."""

    def flow(
        self, pose: F32Array, source: F32Array, *, size: int = 256
    ) -> tuple[F32Array, F32Array]:
        assert pose[PoseParam.HEAD_Y] == 0.5
        assert source[PoseParam.HEAD_Y] == 0
        flow = np.zeros((size, size, 2), np.float32)
        flow[..., 0] = SHIFT
        return flow, np.ones((size, size), np.float32)


def example(seed: int) -> Example:
    """Noise that slides to the left when the head turns."""
    random = np.random.default_rng(seed)
    wide: U8Array = random.integers(0, 256, (SIZE, SIZE + SHIFT, 4), np.uint8)
    pose = np.zeros(POSE_SIZE, np.float32)
    pose[PoseParam.HEAD_Y] = 0.5
    still = np.ascontiguousarray(wide[:, :SIZE])
    return Example(
        subject=f"procedural-{seed:06d}",
        rest=still,
        expression=still,
        posed=np.ascontiguousarray(wide[:, SHIFT:]),
        rest_pose=np.zeros(POSE_SIZE, np.float32),
        pose=pose,
        shows=frozenset(),
    )


def silent(stage: str, done: int, total: int) -> None:
    pass


def test_a_rotator_whose_flow_is_the_truth_finds_it(tmp_path: Path) -> None:
    random_run(tmp_path, [StageName.ROTATOR_L1], face=SIZE, head=SIZE)
    run = TrainedRun(tmp_path)
    # What it answers does not hang on what it sees: all pixels come from ``SHIFT`` to the right.
    network = run._networks[StageName.ROTATOR_L1]
    network.grid_change.register_forward_hook(  # type: ignore[union-attr]
        lambda module, given, answer: torch.stack(
            [torch.full_like(answer[:, 0], SHIFT * 2 / (SIZE - 1)), torch.zeros_like(answer[:, 1])],
            dim=1,
        )
    )
    opened: list[str] = []

    def reopen(name: str) -> Subject:
        opened.append(name)
        return Shifted(0)

    measured = measure(run, [example(0), example(1)], (0, 1), silent, reopen)
    found = measured.head["ZH-L1"]
    # The border is sampled where the picture ends: those columns alone are wrong.
    wrong = sum(range(1, SHIFT + 1)) / SIZE
    np.testing.assert_allclose(found["flow_error_px"], wrong, rtol=1e-4)
    np.testing.assert_allclose(measured.head[IDENTITY]["flow_error_px"], SHIFT)
    assert (found["psnr_db"] > measured.head[IDENTITY]["psnr_db"] + 5).all()
    assert opened == ["procedural-000000", "procedural-000001"]
    assert measured.poses[:, 1].tolist() == [0.5, 0.5]


def test_a_morpher_that_is_asked_for_nothing_meets_a_perfect_identity(tmp_path: Path) -> None:
    random_run(tmp_path, [StageName.MORPHER], face=SIZE // 2, head=SIZE)
    measured = measure(TrainedRun(tmp_path), [example(0)], (0,), silent)
    assert measured.morpher[IDENTITY]["psnr_db"].item() == IDENTICAL_DB
    assert measured.morpher["morpher"]["psnr_db"].item() < IDENTICAL_DB
    assert measured.head == {}


def test_every_configuration_answers_when_all_stages_are_there(tmp_path: Path) -> None:
    random_run(tmp_path, StageName, face=SIZE // 2, head=SIZE)
    measured = measure(TrainedRun(tmp_path), [example(n) for n in range(3)], (0, 2), silent)
    assert len(measured.head) == 1 + 8
    assert measured.subjects == ("procedural-000000", "procedural-000002")
    assert all(len(marks["psnr_db"]) == 2 for marks in measured.head.values())


def test_a_combiner_without_its_rotator_is_not_asked(tmp_path: Path) -> None:
    random_run(
        tmp_path, [StageName.ROTATOR_L1, StageName.COMBINER_PERCEPTUAL_L1], face=SIZE, head=SIZE
    )
    names = [each.name for each in TrainedRun(tmp_path).configurations]
    assert names == ["PU-L1", "ZH-L1"]


def test_networks_of_two_runs_in_one_folder_are_told(tmp_path: Path) -> None:
    random_run(tmp_path, [StageName.ROTATOR_L1], face=SIZE, head=SIZE)
    random_run(tmp_path, [StageName.COMBINER_L1_L1], face=SIZE, head=2 * SIZE)
    with pytest.raises(TrainingError, match="different sizes"):
        TrainedRun(tmp_path)


def test_a_network_under_the_name_of_another_is_told(tmp_path: Path) -> None:
    random_run(tmp_path, [StageName.ROTATOR_L1], face=SIZE, head=SIZE)
    (tmp_path / "rotator-l1.safetensors").rename(tmp_path / "morpher.safetensors")
    with pytest.raises(TrainingError, match="is a rotator: put the morpher there"):
        TrainedRun(tmp_path)


def test_a_split_without_examples_is_told(tmp_path: Path) -> None:
    random_run(tmp_path, [StageName.MORPHER], face=SIZE // 2, head=SIZE)
    with pytest.raises(TrainingError, match="no examples"):
        measure(TrainedRun(tmp_path), [], (), silent)


def test_chosen_examples_are_spread_over_all() -> None:
    assert chosen(10, 4) == (0, 3, 6, 9)
    assert chosen(3, 0) == chosen(3, 99) == (0, 1, 2)
