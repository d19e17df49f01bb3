"""Eyebrow decomposer: take the brows off the face, once a picture."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import BlockStyle, blend, head
from vtbridge.render.models.encoder_decoder import PoseEncoderDecoder
from vtbridge.render.models.variants import BlockKind, Network, NetworkShape


class DecomposedBrows(NamedTuple):
    """What the decomposer gives, in the order of the author's outputs.

    Pictures are [N, 4, S, S] in -1..1, alphas [N, 1, S, S] in 0..1.
    """

    brows: Tensor
    brow_alpha: Tensor
    brow_color: Tensor
    background: Tensor
    background_alpha: Tensor
    background_color: Tensor


class EyebrowDecomposer(nn.Module):
    """Split a crop into the brows alone and the face as it would be without them."""

    network: ClassVar = Network.EYEBROW_DECOMPOSER

    def __init__(self, kind: BlockKind, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = kind
        width = shape.start_channels
        self.body = PoseEncoderDecoder(BlockStyle(kind), shape, in_channels=4, pose_size=0)
        self.background_alpha = head(width, 1)
        self.background_color = head(width, 4)
        self.brow_alpha = head(width, 1)
        self.brow_color = head(width, 4)

    def forward(self, crop: Tensor) -> DecomposedBrows:
        """Decompose ``crop`` [N, 4, S, S]."""
        features = self.body(crop)
        background_alpha = torch.sigmoid(self.background_alpha(features))
        background_color = torch.tanh(self.background_color(features))
        brow_alpha = torch.sigmoid(self.brow_alpha(features))
        brow_color = torch.tanh(self.brow_color(features))
        return DecomposedBrows(
            brows=blend(brow_alpha, crop, brow_color),
            brow_alpha=brow_alpha,
            brow_color=brow_color,
            background=blend(background_alpha, background_color, crop),
            background_alpha=background_alpha,
            background_color=background_color,
        )
