"""The stages of THA1: networks of any sizes around a picture of 512, posed in THA3's terms.

THA1's picture is ``HEAD_CROP`` of ours. A morpher sees the middle of it as it is, as much as
it is large; what it paints is taken where a face can be, ``FACE_CROP``. Rotator and combiner
see all of it, averaged down to their size. What they say is enlarged and applied to the picture
itself, so that what they sample stays as sharp as it was drawn, however small they are; and
it fades out where the head's square ends and the picture goes on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.pose_params import FACE_SLICE
from vtbridge.pose_schema import THA1
from vtbridge.render.models.blocks import paste, resize
from vtbridge.render.models.crops import (
    FACE_CROP,
    HALVED_HEAD,
    HEAD_CROP,
    fade_of_head,
    middle_of,
)
from vtbridge.render.models.tha1 import (
    POSE_SIZE,
    Combiner,
    HeadRotator,
    Morpher,
    aligned_grid,
    sampled_at,
)

LEAST_ALPHA = 1e-6
"""Where less than this is painted over, the colour of the paint does not matter."""


class KeepHeadStage(nn.Module):
    """Stage ``DECOMPOSE``: nothing is taken off the head."""

    def forward(self, head: Tensor) -> Tensor:
        """Return ``head`` [1, 4, 256, 256]."""
        return head.clone()


class KeepBrowsStage(nn.Module):
    """Stage ``BROWS``: they stay as they were drawn."""

    def forward(self, head: Tensor, brow_pose: Tensor) -> Tensor:
        """Return ``head`` [1, 4, 256, 256], whatever ``brow_pose`` [1, 12] is."""
        return head.clone()


class MorphStage(nn.Module):
    """Stage ``FACE``."""

    weights: Tensor

    def __init__(self, morpher: Morpher) -> None:
        super().__init__()
        self.morpher = morpher
        shown = torch.from_numpy(THA1.weights[POSE_SIZE:, FACE_SLICE].T.copy()).float()
        self.register_buffer("weights", shown, persistent=False)

    def forward(self, face_crop: Tensor, brows: Tensor, face_pose: Tensor) -> Tensor:
        """Morph the face.

        Args:
            face_crop: what ``FACE_CROP`` shows of the picture, [1, 4, 192, 192].
            brows: what ``HEAD_CROP`` shows of it, [1, 4, 256, 256].
            face_pose: [1, 27]; ``pose_schema.THA1`` tells what of it is shown.

        Returns:
            What ``FACE_CROP`` shows then, [1, 4, 192, 192].
        """
        pose = (face_pose @ self.weights).clamp(0, 1)
        seen = middle_of(HEAD_CROP.size, self.morpher.image_size)
        morphed: Tensor = self.morpher(brows[:, :, seen.rows, seen.columns], pose).image
        if seen.size < FACE_CROP.size:
            return paste(face_crop, morphed, middle_of(FACE_CROP.size, seen.size))
        face = middle_of(seen.size, FACE_CROP.size)
        return morphed[:, :, face.rows, face.columns]


class TurnHeadStage(nn.Module):
    """Stage ``ROTATE``."""

    fade: Tensor

    def __init__(self, rotator: HeadRotator) -> None:
        super().__init__()
        self.rotator = rotator
        fade = torch.from_numpy(fade_of_head(HALVED_HEAD.size))
        self.register_buffer("fade", fade, persistent=False)

    def forward(
        self, picture: Tensor, face: Tensor, rotation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Turn the head of the picture with its morphed face.

        Args:
            picture: [1, 4, 512, 512].
            face: from ``MorphStage``, [1, 4, 192, 192].
            rotation: [1, 6].

        Returns:
            the morphed picture [1, 4, 512, 512]; the repainted head and the head's grid change
            at the rotator's size, [1, 4, S, S] and [1, 2, S, S]; and what the latter is to the
            halved picture, [1, 2, 256, 256], in halves of its side: 0 beside the head.
        """
        morphed = paste(picture, face, FACE_CROP)
        turned = self.rotator(head_of(morphed, self.rotator.image_size), rotation[:, :POSE_SIZE])
        moved = resize(_moved(turned.grid_change), HALVED_HEAD.size) * self.fade
        still = torch.zeros_like(picture[:, :2, ::2, ::2])
        return morphed, turned.direct, turned.grid_change, paste(still, moved, HALVED_HEAD)


class FinishHeadStage(nn.Module):
    """Stage ``EDIT``; beside the head and below it nothing moves."""

    fade: Tensor

    def __init__(self, combiner: Combiner) -> None:
        super().__init__()
        self.combiner = combiner
        fade = torch.from_numpy(fade_of_head(HEAD_CROP.size))
        self.register_buffer("fade", fade, persistent=False)

    def forward(
        self,
        morphed: Tensor,
        direct: Tensor,
        head_change: Tensor,
        grid_change: Tensor,
        rotation: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Combine what ``TurnHeadStage`` returned by ``rotation`` [1, 6].

        Returns:
            the whole grid change, alpha and colour, as ``EditStage`` of THA3 returns them.
        """
        head = head_of(morphed, self.combiner.image_size)
        combined = self.combiner(direct, sampled_at(head_change, head), rotation[:, :POSE_SIZE])
        # c of the repainted picture, then r of both: r * c * direct + (1 - r) * retouch is
        # paint, and what remains of 1 is sampled.
        kept, unkept = combined.retouch_alpha, 1 - combined.retouch_alpha
        repainted = kept * combined.combine_alpha
        alpha = repainted + unkept
        paint = repainted * direct + unkept * combined.retouch
        said = resize(torch.cat([_moved(head_change), alpha, paint], dim=1), HEAD_CROP.size)
        moved, alpha, paint = said[:, :2], said[:, 2:6], said[:, 6:]
        # Coarse numbers may divide to a little more than there is.
        color = (paint / alpha.clamp(min=LEAST_ALPHA)).clamp(-1, 1)
        still = torch.zeros_like(morphed)
        return (
            paste(still[:, :2], moved * self.fade, HEAD_CROP),
            paste(still, alpha.clamp(max=1) * self.fade, HEAD_CROP),
            paste(still, color, HEAD_CROP),
        )


def head_of(picture: Tensor, size: int) -> Tensor:
    """Return THA1's picture of ``picture`` [1, 4, 512, 512], averaged down to ``size`` pixels."""
    head = picture[:, :, HEAD_CROP.rows, HEAD_CROP.columns]
    times = HEAD_CROP.size // size
    return head if times == 1 else F.avg_pool2d(head, times)


def _moved(grid_change: Tensor) -> Tensor:
    """Return how far pixels of the head are moved, in halves of the side of the whole picture."""
    pixels = aligned_grid(grid_change) - aligned_grid(torch.zeros_like(grid_change))
    return pixels * (HEAD_CROP.size / grid_change.shape[-1] * 2 / 512)
