"""Convolution blocks of THA3, plain and depthwise-separable, and its picture operations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.render.models.crops import Crop
from vtbridge.render.models.variants import BlockKind


@dataclass(frozen=True, slots=True)
class BlockStyle:
    """What all blocks of a network share.

    Attributes:
        kind: plain or depthwise-separable.
        slope: of the activation below zero; 0 is ReLU.
    """

    kind: BlockKind
    slope: float = 0.0


class SeparableConv(nn.Module):
    """A convolution of each channel alone, then one across channels at each pixel."""

    def __init__(self, depthwise: nn.Module, pointwise: nn.Conv2d) -> None:
        super().__init__()
        self.depthwise = depthwise
        self.pointwise = pointwise

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] -> [N, out, H', W']."""
        y: Tensor = self.pointwise(self.depthwise(x))
        return y


def conv(
    kind: BlockKind, in_channels: int, out_channels: int, *, kernel: int, stride: int = 1
) -> nn.Module:
    """Return a convolution without bias that divides the side by ``stride``."""
    padding = (kernel - 1) // 2
    if kind is BlockKind.PLAIN:
        return nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
    depthwise = nn.Conv2d(
        in_channels, in_channels, kernel, stride, padding, groups=in_channels, bias=False
    )
    return SeparableConv(depthwise, nn.Conv2d(in_channels, out_channels, 1, bias=False))


def doubling_conv(kind: BlockKind, in_channels: int, out_channels: int) -> nn.Module:
    """Return a transposed 4x4 convolution without bias that doubles the side."""
    if kind is BlockKind.PLAIN:
        return nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, bias=False)
    depthwise = nn.ConvTranspose2d(
        in_channels, in_channels, 4, 2, 1, groups=in_channels, bias=False
    )
    return SeparableConv(depthwise, nn.Conv2d(in_channels, out_channels, 1, bias=False))


class ConvBlock(nn.Module):
    """Convolution, affine instance normalisation, activation."""

    def __init__(self, conv: nn.Module, channels: int, slope: float) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.InstanceNorm2d(channels, affine=True)
        self.act = activation(slope)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, H, W] -> [N, channels, H', W']."""
        y: Tensor = self.act(self.norm(self.conv(x)))
        return y


def activation(slope: float) -> nn.Module:
    """Return ReLU, leaky below zero if ``slope`` is not 0."""
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)


def conv_block(
    style: BlockStyle, in_channels: int, out_channels: int, *, kernel: int = 3
) -> ConvBlock:
    """Return a block that keeps the side."""
    return ConvBlock(
        conv(style.kind, in_channels, out_channels, kernel=kernel), out_channels, style.slope
    )


def halving_block(style: BlockStyle, in_channels: int, out_channels: int) -> ConvBlock:
    """Return a 4x4 block that halves the side."""
    # The author's plain halving blocks are ReLU even where the network is leaky.
    slope = 0.0 if style.kind is BlockKind.PLAIN else style.slope
    halving = conv(style.kind, in_channels, out_channels, kernel=4, stride=2)
    return ConvBlock(halving, out_channels, slope)


def doubling_block(style: BlockStyle, in_channels: int, out_channels: int) -> ConvBlock:
    """Return a transposed 4x4 block that doubles the side."""
    return ConvBlock(
        doubling_conv(style.kind, in_channels, out_channels), out_channels, style.slope
    )


class ResidualBlock(nn.Module):
    """Two normalised convolutions added to their input."""

    def __init__(self, style: BlockStyle, channels: int) -> None:
        super().__init__()
        self.conv_in = conv(style.kind, channels, channels, kernel=3)
        self.norm_in = nn.InstanceNorm2d(channels, affine=True)
        self.act = activation(style.slope)
        self.conv_out = conv(style.kind, channels, channels, kernel=3)
        self.norm_out = nn.InstanceNorm2d(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C, H, W]."""
        y = self.act(self.norm_in(self.conv_in(x)))
        residual: Tensor = self.norm_out(self.conv_out(y))
        return x + residual


def head(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Conv2d:
    """Return the 3x3 convolution that reads one answer off a network's last features."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)


def pose_planes(pose: Tensor, size: int) -> Tensor:
    """Spread ``pose`` [N, P] over constant planes [N, P, size, size]."""
    return pose[:, :, None, None].expand(-1, -1, size, size)


def blend(alpha: Tensor, over: Tensor, under: Tensor) -> Tensor:
    """Return ``over`` where ``alpha`` is 1 and ``under`` where it is 0."""
    return over * alpha + under * (1 - alpha)


class GridWarp(nn.Module):
    """Sample a picture at the identity grid plus a grid change.

    The identity grid is a buffer because few exporters know ``affine_grid``; it is not
    part of the weights.
    """

    identity: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        theta = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        grid = F.affine_grid(theta, [1, 1, size, size], align_corners=False)
        self.register_buffer("identity", grid, persistent=False)

    def forward(self, grid_change: Tensor, image: Tensor) -> Tensor:
        """Warp ``image`` [N, C, S, S] by ``grid_change`` [N, 2, S, S], borders repeated."""
        grid = self.identity + grid_change.permute(0, 2, 3, 1)
        return F.grid_sample(
            image, grid, mode="bilinear", padding_mode="border", align_corners=False
        )


def paste(image: Tensor, patch: Tensor, crop: Crop) -> Tensor:
    """Return a copy of ``image`` [N, C, H, W] that shows ``patch`` at ``crop``.

    Concatenated instead of assigned, which every exporter understands.
    """
    bottom, right = crop.y + crop.size, crop.x + crop.size
    rows = image[:, :, crop.rows]
    middle = torch.cat([rows[..., : crop.x], patch, rows[..., right:]], dim=3)
    return torch.cat([image[:, :, : crop.y], middle, image[:, :, bottom:]], dim=2)


def resize(image: Tensor, size: int) -> Tensor:
    """Return ``image`` [N, C, H, W] resized bilinearly to [N, C, size, size]."""
    return F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)
