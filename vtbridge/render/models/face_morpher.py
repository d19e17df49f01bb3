"""Face morpher: pose the eyes, the irises and the mouth."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import BlockStyle, GridWarp, blend, head
from vtbridge.render.models.encoder_decoder import PoseEncoderDecoder
from vtbridge.render.models.variants import BlockKind, Network, NetworkShape

POSE_SIZE = 27
"""Pose parameters that it sees: ``vtbridge.pose_params.FACE_SLICE``."""


class MorphedFace(NamedTuple):
    """What the morpher gives, in the order of the author's outputs.

    Pictures are [N, 4, S, S] in -1..1, alphas [N, 1, S, S] in 0..1.
    """

    image: Tensor
    eye_alpha: Tensor
    eye_color: Tensor
    iris_mouth_image: Tensor
    iris_mouth_alpha: Tensor
    iris_mouth_color: Tensor
    iris_mouth_warped: Tensor


class FaceMorpher(nn.Module):
    """Warp and repaint irises and mouth, then paint the lids over them."""

    network: ClassVar = Network.FACE_MORPHER

    def __init__(self, kind: BlockKind, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = kind
        width = shape.start_channels
        self.body = PoseEncoderDecoder(BlockStyle(kind), shape, in_channels=4, pose_size=POSE_SIZE)
        self.iris_mouth_grid_change = head(width, 2, bias=False)
        self.iris_mouth_color = head(width, 4)
        self.iris_mouth_alpha = head(width, 1)
        self.eye_color = head(width, 4)
        self.eye_alpha = head(width, 1)
        self.warp = GridWarp(shape.image_size)

    def forward(self, face: Tensor, pose: Tensor) -> MorphedFace:
        """Morph ``face`` [N, 4, S, S] by ``pose`` [N, 27]."""
        features = self.body(face, pose)
        warped = self.warp(self.iris_mouth_grid_change(features), face)
        iris_mouth_color = torch.tanh(self.iris_mouth_color(features))
        iris_mouth_alpha = torch.sigmoid(self.iris_mouth_alpha(features))
        iris_mouth_image = blend(iris_mouth_alpha, iris_mouth_color, warped)
        eye_color = torch.tanh(self.eye_color(features))
        eye_alpha = torch.sigmoid(self.eye_alpha(features))
        return MorphedFace(
            # Lids learn from what lies under them, never the other way round.
            image=blend(eye_alpha, eye_color, iris_mouth_image.detach()),
            eye_alpha=eye_alpha,
            eye_color=eye_color,
            iris_mouth_image=iris_mouth_image,
            iris_mouth_alpha=iris_mouth_alpha,
            iris_mouth_color=iris_mouth_color,
            iris_mouth_warped=warped,
        )
