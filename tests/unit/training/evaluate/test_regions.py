from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.support.evaluated import random_run
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.dataset.examples import Example
from vtbridge.training.evaluate.networks import TrainedRun
from vtbridge.training.evaluate.regions import Region, regions
from vtbridge.training.learn.recipe import StageName
from vtbridge.training.sources.subject import Subject

SIZE, FACE = 64, 32
EYE = (slice(4, 8), slice(4, 8))
"""Of the head box: what a left eye changes."""
FAR = (slice(24, 28), slice(4, 8))


def drawn(pose: F32Array, *, size: int = SIZE, light: None = None) -> U8Array:
    """Grey, black where the left eye is when it is closed."""
    picture: U8Array = np.full((size, size, 4), 255, np.uint8)
    edge = (size - FACE) // 2
    if pose[PoseParam.EYE_WINK_LEFT]:
        picture[edge:-edge, edge:-edge][(*EYE, slice(3))] = 0
    return picture


def looked_at(folder: Path, *places: tuple[slice, slice]) -> dict[str, Region]:
    """Regions of a morpher that paints ``places`` black when the left eye closes."""
    random_run(folder, [StageName.MORPHER], face=FACE, head=SIZE)
    run = TrainedRun(folder)

    def morphed(image: torch.Tensor, pose: torch.Tensor) -> torch.Tensor:
        answer = image.clone()
        for place in places if pose[0, 0] > 0 else ():
            answer[(0, slice(3), *place)] = -1
        return answer

    run.morphed = morphed  # type: ignore[method-assign]
    rest: F32Array = np.zeros(POSE_SIZE, np.float32)
    shown = frozenset({PoseParam.EYE_WINK_LEFT})
    picture = drawn(rest)
    example = Example("one", picture, picture, picture, rest, rest, shown)
    subject = SimpleNamespace(draw=drawn, shows=shown)
    return regions(run, [example], lambda name: subject)


def test_a_morpher_that_does_what_is_true_moves_nothing_else(tmp_path: Path) -> None:
    found = looked_at(tmp_path, EYE)
    assert set(found) == {"left_eye"}  # it shows no other
    assert found["left_eye"] == Region(outside=0.0, strength=1.0, characters=1)


def test_what_moves_elsewhere_too_is_told_as_its_share(tmp_path: Path) -> None:
    found = looked_at(tmp_path, EYE, FAR)["left_eye"]
    assert found.outside == pytest.approx(0.5)
    assert found.strength == pytest.approx(1)


def test_a_morpher_that_does_nothing_has_no_strength(tmp_path: Path) -> None:
    assert looked_at(tmp_path)["left_eye"] == Region(outside=None, strength=0.0, characters=1)


def test_a_character_that_cannot_be_drawn_anew_is_left_out(tmp_path: Path) -> None:
    random_run(tmp_path, [StageName.MORPHER], face=FACE, head=SIZE)
    rest: F32Array = np.zeros(POSE_SIZE, np.float32)
    picture = drawn(rest)

    def gone(name: str) -> Subject:
        raise DatasetError(f"{name} is gone")

    example = Example("one", picture, picture, picture, rest, rest, frozenset(PoseParam))
    assert regions(TrainedRun(tmp_path), [example], gone) == {}
