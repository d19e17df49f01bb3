"""Eyebrow combiner: pose the brows and put them back on the face."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import BlockStyle, GridWarp, blend, head
from vtbridge.render.models.encoder_decoder import PoseEncoderDecoder
from vtbridge.render.models.variants import BlockKind, Network, NetworkShape

POSE_SIZE = 12
"""Pose parameters that it sees: ``vtbridge.pose_params.BROW_SLICE``."""


class CombinedBrows(NamedTuple):
    """What the combiner gives, in the order of the author's outputs.

    Pictures are [N, 4, S, S] in -1..1, alphas [N, 1, S, S] in 0..1. The poser uses
    ``image_by_brow_alpha``.
    """

    image_by_combine_alpha: Tensor
    combine_alpha: Tensor
    image_by_brow_alpha: Tensor
    brows: Tensor
    brow_alpha: Tensor
    brow_color: Tensor
    warped_brows: Tensor
    grid_change: Tensor


def over_background(alpha: Tensor, brows: Tensor, background: Tensor) -> Tensor:
    """Blend the colours of ``brows`` over ``background``, whose own alpha stays."""
    rgb = blend(alpha, brows[:, :3], background[:, :3])
    return torch.cat([rgb, background[:, 3:]], dim=1)


def alpha_of(image: Tensor) -> Tensor:
    """Return the alpha channel of ``image`` [N, 4, S, S] as [N, 1, S, S] in 0..1."""
    return (image[:, 3:] + 1.0) / 2.0


class EyebrowCombiner(nn.Module):
    """Move and repaint the brows as the pose says."""

    network: ClassVar = Network.EYEBROW_COMBINER

    def __init__(self, kind: BlockKind, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = kind
        width = shape.start_channels
        self.body = PoseEncoderDecoder(BlockStyle(kind), shape, in_channels=8, pose_size=POSE_SIZE)
        self.grid_change = head(width, 2, bias=False)
        self.brow_alpha = head(width, 1)
        self.brow_color = head(width, 4)
        self.combine_alpha = head(width, 1)
        self.warp = GridWarp(shape.image_size)

    def forward(self, background: Tensor, brows: Tensor, pose: Tensor) -> CombinedBrows:
        """Pose ``brows`` over ``background``, both [N, 4, S, S], by ``pose`` [N, 12]."""
        features = self.body(torch.cat([background, brows], dim=1), pose)
        grid_change = self.grid_change(features)
        brow_alpha = torch.sigmoid(self.brow_alpha(features))
        brow_color = torch.tanh(self.brow_color(features))
        combine_alpha = torch.sigmoid(self.combine_alpha(features))
        warped = self.warp(grid_change, brows)
        morphed = blend(brow_alpha, brow_color, warped)
        return CombinedBrows(
            image_by_combine_alpha=over_background(combine_alpha, morphed, background),
            combine_alpha=combine_alpha,
            image_by_brow_alpha=over_background(alpha_of(morphed), morphed, background),
            brows=morphed,
            brow_alpha=brow_alpha,
            brow_color=brow_color,
            warped_brows=warped,
            grid_change=grid_change,
        )
