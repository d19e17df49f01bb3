"""What goes into each stage and what comes out: names and shapes; needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from vtbridge.render.models.crops import HEAD_CROP
from vtbridge.render.models.variants import Family, Network, Tha3Variant

Shape = tuple[int, ...]


class Stage(StrEnum):
    """The five callables of a runtime, in the order of the data."""

    DECOMPOSE = "decompose"
    BROWS = "brows"
    FACE = "face"
    ROTATE = "rotate"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class StageSignature:
    """Names and static shapes of a stage's float32 inputs and outputs, in order."""

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]

    @property
    def output_ports(self) -> tuple[str, ...]:
        """Names of the outputs, none an input's: in files the editor's grid change is new."""
        return tuple(f"new_{name}" if name in self.inputs else name for name in self.outputs)


def stage_signatures(variant: Tha3Variant) -> Mapping[Stage, StageSignature]:
    """Return the signature of every stage of ``variant``."""
    if variant.family is Family.THA1:
        return _signatures_of_tha1(variant)
    combiner = variant.shapes[Network.EYEBROW_COMBINER]
    side = combiner.bottleneck_size
    layers: dict[str, Shape] = {
        "background": (1, 4, 128, 128),
        "brow_layer": (1, 4, 128, 128),
        "encoded": (1, combiner.widths[-1], side, side),
    }
    rotated: dict[str, Shape] = {
        "morphed": (1, 4, 512, 512),
        "warped": (1, 4, 256, 256),
        "grid_change": (1, 2, 256, 256),
    }
    return {
        Stage.DECOMPOSE: StageSignature({"brow_crop": (1, 4, 128, 128)}, layers),
        Stage.BROWS: StageSignature({**layers, "brow_pose": (1, 12)}, {"brows": (1, 4, 128, 128)}),
        Stage.FACE: StageSignature(
            {"face_crop": (1, 4, 192, 192), "brows": (1, 4, 128, 128), "face_pose": (1, 27)},
            {"face": (1, 4, 192, 192)},
        ),
        Stage.ROTATE: StageSignature(
            {"picture": (1, 4, 512, 512), "face": (1, 4, 192, 192), "rotation": (1, 6)}, rotated
        ),
        Stage.EDIT: StageSignature({**rotated, "rotation": (1, 6)}, _FIELDS),
    }


_FIELDS: Mapping[str, Shape] = {
    "grid_change": (1, 2, 512, 512),
    "alpha": (1, 4, 512, 512),
    "color": (1, 4, 512, 512),
}


def _signatures_of_tha1(variant: Tha3Variant) -> Mapping[Stage, StageSignature]:
    """Return those of networks that see no eyebrows: two stages hand the head on."""
    head: Shape = (1, 4, HEAD_CROP.size, HEAD_CROP.size)
    side = variant.shapes[Network.BODY_ROTATOR].image_size
    rotated: dict[str, Shape] = {
        "morphed": (1, 4, 512, 512),
        "direct": (1, 4, side, side),
        "head_change": (1, 2, side, side),
        "grid_change": (1, 2, 256, 256),
    }
    return {
        Stage.DECOMPOSE: StageSignature({"head": head}, {"head": head}),
        Stage.BROWS: StageSignature({"head": head, "brow_pose": (1, 12)}, {"brows": head}),
        Stage.FACE: StageSignature(
            {"face_crop": (1, 4, 192, 192), "brows": head, "face_pose": (1, 27)},
            {"face": (1, 4, 192, 192)},
        ),
        Stage.ROTATE: StageSignature(
            {"picture": (1, 4, 512, 512), "face": (1, 4, 192, 192), "rotation": (1, 6)}, rotated
        ),
        Stage.EDIT: StageSignature({**rotated, "rotation": (1, 6)}, _FIELDS),
    }
