"""What a lesson counts as wrong."""

from __future__ import annotations

import pytest
import torch

from vtbridge.render.models.tha1 import RotatedHead
from vtbridge.training.learn.batches import Batch
from vtbridge.training.learn.lessons import Lesson
from vtbridge.training.learn.losses import l1
from vtbridge.training.learn.recipe import NetworkName

SIZE, COARSE = 32, 16


class Shifting(torch.nn.Module):
    """Answers the picture itself, and that it was sampled ``x`` of the side beside."""

    def __init__(self, x: float) -> None:
        super().__init__()
        self.x = x

    def forward(self, image: torch.Tensor, pose: torch.Tensor) -> RotatedHead:
        moved = torch.zeros(len(image), 2, SIZE, SIZE)
        moved[:, 0] = 2 * self.x  # in halves of the side
        return RotatedHead(image, image, moved)


def batch(true_x: float, *, known: float = 1.0) -> Batch:
    picture = torch.full((2, SIZE, SIZE, 4), 200, dtype=torch.uint8)
    flow = torch.zeros(2, 3, COARSE, COARSE)
    flow[:, 0], flow[:, 2] = true_x, known
    return Batch(picture, picture, torch.zeros(2, 3), flow)


def loss(x: float, seen: Batch, *, flow: float = 2.0) -> float:
    return float(Lesson(NetworkName.ROTATOR, SIZE, Shifting(x), l1, flow=flow).loss_of(seen))


def test_a_flow_is_as_wrong_as_it_is_far_from_the_true_one() -> None:
    assert loss(0.25, batch(0.25)) == pytest.approx(0)
    assert loss(0.25, batch(-0.05)) == pytest.approx(2 * 0.3)


def test_where_the_truth_is_not_known_a_flow_is_free() -> None:
    assert loss(0.25, batch(-0.05, known=0)) == 0
    half = batch(-0.05)
    assert half.flow is not None
    half.flow[:, 2, :8] = 0
    assert loss(0.25, half) == pytest.approx(2 * 0.3)  # the mean over what is known


def test_without_weight_or_truth_pictures_alone_count() -> None:
    assert loss(0.25, batch(-0.05), flow=0) == 0
    seen = batch(-0.05)
    assert loss(0.25, Batch(seen.before, seen.after, seen.pose)) == 0
