"""A stage learns, goes on after a break as if there had been none, and refuses what it must."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric

from tests.support.training import SIZE, MadeUpExamples
from vtbridge.datatypes import F32Array
from vtbridge.errors import TrainingError
from vtbridge.render.models.he_init import initialise
from vtbridge.training.dataset.true_flow import Reopen
from vtbridge.training.learn.batches import batch_of
from vtbridge.training.learn.journal import Journal
from vtbridge.training.learn.lessons import Lesson, shrunk, signals
from vtbridge.training.learn.losses import l1
from vtbridge.training.learn.network_file import Tha1Network, build_network
from vtbridge.training.learn.recipe import (
    NetworkName,
    NetworkRecipe,
    Recipe,
    StageName,
    StageRecipe,
)
from vtbridge.training.learn.stage import Classroom, Validation, train_stage
from vtbridge.training.sources.subject import Subject

TINY = NetworkRecipe(image_size=32, start_channels=4, bottleneck_size=8, bottleneck_blocks=1)


def recipe(name: StageName = StageName.MORPHER, **stage: object) -> Recipe:
    asked = {"name": name, "examples": 24, "batch": 4, "rate": 1e-3, "ema": 0.9} | stage
    return Recipe(
        name="tiny",
        mirror=True,
        checkpoint_every=8,
        validate_on=4,
        networks=dict.fromkeys(NetworkName, TINY),
        stages=(StageRecipe.model_validate(asked),),
    )


def new_network(kind: NetworkName = NetworkName.MORPHER) -> Tha1Network:
    network = build_network(kind, TINY.shape)
    initialise(network, torch.Generator().manual_seed(1))
    return network


def never() -> bool:
    return False


def trained(
    folder: Path,
    asked: Recipe,
    network: Tha1Network,
    *,
    interrupted: Callable[[], bool] = never,
    identity: str = "one",
    examples: int = 10,
    reopen: Reopen | None = None,
) -> Validation:
    fabric = Fabric(accelerator="cpu", devices=1, precision=asked.precision)
    fabric.launch()
    stage = asked.stages[0]
    room = Classroom(
        fabric=fabric,
        train=MadeUpExamples(examples),
        validation=MadeUpExamples(4, first=100),
        checkpoints=folder,
        identity=identity,
        journal=Journal(None),
        told=lambda name, done, total: None,
        interrupted=interrupted,
        reopen=reopen,
    )
    lesson = Lesson(
        stage.name.network, TINY.image_size, network, l1, focus=stage.focus, flow=stage.flow
    )
    return train_stage(asked, stage, lesson, room)


def weights(network: Tha1Network) -> bytes:
    state = network.state_dict()
    return b"".join(state[key].numpy().tobytes() for key in sorted(state))


def apart(one: Tha1Network, other: Tha1Network) -> float:
    """Return the mean distance of two networks' weights."""
    first, second = (
        torch.cat([w.detach().flatten() for w in n.parameters()]) for n in (one, other)
    )
    return float((first - second).abs().mean())


def test_training_brings_the_picture_nearer_to_the_truth(tmp_path: Path) -> None:
    network = new_network()
    before = weights(network)
    few = trained(tmp_path / "a", recipe(examples=4), new_network())
    many = trained(tmp_path / "b", recipe(examples=400, rate=3e-3), network)
    assert weights(network) != before
    assert many.l1 < few.l1 / 2
    assert many.psnr_db > few.psnr_db


def test_a_rotator_is_taught_the_true_flow_where_that_is_asked(tmp_path: Path) -> None:
    told: list[str] = []

    def flow(pose: F32Array, source: F32Array, *, size: int = 256) -> tuple[F32Array, F32Array]:
        """All comes from a quarter of the side to the right."""
        moved = np.zeros((size, size, 2), np.float32)
        moved[..., 0] = size / 4
        return moved, np.ones((size, size), np.float32)

    def reopen(name: str) -> Subject:
        told.append(name)
        return cast(Subject, SimpleNamespace(flow=flow, landmarks=None, layers=None))

    def learnt(weight: float) -> float:
        """How far to the right, in shares of the side, it samples then."""
        rotator = new_network(NetworkName.ROTATOR)
        asked = recipe(StageName.ROTATOR_L1, examples=200, rate=3e-3, flow=weight)
        trained(tmp_path / f"{weight}", asked, rotator, reopen=reopen)
        batch = batch_of([(MadeUpExamples(4)[2], False)], NetworkName.ROTATOR, TINY.image_size)
        with torch.no_grad():
            rotated = rotator(shrunk(signals(batch.before), TINY.image_size), batch.pose)
        return float(rotated.grid_change[:, 0].mean()) / 2

    untaught = learnt(0.0)
    assert not told
    taught = learnt(5.0)
    assert taught > untaught + 0.005
    assert len(told) == 200


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_break_at_any_step_changes_no_bit(tmp_path: Path, ema: float) -> None:
    whole = new_network()
    trained(tmp_path / "whole", recipe(ema=ema), whole)
    for steps in (1, 3, 5):
        folder = tmp_path / f"broken-{steps}"
        asked = iter([False] * (steps - 1) + [True])
        with pytest.raises(KeyboardInterrupt):
            trained(folder, recipe(ema=ema), new_network(), interrupted=asked.__next__)
        again = new_network()
        trained(folder, recipe(ema=ema), again)
        assert weights(again) == weights(whole)


def test_a_batch_in_pieces_teaches_the_same(tmp_path: Path) -> None:
    whole, pieces = new_network(), new_network()
    trained(tmp_path / "a", recipe(examples=8, accumulate=1), whole)
    trained(tmp_path / "b", recipe(examples=8, accumulate=4), pieces)
    assert apart(whole, pieces) < 0.02 * apart(whole, new_network())


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, recipe(), new_network())
    with pytest.raises(TrainingError, match="of another data set, or the recipe"):
        trained(tmp_path, recipe(), new_network(), identity="another")


def test_a_damaged_checkpoint_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "morpher.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="is damaged: delete it"):
        trained(tmp_path, recipe(), new_network())


def test_a_loss_that_is_no_number_ends_the_stage(tmp_path: Path) -> None:
    network = new_network()
    with torch.no_grad():
        next(network.parameters()).fill_(np.nan)
    with pytest.raises(TrainingError, match="the loss is nan after 0 examples"):
        trained(tmp_path, recipe(), network)


def test_a_data_set_without_examples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no examples"):
        trained(tmp_path, recipe(), new_network(), examples=0)


def test_made_up_pictures_have_the_tests_size() -> None:
    assert MadeUpExamples(1)[0].rest.shape == (SIZE, SIZE, 4)
