"""Exact algebraic rewrites of layers, built from their weights; for inference only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.render.models.blocks import ConvBlock, SeparableConv
from vtbridge.render.models.unet import UNet


class MergedHeads(nn.Module):
    """Several 3x3 convolutions of the same features as one, its output split again."""

    def __init__(self, heads: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.widths = [head.out_channels for head in heads]
        self.weight = _frozen(torch.cat([head.weight for head in heads]))
        self.bias = _frozen(
            torch.cat(
                [
                    head.weight.new_zeros(head.out_channels) if head.bias is None else head.bias
                    for head in heads
                ]
            )
        )

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """[N, C, S, S] -> what each head gives, in their order."""
        answers = F.conv2d(features, self.weight, self.bias, padding=1)
        return torch.split_with_sizes(answers, self.widths, dim=1)


class SplitConvBlock(nn.Module):
    """``block(cat(a, b))`` as the sum of two convolutions, without the concatenation."""

    def __init__(self, block: ConvBlock, a_channels: int) -> None:
        super().__init__()
        self.conv_a = _restricted(block.conv, slice(None, a_channels))
        self.conv_b = _restricted(block.conv, slice(a_channels, None))
        self.norm = block.norm
        self.act = block.act

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """[N, a_channels, S, S] and [N, the others, S, S] -> [N, out, S, S]."""
        y: Tensor = self.act(self.norm(self.conv_a(a) + self.conv_b(b)))
        return y


class SplitUNet(nn.Module):
    """A ``UNet`` whose decoder blocks are split at their skips."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.encoder = unet.encoder
        self.bottleneck = unet.bottleneck
        self.decoder = nn.ModuleList(
            SplitConvBlock(cast(ConvBlock, block), deep)
            for block, deep in zip(unet.decoder, unet.widths[:0:-1], strict=True)
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
            x = block(F.interpolate(x, scale_factor=2.0, mode="nearest"), skip)
        return x


def _restricted(conv: nn.Module, channels: slice) -> nn.Module:
    """Return the part of ``conv`` that reads the input ``channels``, as a copy."""
    match conv:
        case SeparableConv(depthwise=nn.Conv2d() as depthwise, pointwise=pointwise):
            return SeparableConv(
                _conv_like(depthwise, depthwise.weight[channels]),
                _conv_like(pointwise, pointwise.weight[:, channels]),
            )
        case nn.Conv2d():
            return _conv_like(conv, conv.weight[:, channels])
    raise TypeError(f"cannot split {type(conv).__name__} by its input channels")


def _conv_like(conv: nn.Conv2d, weight: Tensor) -> nn.Conv2d:
    """Return a convolution without bias of ``weight``, padded as ``conv`` is."""
    out_channels, in_channels = weight.shape[:2]
    groups = out_channels if conv.groups > 1 else 1
    part = nn.Conv2d(
        in_channels * groups,
        out_channels,
        weight.shape[-1],
        padding=weight.shape[-1] // 2,
        groups=groups,
        bias=False,
    )
    part.weight = _frozen(weight)
    return part


def _frozen(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight.detach().clone(), requires_grad=False)
