"""The last two stages of THA4's teacher and of THA2, with the inputs and outputs of THA3's.

What surrounds them (``signatures.py``, posers, runtimes) does not see a difference.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import blend, paste, resize
from vtbridge.render.models.crops import FACE_CROP, HEAD_CROP
from vtbridge.render.models.tha1 import POSE_SIZE, Combiner, HeadRotator, aligned_grid, sampled_at
from vtbridge.render.models.tha4_teacher import BodyMorpher, Upscaler

_LEAST_ALPHA = 1e-6


class MorphBodyStage(nn.Module):
    """Stage ``ROTATE`` of THA4's teacher."""

    def __init__(self, morpher: BodyMorpher) -> None:
        super().__init__()
        self.morpher = morpher

    def forward(
        self, picture: Tensor, face: Tensor, rotation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the morphed picture, its turned half and the half's grid change."""
        morphed = paste(picture, face, FACE_CROP)
        turned = self.morpher(resize(morphed, self.morpher.image_size), rotation)
        return morphed, turned.warped, turned.grid_change


class UpscaleStage(nn.Module):
    """Stage ``EDIT`` of THA4's teacher."""

    def __init__(self, upscaler: Upscaler) -> None:
        super().__init__()
        self.upscaler = upscaler

    def forward(
        self, morphed: Tensor, warped: Tensor, grid_change: Tensor, rotation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the whole grid change, alpha and colour."""
        size = self.upscaler.image_size
        coarse, grid_change = resize(warped, size), resize(grid_change, size)
        edited = self.upscaler(morphed, coarse, grid_change, rotation)
        return edited.grid_change, edited.alpha, edited.color


class RotateHeadStage(nn.Module):
    """Stage ``ROTATE`` of THA2; ``warped`` is the repainted head, not halved but cut out."""

    def __init__(self, rotator: HeadRotator) -> None:
        super().__init__()
        self.rotator = rotator

    def forward(
        self, picture: Tensor, face: Tensor, rotation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the morphed picture, the repainted head and the head's grid change."""
        morphed = paste(picture, face, FACE_CROP)
        head = morphed[:, :, HEAD_CROP.rows, HEAD_CROP.columns]
        rotated = self.rotator(head, rotation[:, :POSE_SIZE])
        return morphed, rotated.direct, rotated.grid_change


class CombineHeadStage(nn.Module):
    """Stage ``EDIT`` of THA2; below the head nothing moves.

    Its picture is ``r * (c * direct + (1 - c) * sampled) + (1 - r) * retouch``. What is not
    ``sampled`` there is colour, and ``1 - r * (1 - c)`` its alpha.
    """

    def __init__(self, combiner: Combiner) -> None:
        super().__init__()
        self.combiner = combiner

    def forward(
        self, morphed: Tensor, warped: Tensor, grid_change: Tensor, rotation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the whole grid change, alpha and colour."""
        head = morphed[:, :, HEAD_CROP.rows, HEAD_CROP.columns]
        sampled = sampled_at(grid_change, head)
        combined = self.combiner(warped, sampled, rotation[:, :POSE_SIZE])
        alpha = 1 - combined.retouch_alpha * (1 - combined.combine_alpha)
        color = blend(
            combined.retouch_alpha, combined.combine_alpha * warped, combined.retouch
        ) / alpha.clamp(min=_LEAST_ALPHA)
        still = torch.zeros_like(morphed)
        # From pixels of the head to halves of the picture's side.
        moved = aligned_grid(grid_change) - aligned_grid(torch.zeros_like(grid_change))
        return (
            paste(still[:, :2], moved * (2 / morphed.shape[-1]), HEAD_CROP),
            paste(still, alpha, HEAD_CROP),
            paste(still, color, HEAD_CROP),
        )
