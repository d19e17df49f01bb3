"""The networks as their author wrote them, as two graphs: what other programs run.

Nothing is rewritten: each head is a convolution of its own, skips are concatenated, the
combiner encodes anew for every pose, the rotator's picture is computed though only its warp
is used. As in the peers' files, the networks that see the pose are one graph that ends in
8-bit pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import paste, resize
from vtbridge.render.models.crops import BROW_CROP, BROWS_IN_FACE, FACE_CROP, Crop
from vtbridge.render.models.tha3 import Tha3Networks

_LINEAR_BELOW = 0.003130804953560372


class PlainDecompose(nn.Module):
    """Once a picture: take the brows off."""

    def __init__(self, networks: Tha3Networks) -> None:
        super().__init__()
        self.decomposer = networks.eyebrow_decomposer

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Decompose ``picture`` [1, 4, 512, 512] to background and brows [1, 4, 128, 128]."""
        layers = self.decomposer(_cut(picture, BROW_CROP))
        return layers.background, layers.brows


class PlainFrame(nn.Module):
    """Once a pose: all other networks, and the conversion to 8 bits."""

    def __init__(self, networks: Tha3Networks) -> None:
        super().__init__()
        self.combiner = networks.eyebrow_combiner
        self.morpher = networks.face_morpher
        self.rotator = networks.body_rotator
        self.editor = networks.editor

    def forward(
        self,
        picture: Tensor,
        background: Tensor,
        brow_layer: Tensor,
        brow_pose: Tensor,
        face_pose: Tensor,
        rotation: Tensor,
    ) -> Tensor:
        """Pose ``picture``.

        Args:
            picture: [1, 4, 512, 512].
            background: from ``PlainDecompose``, [1, 4, 128, 128].
            brow_layer: likewise.
            brow_pose: [1, 12].
            face_pose: [1, 27].
            rotation: [1, 6].

        Returns:
            uint8 [512, 512, 4], sRGB, straight alpha.
        """
        brows = self.combiner(background, brow_layer, brow_pose).image_by_brow_alpha
        face_crop = paste(_cut(picture, FACE_CROP), brows, BROWS_IN_FACE)
        morphed = paste(picture, self.morpher(face_crop, face_pose).image, FACE_CROP)
        turned = self.rotator(resize(morphed, self.rotator.image_size), rotation)
        size = self.editor.image_size
        warped, grid_change = resize(turned.warped, size), resize(turned.grid_change, size)
        return _pixels(self.editor(morphed, warped, grid_change, rotation).image)


def _cut(picture: Tensor, crop: Crop) -> Tensor:
    return picture[:, :, crop.rows, crop.columns]


def _pixels(image: Tensor) -> Tensor:
    """[1, 4, S, S] of signals -> uint8 [S, S, 4]."""
    unit = torch.clamp((image[0] + 1.0) * 0.5, 0.0, 1.0)
    linear, alpha = unit[:3], unit[3:]
    curved = 1.055 * torch.pow(linear, 1 / 2.4) - 0.055
    encoded = torch.where(linear <= _LINEAR_BELOW, 12.92 * linear, curved)
    levels = torch.cat([encoded, alpha]).permute(1, 2, 0) * 255.0 + 0.5
    return levels.to(torch.uint8)
