"""The networks with the glue between them, as five modules that a runtime can export.

Static shapes, no control flow that depends on data, plain tensors in and out
(``signatures.py`` names them). They compute what the networks of ``tha3.py`` and the
gluing described in the package's docstring compute, by cheaper means: heads merged into
one convolution, the editor's skips convolved apart instead of concatenated, outputs nobody
uses dropped, and the combiner's encoder, which never sees the pose, moved to the stage
that runs once a picture. In float32 decomposer, brows and face give the same bits as the
networks, the rotator's grid and the editor's fields differ by their rounding (1e-5).

Inputs and outputs are float32; a stage's networks may be float16 (``rewrites.in_half``).

What was tried, in OpenVINO f32 on two AVX-512 cores. Kept: fields instead of the frame,
one resize instead of two, planes by an addition, heads split as rows of a matrix (the
editor -12 %); the rotator's head as three rows of 1x3 (-4 ms of 10). Not kept: nearest
doubling and depthwise 3x3 as four phases at half size (the block +25..50 %, for the phases
have to be interleaved) or as a transposed convolution (equal, the layout changes on the
way); the resize as products with a matrix, or as phases (within 5 %); the rotator's head
as 1x1 and shifts, or eight pixels at a stride (slower than rows). The constant planes of
the pose cannot be dropped: at the zero-padded border they are all that the rotator sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vtbridge.render.models.blocks import blend, paste, resize
from vtbridge.render.models.body_rotator import BodyRotator
from vtbridge.render.models.crops import BROWS_IN_FACE, FACE_CROP
from vtbridge.render.models.editor import Editor
from vtbridge.render.models.eyebrow_combiner import EyebrowCombiner, alpha_of, over_background
from vtbridge.render.models.eyebrow_decomposer import EyebrowDecomposer
from vtbridge.render.models.face_morpher import FaceMorpher
from vtbridge.render.models.other_stages import (
    CombineHeadStage,
    MorphBodyStage,
    RotateHeadStage,
    UpscaleStage,
)
from vtbridge.render.models.rewrites import MergedHeads, PosePlanes, RowHead, SplitUNet
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.tha1 import Combiner, HeadRotator
from vtbridge.render.models.tha1_stages import (
    FinishHeadStage,
    KeepBrowsStage,
    KeepHeadStage,
    MorphStage,
    TurnHeadStage,
)
from vtbridge.render.models.tha3 import AnyNetworks, Refiner, Rotator, Tha1Networks
from vtbridge.render.models.tha4_teacher import BodyMorpher, Upscaler


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
        dtype = self.heads.weight.dtype
        features = self.body(brow_crop.to(dtype))
        background_alpha, background_color, brow_alpha, brow_color = self.heads(features)
        background = blend(torch.sigmoid(background_alpha), torch.tanh(background_color), brow_crop)
        brow_layer = blend(torch.sigmoid(brow_alpha), brow_crop, torch.tanh(brow_color))
        layers = torch.cat([background, brow_layer], dim=1)
        encoded = self.combiner_encoder(layers.to(dtype)).to(layers.dtype)
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
        dtype = self.heads.weight.dtype
        features = self.body.decode(encoded.to(dtype), brow_pose.to(dtype))
        grid_change, alpha, color = self.heads(features)
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
        dtype = self.heads.weight.dtype
        features = self.body(face.to(dtype), face_pose.to(dtype))
        grid_change, alpha, color, eye_alpha, eye_color = self.heads(features)
        warped = self.warp(grid_change, face)
        open_eyed = blend(torch.sigmoid(alpha), torch.tanh(color), warped)
        return blend(torch.sigmoid(eye_alpha), torch.tanh(eye_color), open_eyed)


class RotateStage(nn.Module):
    """Turn head and body at half size; the directly painted picture is left out."""

    def __init__(self, rotator: BodyRotator) -> None:
        super().__init__()
        self.size = rotator.image_size
        self.planes = PosePlanes(rotator.image_size)
        self.body = rotator.body
        self.grid_change = RowHead(rotator.grid_change)
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
        seen = torch.cat([half, self.planes(rotation)], dim=1)
        features = self.body(seen.to(self.grid_change.weight.dtype))
        grid_change: Tensor = self.grid_change(features)
        return morphed, self.warp(grid_change, half), grid_change


class EditStage(nn.Module):
    """Say how each pixel of the frame is made, at full size."""

    def __init__(self, editor: Editor) -> None:
        super().__init__()
        self.size = editor.image_size
        self.planes = PosePlanes(editor.image_size)
        self.body = SplitUNet(editor.body)
        self.heads = MergedHeads([editor.grid_change, editor.alpha, editor.color])

    def forward(
        self, morphed: Tensor, warped: Tensor, grid_change: Tensor, rotation: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Edit what ``RotateStage`` returned by ``rotation`` [1, 6].

        Returns:
            the whole grid change [1, 2, 512, 512] to sample ``morphed`` with; alpha
            [1, 4, 512, 512], 0..1; and colour [1, 4, 512, 512], -1..1, linear light:
            the frame is colour where alpha is 1 and the sampled picture where it is 0.
        """
        # One resize of six channels takes OpenVINO little more time than one of two.
        rotated = resize(torch.cat([warped, grid_change], dim=1), self.size)
        seen = torch.cat([morphed, rotated, self.planes(rotation)], dim=1)
        features = self.body(seen.to(self.heads.weight.dtype))
        correction, alpha, color = self.heads(features)
        unrefined = rotated.reshape(6, -1)[4:].reshape(1, 2, self.size, self.size)
        return unrefined + correction, torch.sigmoid(alpha), torch.tanh(color)


@dataclass(frozen=True, slots=True)
class Tha3Stages:
    """The stages of one variant, with their weights."""

    decompose: nn.Module
    brows: nn.Module
    face: nn.Module
    rotate: nn.Module
    edit: nn.Module

    def __getitem__(self, stage: Stage) -> nn.Module:
        """Return the module of ``stage``."""
        module: nn.Module = getattr(self, stage.value)
        return module

    def as_dict(self) -> dict[Stage, nn.Module]:
        """Return the stages by name, in the order of the data."""
        return {stage: self[stage] for stage in Stage}


def build_stages(networks: AnyNetworks) -> Tha3Stages:
    """Build the stages from networks that hold their final weights.

    The stages share the networks' unchanged layers and copy what they rewrite, so weights
    loaded afterwards would reach only half of them.
    """
    if isinstance(networks, Tha1Networks):
        return Tha3Stages(
            decompose=KeepHeadStage().eval(),
            brows=KeepBrowsStage().eval(),
            face=MorphStage(networks.morpher).eval(),
            rotate=TurnHeadStage(networks.rotator).eval(),
            edit=FinishHeadStage(networks.combiner).eval(),
        )
    return Tha3Stages(
        decompose=DecomposeStage(networks.eyebrow_decomposer, networks.eyebrow_combiner).eval(),
        brows=BrowsStage(networks.eyebrow_combiner).eval(),
        face=FaceStage(networks.face_morpher).eval(),
        rotate=_rotate_stage(networks.body_rotator).eval(),
        edit=_edit_stage(networks.editor).eval(),
    )


def _rotate_stage(rotator: Rotator) -> nn.Module:
    match rotator:
        case BodyMorpher():
            return MorphBodyStage(rotator)
        case HeadRotator():
            return RotateHeadStage(rotator)
    return RotateStage(rotator)


def _edit_stage(editor: Refiner) -> nn.Module:
    match editor:
        case Upscaler():
            return UpscaleStage(editor)
        case Combiner():
            return CombineHeadStage(editor)
    return EditStage(editor)
