"""Real drawings, posed by a run's networks: shown as they are, for there is no truth of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor

from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.render.models.tha1 import Combiner, HeadRotator
from vtbridge.training.evaluate.contenders import RunNetworks, best_combined
from vtbridge.training.learn.batches import head_box
from vtbridge.training.learn.lessons import shrunk, signals

_SIZE = 256
_CROP: Final = (slice(0, 256), slice(128, 384))
"""Rows and columns of version 1's picture in one of 512 pixels."""

FACES: Final[Mapping[str, tuple[float, float, float]]] = {
    "rest": (0.0, 0.0, 0.0),
    "left eye closed": (1.0, 0.0, 0.0),
    "both closed": (1.0, 1.0, 0.0),
    "mouth half": (0.0, 0.0, 0.5),
    "mouth open": (0.0, 0.0, 1.0),
}
TURNS: Final[Mapping[str, tuple[float, float, float]]] = {
    "up": (1.0, 0.0, 0.0),
    "to its right": (0.0, 1.0, 0.0),
    "to its left, leaning": (0.0, -1.0, -0.7),
}


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """One drawing in one pose: ``what`` tells it, ``picture`` is signals [4, S, S]."""

    what: str
    picture: F32Array


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One drawing turned once by every configuration: signals [4, S, S].

    Attributes:
        what: the pose.
        before: what they were shown.
        pictures: by configuration.
    """

    what: str
    before: F32Array
    pictures: Mapping[str, F32Array]


def tha1_picture(picture: Picture) -> U8Array:
    """Return version 1's picture of a character, uint8 [256, 256, 4]."""
    cropped: U8Array = np.ascontiguousarray(picture.rgba[_CROP])
    return cropped


def posed_drawing(run: RunNetworks, rgba: U8Array) -> list[Posed]:
    """Return a drawing, uint8 [256, 256, 4], with its face moved and its head turned."""
    whole = signals(torch.from_numpy(rgba)[None])
    posed = [Posed("drawing", whole[0].numpy())]
    with torch.no_grad():
        faces = {name: _with_face(run, rgba, whole, pose) for name, pose in FACES.items()}
        if run.morpher is not None:
            posed += [Posed(name, face[0].numpy()) for name, face in faces.items()]
        if (size := run.head_size) is not None:
            for name, pose in TURNS.items():
                turned = _turned(run, size, faces["mouth half"], pose)
                posed.append(Posed(name, turned[0].numpy()))
    return posed


def compared_drawing(run: RunNetworks, rgba: U8Array) -> list[Compared]:
    """Return a drawing, uint8 [256, 256, 4], turned by every configuration that was trained."""
    size = run.head_size
    if size is None:
        return []
    before = shrunk(signals(torch.from_numpy(rgba)[None]), size)
    compared = []
    for name, pose in TURNS.items():
        with torch.no_grad():
            told = torch.tensor([pose])
            rotated = run.rotated(before, told)
            pictures = {
                contender.name: contender.make(before, told, rotated).image[0].numpy()
                for contender in run.contenders()
                if contender.stages and run.ready(contender)
            }
        compared.append(Compared(name, before[0].numpy(), pictures))
    return compared


def _with_face(
    run: RunNetworks, rgba: U8Array, whole: Tensor, pose: tuple[float, float, float]
) -> Tensor:
    """Return signals [1, 4, 256, 256] with the head box morphed."""
    morpher = run.morpher
    if morpher is None:
        return whole
    size = morpher.image_size
    face = signals(torch.from_numpy(head_box(rgba, size).copy())[None])
    edge = (_SIZE - size) // 2
    moved = whole.clone()
    moved[:, :, edge : edge + size, edge : edge + size] = morpher(face, torch.tensor([pose])).image
    return moved


def _turned(run: RunNetworks, size: int, face: Tensor, pose: tuple[float, float, float]) -> Tensor:
    """Return what the run's best networks make of a face, at their own size."""
    seen, told = shrunk(face, size), torch.tensor([pose])
    stage = best_combined(run)
    if stage is None or stage.rotator is None:
        rotator = next(n for n in run.networks.values() if isinstance(n, HeadRotator))
        return rotator(seen, told).sampled  # type: ignore[no-any-return]
    rotated = cast(HeadRotator, run.networks[stage.rotator])(seen, told)
    combiner = cast(Combiner, run.networks[stage])
    return combiner(rotated.direct, rotated.sampled, told).image  # type: ignore[no-any-return]
