"""The three networks of THA1, of which THA2 trained rotator and combiner anew.

ReLU throughout, 7x7 heads without bias, transposed convolutions, and a sampling grid whose
corners are aligned with the picture's. They turn a head, nothing below it.

Sources: P. Khungurn, "Talking Head Anime from a Single Image" and its second part, and the
code of their public demos; A. Pumarola et al., "GANimation" (colour change and alpha mask);
T. Zhou et al., "View Synthesis by Appearance Flow".
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.render.models.blocks import (
    BlockStyle,
    ResidualBlock,
    blend,
    conv_block,
    doubling_block,
    pose_planes,
)
from vtbridge.render.models.encoder_decoder import encoder_blocks
from vtbridge.render.models.variants import BlockKind, Network, NetworkShape

FACE_SIZE = 3
"""Pose parameters that the morpher sees: left_eye, right_eye, mouth."""
POSE_SIZE = 3
"""Pose parameters that the others see: head_x, head_y, neck_z, the first of ``ROTATION_SLICE``."""

_STYLE = BlockStyle(BlockKind.PLAIN)


class MorphedFace(NamedTuple):
    """What the morpher gives: the finished picture and the two planes it is made by.

    Attributes:
        image: [N, 4, S, S].
        alpha: 1 where the picture stays as it is, 0 where it is painted.
        color: painted there.
    """

    image: Tensor
    alpha: Tensor
    color: Tensor


class RotatedHead(NamedTuple):
    """What the rotator gives: a repainted picture, a sampled one, and where it was sampled.

    Pictures are [N, 4, S, S]; ``grid_change`` [N, 2, S, S] is in halves of the way from
    the first pixel's centre to the last one's.
    """

    direct: Tensor
    sampled: Tensor
    grid_change: Tensor


class CombinedHead(NamedTuple):
    """What the combiner gives: the finished picture and the three planes it is made by.

    Attributes:
        image: [N, 4, S, S].
        combine_alpha: 1 where the repainted picture is taken, 0 where the sampled one.
        retouch_alpha: 1 where that stays as it is, 0 where it is retouched.
        retouch: painted there.
    """

    image: Tensor
    combine_alpha: Tensor
    retouch_alpha: Tensor
    retouch: Tensor


class _PosedFeatures(nn.Module):
    """The body of morpher and rotator: the pose comes in as planes beside the picture."""

    def __init__(self, shape: NetworkShape, pose_size: int) -> None:
        super().__init__()
        self.kind = BlockKind.PLAIN
        self.image_size = shape.image_size
        self.encoder = encoder_blocks(_STYLE, shape, 4 + pose_size, kernel=7)
        self.bottleneck = nn.ModuleList(
            ResidualBlock(_STYLE, shape.widths[-1]) for _ in range(shape.bottleneck_blocks)
        )
        self.decoder = nn.ModuleList(
            doubling_block(_STYLE, deep, shallow) for deep, shallow in pairwise(shape.widths[::-1])
        )
        self.color = _head(shape, 4)
        self.alpha = _head(shape, 4)

    def features(self, image: Tensor, pose: Tensor) -> Tensor:
        """Return what the heads see, [N, start_channels, S, S]."""
        x = torch.cat([image, pose_planes(pose, self.image_size)], dim=1)
        for block in (*self.encoder, *self.bottleneck, *self.decoder):
            x = block(x)
        return x


class Morpher(_PosedFeatures):
    """Close the eyes and move the mouth by painting over the picture (GANimation)."""

    network: ClassVar = Network.FACE_MORPHER

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape, FACE_SIZE)

    def forward(self, image: Tensor, pose: Tensor) -> MorphedFace:
        """Morph ``image`` [N, 4, S, S] by ``pose`` [N, 3]."""
        x = self.features(image, pose)
        alpha, color = torch.sigmoid(self.alpha(x)), torch.tanh(self.color(x))
        return MorphedFace(blend(alpha, image, color), alpha, color)


class HeadRotator(_PosedFeatures):
    """Turn the head by two algorithms at once: repaint it, and find where pixels come from."""

    network: ClassVar = Network.BODY_ROTATOR

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape, POSE_SIZE)
        self.grid_change = _head(shape, 2)

    def forward(self, image: Tensor, pose: Tensor) -> RotatedHead:
        """Turn ``image`` [N, 4, S, S] by ``pose`` [N, 3]."""
        x = self.features(image, pose)
        grid_change = self.grid_change(x)
        return RotatedHead(
            direct=blend(torch.sigmoid(self.alpha(x)), image, torch.tanh(self.color(x))),
            sampled=sampled_at(grid_change, image),
            grid_change=grid_change,
        )


class Combiner(nn.Module):
    """Take the better of both pictures at each place, and retouch it."""

    network: ClassVar = Network.EDITOR

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = BlockKind.PLAIN
        self.image_size = shape.image_size
        widths = shape.widths[::-1]
        self.encoder = encoder_blocks(_STYLE, shape, 4 + 4 + POSE_SIZE, kernel=7)
        self.bottleneck = nn.ModuleList(
            ResidualBlock(_STYLE, widths[0]) for _ in range(shape.bottleneck_blocks)
        )
        # Each decoder but the deepest sees a skip beside its input; the last keeps the side.
        self.decoder = nn.ModuleList(
            doubling_block(_STYLE, deep if number == 0 else 2 * deep, shallow)
            for number, (deep, shallow) in enumerate(pairwise(widths))
        )
        self.decoder.append(conv_block(_STYLE, 2 * widths[-1], widths[-1], kernel=7))
        self.combine_alpha = _head(shape, 4)
        self.retouch_alpha = _head(shape, 4)
        self.retouch = _head(shape, 4)

    def forward(self, direct: Tensor, sampled: Tensor, pose: Tensor) -> CombinedHead:
        """Combine the rotator's pictures [N, 4, S, S] of ``pose`` [N, 3]."""
        x = torch.cat([direct, sampled, pose_planes(pose, self.image_size)], dim=1)
        skips: list[Tensor] = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        skips.pop()
        for block in self.bottleneck:
            x = block(x)
        x = self.decoder[0](x)
        for block in self.decoder[1:]:
            x = block(torch.cat([x, skips.pop()], dim=1))
        combine_alpha = torch.sigmoid(self.combine_alpha(x))
        retouch_alpha = torch.sigmoid(self.retouch_alpha(x))
        retouch = torch.tanh(self.retouch(x))
        combined = blend(combine_alpha, direct, sampled)
        image = blend(retouch_alpha, combined, retouch)
        return CombinedHead(image, combine_alpha, retouch_alpha, retouch)


def aligned_grid(grid_change: Tensor) -> Tensor:
    """Return where each pixel comes from, [N, 2, S, S], in pixels from the first one's centre.

    Places beyond the picture are those at its border.
    """
    size = grid_change.shape[-1]
    at = torch.arange(size, dtype=grid_change.dtype, device=grid_change.device)
    identity = torch.stack([at[None, :].expand(size, size), at[:, None].expand(size, size)])
    return (identity + grid_change * ((size - 1) / 2)).clamp(0, size - 1)


def sampled_at(grid_change: Tensor, image: Tensor) -> Tensor:
    """Sample ``image`` [N, 4, S, S] at the identity plus ``grid_change``, borders repeated."""
    size = image.shape[-1]
    grid = aligned_grid(grid_change).permute(0, 2, 3, 1) * (2 / (size - 1)) - 1
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def _head(shape: NetworkShape, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(shape.start_channels, out_channels, 7, padding=3, bias=False)
