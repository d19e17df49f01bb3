"""How far a picture is from the truth: L1, and what else a stage may make small.

Pictures are signals, [N, 4, S, S] in -1..1, linear light, straight alpha.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SOBEL = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
_WINDOW = 7
_C1, _C2 = 0.01**2, 0.03**2


class PictureLoss(Protocol):
    """One number for a batch, the smaller the better."""

    def __call__(self, picture: Tensor, truth: Tensor) -> Tensor:
        """Return it, a scalar."""


def l1(picture: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute difference."""
    return (picture - truth).abs().mean()


def edges(picture: Tensor) -> Tensor:
    """Return Sobel's gradients, [N, 8, S - 2, S - 2]: of each channel across, then down."""
    across = _SOBEL.to(picture)
    kernels = torch.stack([across, across.T])[:, None].repeat(picture.shape[1], 1, 1, 1)
    return F.conv2d(picture, kernels, groups=picture.shape[1])


def structure(picture: Tensor, truth: Tensor) -> Tensor:
    """Return the mean SSIM of windows of 7 x 7 pixels (Wang et al., 2004), 1 = equal."""
    a, b = (picture + 1) / 2, (truth + 1) / 2

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, _WINDOW, stride=1)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    both = mean(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + _C1) * (2 * both + _C2)
    return (top / ((mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2))).mean()


class StructuralLoss(nn.Module):
    """L1, and ``weight`` times what Sobel's edges and SSIM say: needs no weights of others.

    Args:
        weight: of both together.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, picture: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of a batch."""
        apart = (edges(picture) - edges(truth)).abs().mean()
        return l1(picture, truth) + self.weight * (apart + (1 - structure(picture, truth)) / 2)
