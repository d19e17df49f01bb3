"""Body rotator: turn head and body at half size, by two algorithms at once."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import BlockStyle, GridWarp, head, pose_planes
from vtbridge.render.models.encoder_decoder import ResizingEncoderDecoder
from vtbridge.render.models.variants import BlockKind, Network, NetworkShape

POSE_SIZE = 6
"""Pose parameters that it sees: ``vtbridge.pose_params.ROTATION_SLICE``."""

SLOPE = 0.1


class RotatedBody(NamedTuple):
    """What the rotator gives: a painted picture, a warped one, and the grid change."""

    direct: Tensor
    warped: Tensor
    grid_change: Tensor


class BodyRotator(nn.Module):
    """Paint the rotated picture directly, and find where each pixel comes from.

    The pose enters as constant planes, which the first normalisation removes everywhere
    but at the zero-padded border: cropping or padding its input changes the answer.
    """

    network: ClassVar = Network.BODY_ROTATOR

    def __init__(self, kind: BlockKind, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = kind
        self.image_size = shape.image_size
        self.body = ResizingEncoderDecoder(
            BlockStyle(kind, SLOPE), shape, in_channels=4 + POSE_SIZE
        )
        self.direct = head(shape.start_channels, 4)
        self.grid_change = head(shape.start_channels, 2, bias=False)
        self.warp = GridWarp(shape.image_size)

    def forward(self, image: Tensor, pose: Tensor) -> RotatedBody:
        """Rotate ``image`` [N, 4, S, S] by ``pose`` [N, 6]."""
        features = self.body(torch.cat([image, pose_planes(pose, self.image_size)], dim=1))
        grid_change = self.grid_change(features)
        return RotatedBody(
            direct=torch.tanh(self.direct(features)),
            warped=self.warp(grid_change, image),
            grid_change=grid_change,
        )
