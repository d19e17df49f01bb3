"""The two networks in which THA2 differs from THA3: it turns a head of 256x256, nothing below.

Brows and face are posed by plain networks of THA3's shapes. The rotator and combiner here
are those of THA1, trained anew: ReLU throughout, 7x7 heads without bias, transposed
convolutions, and a sampling grid whose corners are aligned with the picture's.

Source: P. Khungurn, "Talking Head Anime from a Single Image 2" and the code of its public
demo.
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

POSE_SIZE = 3
"""Pose parameters that both see: head_x, head_y, neck_z, the first of ``ROTATION_SLICE``."""

_STYLE = BlockStyle(BlockKind.PLAIN)


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


class HeadRotator(nn.Module):
    """Turn the head by two algorithms at once: repaint it, and find where pixels come from."""

    network: ClassVar = Network.BODY_ROTATOR

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = BlockKind.PLAIN
        self.image_size = shape.image_size
        self.encoder = encoder_blocks(_STYLE, shape, 4 + POSE_SIZE, kernel=7)
        self.bottleneck = nn.ModuleList(
            ResidualBlock(_STYLE, shape.widths[-1]) for _ in range(shape.bottleneck_blocks)
        )
        self.decoder = nn.ModuleList(
            doubling_block(_STYLE, deep, shallow) for deep, shallow in pairwise(shape.widths[::-1])
        )
        self.color = _head(shape, 4)
        self.alpha = _head(shape, 4)
        self.grid_change = _head(shape, 2)

    def forward(self, image: Tensor, pose: Tensor) -> RotatedHead:
        """Turn ``image`` [N, 4, S, S] by ``pose`` [N, 3]."""
        x = torch.cat([image, pose_planes(pose, self.image_size)], dim=1)
        for block in (*self.encoder, *self.bottleneck, *self.decoder):
            x = block(x)
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


_ROTATOR_HEADS = {
    "color": "pumarola_color_change.0",
    "alpha": "pumarola_alpha_mask.0",
    "grid_change": "zhou_grid_change",
}
_COMBINER_HEADS = {
    "combine_alpha": "combine_alpha_mask.0",
    "retouch_alpha": "retouch_alpha_mask.0",
    "retouch": "retouch_color_change.0",
}
_PARTS = {
    "conv": "0",
    "norm": "1",
    "conv_in": "conv1",
    "norm_in": "norm1",
    "conv_out": "conv2",
    "norm_out": "norm2",
}


def tha2_key(network: HeadRotator | Combiner, key: str) -> str:
    """Return the author's name of the weight that ``network`` calls ``key``."""
    is_rotator = isinstance(network, HeadRotator)
    heads = _ROTATOR_HEADS if is_rotator else _COMBINER_HEADS
    module, _, leaf = key.rpartition(".")
    if module in heads:
        return f"{heads[module]}.{leaf}"
    blocks, index, part = module.split(".")
    number = int(index)
    if is_rotator:  # one list of all blocks
        lists = (network.encoder, network.bottleneck, network.decoder)
        names = ("encoder", "bottleneck", "decoder")
        number += sum(len(each) for each in lists[: names.index(blocks)])
        return f"main_body.module_list.{number}.{_PARTS[part]}.{leaf}"
    if blocks == "decoder":  # his deepest comes last
        number = len(network.decoder) - 1 - number
    his = {
        "encoder": "downward_modules",
        "bottleneck": "bottleneck_modules",
        "decoder": "upsampling_modules",
    }
    return f"main_body.{his[blocks]}.{number}.{_PARTS[part]}.{leaf}"
