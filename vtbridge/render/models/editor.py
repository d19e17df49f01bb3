"""Editor: refine the rotator's warp at full size and repaint what it uncovers."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import BlockStyle, GridWarp, blend, head, pose_planes
from vtbridge.render.models.unet import UNet
from vtbridge.render.models.variants import BlockKind, Network, NetworkShape

POSE_SIZE = 6
"""Pose parameters that it sees: ``vtbridge.pose_params.ROTATION_SLICE``."""

SLOPE = 0.1


class EditedImage(NamedTuple):
    """What the editor gives, in the order of the author's outputs.

    Pictures are [N, 4, S, S] in -1..1; ``alpha`` has one value a channel, 0..1.
    """

    image: Tensor
    alpha: Tensor
    color: Tensor
    warped: Tensor
    grid_change: Tensor


class Editor(nn.Module):
    """Correct the grid change, warp again, blend a painted picture over it."""

    network: ClassVar = Network.EDITOR

    def __init__(self, kind: BlockKind, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = kind
        width = shape.start_channels
        self.image_size = shape.image_size
        self.body = UNet(BlockStyle(kind, SLOPE), shape, in_channels=4 + 4 + 2 + POSE_SIZE)
        self.color = head(width, 4)
        self.alpha = head(width, 4)
        self.grid_change = head(width, 2, bias=False)
        self.warp = GridWarp(shape.image_size)

    def forward(
        self, image: Tensor, warped: Tensor, grid_change: Tensor, pose: Tensor
    ) -> EditedImage:
        """Edit ``image`` [N, 4, S, S] by the rotator's answer, doubled, and ``pose`` [N, 6].

        Args:
            image: the picture before rotation.
            warped: the rotator's warped picture [N, 4, S, S].
            grid_change: the rotator's grid change [N, 2, S, S].
            pose: rotation [N, 6].
        """
        planes = pose_planes(pose, self.image_size)
        features = self.body(torch.cat([image, warped, grid_change, planes], dim=1))
        grid_change = grid_change + self.grid_change(features)
        color = torch.tanh(self.color(features))
        alpha = torch.sigmoid(self.alpha(features))
        warped = self.warp(grid_change, image)
        return EditedImage(
            image=blend(alpha, color, warped),
            alpha=alpha,
            color=color,
            warped=warped,
            grid_change=grid_change,
        )
