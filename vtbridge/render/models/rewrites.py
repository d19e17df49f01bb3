"""Exact algebraic rewrites of layers, built from their weights; for inference only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.render.models.blocks import ConvBlock, GridWarp, SeparableConv
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
        """[1, C, S, S] -> what each head gives, in their order, float32 or wider."""
        answers = _widened(F.conv2d(features, self.weight, self.bias, padding=1))
        side = features.shape[-1]
        # Split as rows of a matrix, which leaves OpenVINO no layout in which it copies.
        parts = torch.split_with_sizes(answers.reshape(sum(self.widths), -1), self.widths)
        return tuple(
            part.reshape(1, width, side, side)
            for part, width in zip(parts, self.widths, strict=True)
        )


class RowHead(nn.Module):
    """A 3x3 convolution without bias to a few channels as three of 1x3, their rows added.

    A CPU computes sixteen channels in the time of one: three times two in one convolution
    cost a third of what two cost in one three times as high.
    """

    def __init__(self, head: nn.Conv2d) -> None:
        super().__init__()
        self.width = head.out_channels
        self.weight = _frozen(head.weight.permute(2, 0, 1, 3).flatten(0, 1)[:, :, None])

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, S, S] -> [N, width, S, S], float32 or wider."""
        side, width = features.shape[2], self.width
        rows = _widened(F.conv2d(features, self.weight, padding=1))  # two rows more than columns
        above = rows[:, :width, :side]
        same = rows[:, width : 2 * width, 1:-1]
        return above + same + rows[:, 2 * width :, 2:]


class PosePlanes(nn.Module):
    """What ``blocks.pose_planes`` gives, by an addition, which runtimes vectorise."""

    zeros: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("zeros", torch.zeros(1, 1, size, size), persistent=False)

    def forward(self, pose: Tensor) -> Tensor:
        """[N, P] -> constant planes [N, P, size, size]."""
        return pose[:, :, None, None] + self.zeros


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


class ClampedWarp(nn.Module):
    """A ``GridWarp`` for devices that know no repeated borders.

    The grid is kept between the centres of the outermost pixels, beyond which a repeated
    border has nothing new.
    """

    identity: Tensor

    def __init__(self, warp: GridWarp) -> None:
        super().__init__()
        self.register_buffer("identity", warp.identity, persistent=False)
        self.edge = 1 - 1 / warp.identity.shape[1]

    def forward(self, grid_change: Tensor, image: Tensor) -> Tensor:
        """Warp ``image`` [N, C, S, S] by ``grid_change`` [N, 2, S, S]."""
        grid = (self.identity + grid_change.permute(0, 2, 3, 1)).clamp(-self.edge, self.edge)
        return F.grid_sample(image, grid, mode="bilinear", align_corners=False)


def in_half(stage: nn.Module) -> nn.Module:
    """Make the networks of ``stage`` float16, in place, and return it.

    Pictures, poses and sampling grids, which float16 would round to a tenth of a pixel,
    stay float32.
    """
    for name, part in stage.named_children():
        if name in NETWORK_PARTS:
            part.half()
    return stage


NETWORK_PARTS = frozenset({"body", "heads", "grid_change", "combiner_encoder"})
"""What of a stage is a network rather than glue."""


def _widened(answers: Tensor) -> Tensor:
    return answers.to(torch.promote_types(answers.dtype, torch.float32))


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
