"""Make the answers to the test card; run as a process that is thrown away.

Reads the entry's folder in the store from stdin and leaves ``selftest.json`` in it, or in
the folder that a second line names. It computes with the plain networks and the gluing
told in ``render.models``, not with the stages that runtimes run, so that a mistake in
those is noticed as well.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import BROW_SLICE, FACE_SLICE, ROTATION_SLICE
from vtbridge.pose_schema import THA1
from vtbridge.render.models.blocks import paste, resize
from vtbridge.render.models.crops import (
    BROW_CROP,
    BROWS_IN_FACE,
    FACE_CROP,
    HEAD_CROP,
    Crop,
    middle_of,
)
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.stages import Tha3Stages, build_stages
from vtbridge.render.models.tha1 import FACE_SIZE, Combiner, HeadRotator
from vtbridge.render.models.tha3 import AnyNetworks, Tha1Networks, networks_of
from vtbridge.render.selection.card import POSES, card_picture, card_pose
from vtbridge.render.selection.golden import ALONE, build_golden, sources_of, write_golden
from vtbridge.render.weights.store import WeightStore

THA1_ROTATED = ("morphed", "direct", "head_change", "grid_change")
THA2_ROTATED = ("morphed", "warped", "grid_change")

Outputs = dict[tuple[int, Stage, str], F32Array]


def main() -> None:
    """Do what stdin asks for."""
    lines = [Path(line) for line in sys.stdin.read().splitlines()]
    directory = lines[0]
    store, weights = WeightStore(directory.parent), directory.name
    networks = networks_of(store.variant(weights))
    arrays = store.networks(weights)
    for network, module in networks.as_dict().items():
        module.load_state_dict({k: torch.tensor(v) for k, v in arrays[network].items()})

    def told(pose: int) -> None:
        sys.stdout.write(f"{pose}\n")
        sys.stdout.flush()

    golden = build_golden(sources_of(store.record(weights)), plain_outputs(networks, told))
    write_golden(lines[-1], golden)


def plain_outputs(networks: AnyNetworks, told: Callable[[int], None]) -> Outputs:
    """Return every stage's outputs for the card's poses, as the plain networks give them."""
    outputs: Outputs = {}
    picture = torch.tensor(card_picture())
    with torch.inference_mode():
        for pose in range(POSES):
            for stage, name, tensor in _outputs(networks, picture, pose):
                if pose == 0 or stage not in ALONE:
                    outputs[pose, stage, name] = tensor.contiguous().numpy()
            told(pose)
    return outputs


def _outputs(
    networks: AnyNetworks, picture: Tensor, index: int
) -> Iterator[tuple[Stage, str, Tensor]]:
    pose = torch.tensor(card_pose(index))[None]
    rotation = pose[:, ROTATION_SLICE]
    if isinstance(networks, Tha1Networks):
        yield from _outputs_of_tha1(networks, picture, pose)
        return
    combiner = networks.eyebrow_combiner

    layers = networks.eyebrow_decomposer(_cut(picture, BROW_CROP))
    yield Stage.DECOMPOSE, "background", layers.background
    yield Stage.DECOMPOSE, "brow_layer", layers.brows
    encoded = combiner.body.encode(torch.cat([layers.background, layers.brows], dim=1))
    yield Stage.DECOMPOSE, "encoded", encoded

    combined = combiner(layers.background, layers.brows, pose[:, BROW_SLICE])
    brows = combined.image_by_brow_alpha
    yield Stage.BROWS, "brows", brows

    face_crop = paste(_cut(picture, FACE_CROP), brows, BROWS_IN_FACE)
    face = networks.face_morpher(face_crop, pose[:, FACE_SLICE]).image
    yield Stage.FACE, "face", face

    morphed = paste(picture, face, FACE_CROP)
    rotator, editor = networks.body_rotator, networks.editor
    if isinstance(rotator, HeadRotator) or isinstance(editor, Combiner):
        stages = build_stages(networks)  # of THA2, which rewrite nothing
        yield from _body_outputs(stages, THA2_ROTATED, picture, face, rotation)
        return
    rotated = rotator(resize(morphed, rotator.image_size), rotation)
    yield Stage.ROTATE, "morphed", morphed
    yield Stage.ROTATE, "warped", rotated.warped
    yield Stage.ROTATE, "grid_change", rotated.grid_change

    size = editor.image_size
    warped, grid_change = resize(rotated.warped, size), resize(rotated.grid_change, size)
    edited = editor(morphed, warped, grid_change, rotation)
    yield Stage.EDIT, "grid_change", edited.grid_change
    yield Stage.EDIT, "alpha", edited.alpha
    yield Stage.EDIT, "color", edited.color


def _outputs_of_tha1(
    networks: Tha1Networks, picture: Tensor, pose: Tensor
) -> Iterator[tuple[Stage, str, Tensor]]:
    """Yield what THA1 gives; its last two stages rewrite nothing."""
    stages = build_stages(networks)
    head = _cut(picture, HEAD_CROP)
    yield Stage.DECOMPOSE, "head", head
    yield Stage.BROWS, "brows", head
    seen = middle_of(HEAD_CROP.size, networks.morpher.image_size)
    shown = torch.from_numpy(THA1.project(pose[0].numpy())[-FACE_SIZE:]).float()
    morphed = networks.morpher(_cut(head, seen), shown[None]).image
    face = _cut(paste(head, morphed, seen), middle_of(HEAD_CROP.size, FACE_CROP.size))
    yield Stage.FACE, "face", face
    yield from _body_outputs(stages, THA1_ROTATED, picture, face, pose[:, ROTATION_SLICE])


def _body_outputs(
    stages: Tha3Stages, names: Sequence[str], picture: Tensor, face: Tensor, rotation: Tensor
) -> Iterator[tuple[Stage, str, Tensor]]:
    rotated = stages.rotate(picture, face, rotation)
    for name, tensor in zip(names, rotated, strict=True):
        yield Stage.ROTATE, name, tensor
    fields = stages.edit(*rotated, rotation)
    for name, tensor in zip(("grid_change", "alpha", "color"), fields, strict=True):
        yield Stage.EDIT, name, tensor


def _cut(image: Tensor, crop: Crop) -> Tensor:
    return image[:, :, crop.rows, crop.columns]


if __name__ == "__main__":
    main()
