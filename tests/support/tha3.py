"""THA3 put together by hand, the plain way and by stages, for tests to compare."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vtbridge.pose_params import BROW_SLICE, FACE_SLICE, ROTATION_SLICE
from vtbridge.render.models.blocks import GridWarp, blend, paste, resize
from vtbridge.render.models.body_rotator import RotatedBody
from vtbridge.render.models.crops import BROW_CROP, BROWS_IN_FACE, FACE_CROP, Crop
from vtbridge.render.models.editor import EditedImage
from vtbridge.render.models.eyebrow_combiner import CombinedBrows
from vtbridge.render.models.eyebrow_decomposer import DecomposedBrows
from vtbridge.render.models.face_morpher import MorphedFace
from vtbridge.render.models.signatures import Stage, stage_signatures
from vtbridge.render.models.stages import Tha3Stages
from vtbridge.render.models.tha3 import Tha3Networks
from vtbridge.render.models.variants import Tha3Variant


@dataclass(frozen=True, slots=True)
class PlainOutputs:
    """All outputs of the five networks for one pose."""

    decomposed: DecomposedBrows
    combined: CombinedBrows
    face: MorphedFace
    rotated: RotatedBody
    edited: EditedImage

    def in_reference_order(self) -> list[Tensor]:
        """Return the outputs as the reference lists them, the finished picture first."""
        return [*self.edited, *self.rotated, *self.face, *self.combined, *self.decomposed]


def run_networks(networks: Tha3Networks, picture: Tensor, pose: Tensor) -> PlainOutputs:
    """Pose ``picture`` [1, 4, 512, 512] by ``pose`` [1, 45] with the networks alone."""
    rotation = pose[:, ROTATION_SLICE]
    decomposed = networks.eyebrow_decomposer(cut(picture, BROW_CROP))
    combined = networks.eyebrow_combiner(
        decomposed.background, decomposed.brows, pose[:, BROW_SLICE]
    )
    face_crop = paste(cut(picture, FACE_CROP), combined.image_by_brow_alpha, BROWS_IN_FACE)
    face = networks.face_morpher(face_crop, pose[:, FACE_SLICE])
    morphed = paste(picture, face.image, FACE_CROP)
    rotated = networks.body_rotator(resize(morphed, 256), rotation)
    edited = networks.editor(
        morphed, resize(rotated.warped, 512), resize(rotated.grid_change, 512), rotation
    )
    return PlainOutputs(decomposed, combined, face, rotated, edited)


def run_stages(
    stages: Tha3Stages,
    picture: Tensor,
    pose: Tensor,
    layers: tuple[Tensor, ...] | None = None,
) -> Tensor:
    """Pose ``picture`` [1, 4, 512, 512] by ``pose`` [1, 45] as a runtime does.

    ``layers`` is what the picture was decomposed into before, if it was.
    """
    rotation = pose[:, ROTATION_SLICE]
    if layers is None:
        layers = stages.decompose(cut(picture, BROW_CROP))
    brows = stages.brows(*layers, pose[:, BROW_SLICE])
    face = stages.face(cut(picture, FACE_CROP), brows, pose[:, FACE_SLICE])
    morphed, warped, grid_change = stages.rotate(picture, face, rotation)
    return frame_of(morphed, *stages.edit(morphed, warped, grid_change, rotation))


def frame_of(morphed: Tensor, grid_change: Tensor, alpha: Tensor, color: Tensor) -> Tensor:
    """Make the frame [1, 4, 512, 512] of what ``EditStage`` says about ``morphed``."""
    warp = GridWarp(morphed.shape[-1]).to(morphed.dtype)
    return blend(alpha, color, warp(grid_change, morphed))


@dataclass(frozen=True, slots=True)
class StageCase:
    """What goes into a stage, and what the plain networks make of it, both in order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def stage_cases(
    networks: Tha3Networks, picture: Tensor, pose: Tensor
) -> tuple[dict[Stage, StageCase], PlainOutputs]:
    """Return every stage's case for one picture and pose, and what the networks gave."""
    plain = run_networks(networks, picture, pose)
    rotation = pose[:, ROTATION_SLICE]
    background, brow_layer = plain.decomposed.background, plain.decomposed.brows
    layers = torch.cat([background, brow_layer], dim=1)
    encoded = networks.eyebrow_combiner.body.encode(layers)
    brows = plain.combined.image_by_brow_alpha
    morphed = paste(picture, plain.face.image, FACE_CROP)
    rotated = (morphed, plain.rotated.warped, plain.rotated.grid_change)
    fields = (plain.edited.grid_change, plain.edited.alpha, plain.edited.color)
    decomposed = (background, brow_layer, encoded)
    cases = {
        Stage.DECOMPOSE: StageCase((cut(picture, BROW_CROP),), decomposed),
        Stage.BROWS: StageCase((*decomposed, pose[:, BROW_SLICE]), (brows,)),
        Stage.FACE: StageCase(
            (cut(picture, FACE_CROP), brows, pose[:, FACE_SLICE]), (plain.face.image,)
        ),
        Stage.ROTATE: StageCase((picture, plain.face.image, rotation), rotated),
        Stage.EDIT: StageCase((*rotated, rotation), fields),
    }
    return cases, plain


def cut(image: Tensor, crop: Crop) -> Tensor:
    """Return what ``crop`` shows of ``image`` [1, C, H, W]."""
    return image[:, :, crop.rows, crop.columns]


def thinned(variant: Tha3Variant) -> Tha3Variant:
    """Return ``variant`` with its picture sizes but few channels and blocks."""
    thin = {
        network: replace(shape, start_channels=4, max_channels=16, bottleneck_blocks=2)
        for network, shape in variant.shapes.items()
    }
    return replace(variant, shapes=thin)


def randomise(networks: Tha3Networks, seed: int) -> None:
    """Give every network random weights, none of them trivial."""
    generator = torch.Generator().manual_seed(seed)
    for network in networks.as_dict().values():
        for name, weight in network.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.ndim == 1:
                weight.copy_(0.2 * noise + (1.0 if name.endswith("weight") else 0.0))
            else:
                scale = 0.01 if "grid_change" in name else 1.0
                weight.copy_(noise * scale * (2 / weight[0].numel()) ** 0.5)


def require_signatures(stages: Tha3Stages, variant: Tha3Variant) -> None:
    """Run every stage on what its signature takes, and hold what it gives against it."""
    generator = torch.Generator().manual_seed(8)
    for stage, signature in stage_signatures(variant).items():
        inputs = [torch.rand(shape, generator=generator) for shape in signature.inputs.values()]
        outputs = stages[stage](*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        assert [tuple(output.shape) for output in outputs] == list(signature.outputs.values())
