"""The networks with the glue between them, as five modules that a runtime can export.

Static shapes, no control flow that depends on data, plain tensors in and out
(``signatures.py`` names them). They compute what the networks of ``tha3.py`` and the
gluing described in the package's docstring compute, up to float32 rounding, by cheaper
means: heads merged into one convolution, the editor's skips convolved apart instead of
concatenated, outputs nobody uses dropped, and the combiner's encoder, which never sees the
pose, moved to the stage that runs once a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import blend, paste, pose_planes, resize
from vtbridge.render.models.body_rotator import BodyRotator
from vtbridge.render.models.crops import BROWS_IN_FACE, FACE_CROP
from vtbridge.render.models.editor import Editor
from vtbridge.render.models.eyebrow_combiner import EyebrowCombiner, alpha_of, over_background
from vtbridge.render.models.eyebrow_decomposer import EyebrowDecomposer
from vtbridge.render.models.face_morpher import FaceMorpher
from vtbridge.render.models.rewrites import MergedHeads, SplitUNet
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.tha3 import Tha3Networks


class DecomposeStage(nn.Module):
    """Once a picture: take the brows off, and encode both layers for the combiner."""

    def __init__(self, decomposer: EyebrowDecomposer, combiner: EyebrowCombiner) -> None:
        super().__init__()
        self.body = decomposer.body
        self.heads = MergedHeads(
            [
                decomposer.background_alpha,
                decomposer.background_color,
                decomposer.brow_alpha,
                decomposer.brow_color,
            ]
        )
        self.combiner_encoder = nn.Sequential(*combiner.body.encoder)

    def forward(self, brow_crop: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decompose what ``BROW_CROP`` shows.

        Args:
            brow_crop: [1, 4, 128, 128].

        Returns:
            background and brow layer [1, 4, 128, 128], and the layers as the combiner's
            encoder sees them, [1, 512, 16, 16].
        """
        background_alpha, background_color, brow_alpha, brow_color = self.heads(
            self.body(brow_crop)
        )
        background = blend(torch.sigmoid(background_alpha), torch.tanh(background_color), brow_crop)
        brow_layer = blend(torch.sigmoid(brow_alpha), brow_crop, torch.tanh(brow_color))
        encoded = self.combiner_encoder(torch.cat([background, brow_layer], dim=1))
        return background, brow_layer, encoded


class BrowsStage(nn.Module):
    """Pose the brows."""

    def __init__(self, combiner: EyebrowCombiner) -> None:
        super().__init__()
        self.body = combiner.body
        self.heads = MergedHeads([combiner.grid_change, combiner.brow_alpha, combiner.brow_color])
        self.warp = combiner.warp

    def forward(
        self, background: Tensor, brow_layer: Tensor, encoded: Tensor, brow_pose: Tensor
    ) -> Tensor:
        """Pose what ``DecomposeStage`` returned by ``brow_pose`` [1, 12].

        Returns:
            What ``BROW_CROP`` shows with the brows posed, [1, 4, 128, 128].
        """
        grid_change, alpha, color = self.heads(self.body.decode(encoded, brow_pose))
        warped = self.warp(grid_change, brow_layer)
        brows = blend(torch.sigmoid(alpha), torch.tanh(color), warped)
        return over_background(alpha_of(brows), brows, background)


class FaceStage(nn.Module):
    """Pose eyes, irises and mouth of a face whose brows are posed."""

    def __init__(self, morpher: FaceMorpher) -> None:
        super().__init__()
        self.body = morpher.body
        self.heads = MergedHeads(
            [
                morpher.iris_mouth_grid_change,
                morpher.iris_mouth_alpha,
                morpher.iris_mouth_color,
                morpher.eye_alpha,
                morpher.eye_color,
            ]
        )
        self.warp = morpher.warp

    def forward(self, face_crop: Tensor, brows: Tensor, face_pose: Tensor) -> Tensor:
        """Morph the face.

        Args:
            face_crop: what ``FACE_CROP`` shows of the picture, [1, 4, 192, 192].
            brows: from ``BrowsStage``, [1, 4, 128, 128].
            face_pose: [1, 27].

        Returns:
            What ``FACE_CROP`` shows then, [1, 4, 192, 192].
        """
        face = paste(face_crop, brows, BROWS_IN_FACE)
        grid_change, alpha, color, eye_alpha, eye_color = self.heads(self.body(face, face_pose))
        warped = self.warp(grid_change, face)
        open_eyed = blend(torch.sigmoid(alpha), torch.tanh(color), warped)
        return blend(torch.sigmoid(eye_alpha), torch.tanh(eye_color), open_eyed)


