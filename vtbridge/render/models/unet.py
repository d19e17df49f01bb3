"""The U-Net of the editor."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.render.models.blocks import BlockStyle, ResidualBlock, conv_block
from vtbridge.render.models.encoder_decoder import encoder_blocks
from vtbridge.render.models.variants import NetworkShape


class UNet(nn.Module):
    """Encode, then double the side by nearest neighbours, each time beside a skip."""

    def __init__(self, style: BlockStyle, shape: NetworkShape, *, in_channels: int) -> None:
        super().__init__()
        self.widths = shape.widths
        self.encoder = encoder_blocks(style, shape, in_channels)
        self.bottleneck = nn.ModuleList(
            ResidualBlock(style, shape.widths[-1]) for _ in range(shape.bottleneck_blocks)
        )
        self.decoder = nn.ModuleList(
            conv_block(style, deep + shallow, shallow)
            for deep, shallow in pairwise(shape.widths[::-1])
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, in_channels, S, S] -> features [N, start_channels, S, S]."""
        skips: list[Tensor] = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        for block in self.bottleneck:
            x = block(x)
        for block, skip in zip(self.decoder, skips[-2::-1], strict=True):
            doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([doubled, skip], dim=1))
        return x
