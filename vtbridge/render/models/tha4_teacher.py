"""The two networks in which THA4's teacher differs from THA3: they turn and refine the picture.

Brows and face are posed by THA3's plain networks. Both networks here read a painted
picture, a grid change and one alpha off a ``ConditionedUNet``: the picture sampled at
the grid change, the painted one over it. Neither paint nor grid change is bounded.

Source: P. Khungurn, "Talking Head Anime 4: Distillation for Real-Time Performance" and the
code of its public demo.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import GridWarp, blend
from vtbridge.render.models.body_rotator import RotatedBody
from vtbridge.render.models.conditioned_unet import ConditionedUNet
from vtbridge.render.models.editor import EditedImage
from vtbridge.render.models.variants import BlockKind, Network, NetworkShape


class BodyMorpher(nn.Module):
    """Turn head and body at half size."""

    network: ClassVar = Network.BODY_ROTATOR

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = BlockKind.PLAIN
        self.image_size = shape.image_size
        self.body = ConditionedUNet(shape)
        self.warp = GridWarp(shape.image_size)

    def forward(self, image: Tensor, pose: Tensor) -> RotatedBody:
        """Turn ``image`` [N, 4, S, S] by ``pose`` [N, 6].

        Returns:
            as ``warped`` the finished picture, sampled and painted over, as ``direct`` the
            paint alone.
        """
        turned = _turned(self.body(image, pose), self.warp, image)
        return RotatedBody(direct=turned.color, warped=turned.image, grid_change=turned.grid_change)


class Upscaler(nn.Module):
    """Turn the picture at full size, shown what the body morpher made of its half."""

    network: ClassVar = Network.EDITOR

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = BlockKind.PLAIN
        self.image_size = shape.image_size
        self.body = ConditionedUNet(shape)
        self.coarse = nn.Conv2d(4 + 4 + 2, shape.start_channels, 3, padding=1)
        self.warp = GridWarp(shape.image_size)

    def forward(
        self, image: Tensor, coarse_image: Tensor, grid_change: Tensor, pose: Tensor
    ) -> EditedImage:
        """Turn ``image`` [N, 4, S, S] by ``pose`` [N, 6].

        Args:
            image: the picture before it is turned.
            coarse_image: the body morpher's picture, doubled.
            grid_change: its grid change, doubled, [N, 2, S, S].
            pose: rotation.
        """
        warped = self.warp(grid_change, image)
        beside = self.coarse(torch.cat([coarse_image, warped, grid_change], dim=1))
        return _turned(self.body(image, pose, beside), self.warp, image)


def _turned(answers: Tensor, warp: GridWarp, image: Tensor) -> EditedImage:
    color, grid_change, alpha = torch.split_with_sizes(answers, (4, 2, 1), dim=1)
    alpha = torch.sigmoid(alpha).expand_as(color)
    warped = warp(grid_change, image)
    return EditedImage(
        image=blend(alpha, color, warped),
        alpha=alpha,
        color=color,
        warped=warped,
        grid_change=grid_change,
    )


_PLACES = (
    ("body.time.0.", "body.time_embed.1."),
    ("body.time.2.", "body.time_embed.3."),
    ("body.pose.", "body.cond_embed."),
    ("body.first.", "body.first_conv."),
    ("body.norm.", "body.last.0."),
    ("body.head.", "body.last.2."),
    ("coarse.", "coarse_image_conv."),
)
_PARTS = {
    "norm_in": "norm0",
    "conv_in": "conv0",
    "time": "cond0_layers.1",
    "pose": "cond1_layers.1",
    "norm_out": "norm1",
    "conv_out": "conv1",
    "queries_keys_values": "qkv",
    "out": "conv",
}


def teacher_key(key: str) -> str:
    """Return the author's name of the weight that ``BodyMorpher`` or ``Upscaler`` call ``key``."""
    for ours, theirs in _PLACES:
        if key.startswith(ours):
            return theirs + key.removeprefix(ours)
    _, place, level, *path, part, leaf = key.split(".")
    name = f"{_PARTS.get(part, part)}.{leaf}"
    match place, path:
        case "middle", []:
            # He wraps an attention so that it takes the conditions, and ignores them.
            return f"body.middle_blocks.{level}.{'module.' if int(level) % 2 else ''}{name}"
        case "down", ["block"]:
            his = "res_blocks.0"
        case "down", ["attention"]:
            his = "attention_blocks.0"
        case "up", ["blocks", index]:
            his = f"resnet_blocks.{index}"
        case "up", ["attention", index]:
            his = f"attention_blocks.{index}"
        case _:
            his = "downsample" if place == "down" else "upsample"
    return f"body.{place}_blocks.{level}.{his}.{name}"
