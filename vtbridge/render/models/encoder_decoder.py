"""The two encoder-decoders of THA3: with the pose at the bottleneck, and with resizing."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.render.models.blocks import (
    BlockStyle,
    ResidualBlock,
    conv_block,
    doubling_block,
    halving_block,
    pose_planes,
)
from vtbridge.render.models.variants import NetworkShape


def encoder_blocks(
    style: BlockStyle, shape: NetworkShape, in_channels: int, *, kernel: int = 3
) -> nn.ModuleList:
    """Return a block at full size, then halving blocks down to the bottleneck."""
    blocks = [conv_block(style, in_channels, shape.start_channels, kernel=kernel)]
    blocks += [halving_block(style, wide, narrow) for wide, narrow in pairwise(shape.widths)]
    return nn.ModuleList(blocks)


class PoseEncoderDecoder(nn.Module):
    """Encode pictures, mix the pose in at the bottleneck, decode to full size.

    The body of the eyebrow networks and the face morpher. The encoder never sees the
    pose, so what it gives may be kept while the pictures stay the same.
    """

    def __init__(
        self, style: BlockStyle, shape: NetworkShape, *, in_channels: int, pose_size: int
    ) -> None:
        super().__init__()
        self.bottleneck_size = shape.bottleneck_size
        deepest = shape.widths[-1]
        self.encoder = encoder_blocks(style, shape, in_channels)
        self.bottleneck = nn.ModuleList([conv_block(style, deepest + pose_size, deepest)])
        self.bottleneck.extend(
            ResidualBlock(style, deepest) for _ in range(shape.bottleneck_blocks - 1)
        )
        self.decoder = nn.ModuleList(
            doubling_block(style, deep, shallow) for deep, shallow in pairwise(shape.widths[::-1])
        )

    def encode(self, images: Tensor) -> Tensor:
        """[N, in_channels, S, S] -> the bottleneck's input [N, deepest, B, B]."""
        for block in self.encoder:
            images = block(images)
        return images

    def decode(self, encoded: Tensor, pose: Tensor | None) -> Tensor:
        """[N, deepest, B, B] and the pose [N, P] -> features [N, start_channels, S, S]."""
        if pose is not None:
            encoded = torch.cat([encoded, pose_planes(pose, self.bottleneck_size)], dim=1)
        for block in (*self.bottleneck, *self.decoder):
            encoded = block(encoded)
        return encoded

    def forward(self, images: Tensor, pose: Tensor | None = None) -> Tensor:
        """Encode and decode in one go."""
        return self.decode(self.encode(images), pose)


class ResizingEncoderDecoder(nn.Module):
    """Encode what holds the pose already; decode by nearest doubling and convolution.

    The body of the body rotator.
    """

    def __init__(self, style: BlockStyle, shape: NetworkShape, *, in_channels: int) -> None:
        super().__init__()
        self.encoder = encoder_blocks(style, shape, in_channels, kernel=7)
        self.bottleneck = nn.ModuleList(
            ResidualBlock(style, shape.widths[-1]) for _ in range(shape.bottleneck_blocks)
        )
        self.decoder = nn.ModuleList(
            conv_block(style, deep, shallow) for deep, shallow in pairwise(shape.widths[::-1])
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_channels, S, S] -> features [N, start_channels, S, S]."""
        for block in (*self.encoder, *self.bottleneck):
            x = block(x)
        for block in self.decoder:
            x = block(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return x