class RotateStage(nn.Module):
    """Turn head and body at half size; the directly painted picture is left out."""

    def __init__(self, rotator: BodyRotator) -> None:
        super().__init__()
        self.size = rotator.image_size
        self.body = rotator.body
        self.grid_change = rotator.grid_change
        self.warp = rotator.warp

    def forward(
        self, picture: Tensor, face: Tensor, rotation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rotate the picture with its morphed face.

        Args:
            picture: [1, 4, 512, 512].
            face: from ``FaceStage``, [1, 4, 192, 192].
            rotation: [1, 6].

        Returns:
            the morphed picture [1, 4, 512, 512] before rotation, its warped half
            [1, 4, 256, 256] and the half's grid change [1, 2, 256, 256].
        """
        morphed = paste(picture, face, FACE_CROP)
        half = resize(morphed, self.size)
        features = self.body(torch.cat([half, pose_planes(rotation, self.size)], dim=1))
        grid_change: Tensor = self.grid_change(features)
        return morphed, self.warp(grid_change, half), grid_change


class EditStage(nn.Module):
    """Finish the frame at full size."""

    def __init__(self, editor: Editor) -> None:
        super().__init__()
        self.size = editor.image_size
        self.body = SplitUNet(editor.body)
        self.heads = MergedHeads([editor.grid_change, editor.alpha, editor.color])
        self.warp = editor.warp

    def forward(
        self, morphed: Tensor, warped: Tensor, grid_change: Tensor, rotation: Tensor
    ) -> Tensor:
        """Edit what ``RotateStage`` returned by ``rotation`` [1, 6].

        Returns:
            The frame [1, 4, 512, 512]: linear light, straight alpha, about -1..1.
        """
        warped = resize(warped, self.size)
        grid_change = resize(grid_change, self.size)
        planes = pose_planes(rotation, self.size)
        features = self.body(torch.cat([morphed, warped, grid_change, planes], dim=1))
        correction, alpha, color = self.heads(features)
        warped = self.warp(grid_change + correction, morphed)
        return blend(torch.sigmoid(alpha), torch.tanh(color), warped)


@dataclass(frozen=True, slots=True)
class Tha3Stages:
    """The stages of one variant, with their weights."""

    decompose: DecomposeStage
    brows: BrowsStage
    face: FaceStage
    rotate: RotateStage
    edit: EditStage

    def __getitem__(self, stage: Stage) -> nn.Module:
        """Return the module of ``stage``."""
        module: nn.Module = getattr(self, stage.value)
        return module

    def as_dict(self) -> dict[Stage, nn.Module]:
        """Return the stages by name, in the order of the data."""
        return {stage: self[stage] for stage in Stage}


def build_stages(networks: Tha3Networks) -> Tha3Stages:
    """Build the stages from networks that hold their final weights.

    The stages share the networks' unchanged layers and copy what they rewrite, so weights
    loaded afterwards would reach only half of them.
    """
    return Tha3Stages(
        decompose=DecomposeStage(networks.eyebrow_decomposer, networks.eyebrow_combiner).eval(),
        brows=BrowsStage(networks.eyebrow_combiner).eval(),
        face=FaceStage(networks.face_morpher).eval(),
        rotate=RotateStage(networks.body_rotator).eval(),
        edit=EditStage(networks.editor).eval(),
    )
