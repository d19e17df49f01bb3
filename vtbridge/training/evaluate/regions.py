"""Does each value of the face move its own part of the picture alone?

A character is drawn with one value at 0 and at 1, all else at rest: where the two drawings
differ, widened by a few pixels, is the value's region. The morpher does the same, and what it
changes outside that region should not have moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.training.dataset.examples import Example
from vtbridge.training.dataset.tha1 import FACE, face_of
from vtbridge.training.dataset.true_flow import Reopen
from vtbridge.training.evaluate.measure import PARAMETERS
from vtbridge.training.evaluate.metrics import shown
from vtbridge.training.evaluate.networks import TrainedRun
from vtbridge.training.learn.batches import head_box
from vtbridge.training.learn.lessons import signals

_CHANGED: Final = 0.02
_WIDENED: Final = 1 / 32
"""Of the head box's side."""


@dataclass(frozen=True, slots=True)
class Region:
    """What a value of the face does to the picture, mean over characters.

    Attributes:
        outside: share of the morpher's change that lies outside the value's region, 0..1; None
            where it changes nothing.
        strength: the morpher's change inside, by the true change; 1 is as much as it should.
        characters: how many were looked at.
    """

    outside: float | None
    strength: float
    characters: int


def regions(run: TrainedRun, examples: Sequence[Example], reopen: Reopen) -> dict[str, Region]:
    """Return what each value of the face does, by its name; empty where no truth can be drawn.

    Args:
        run: with a morpher.
        examples: one of each character.
        reopen: opens characters by name.
    """
    size = run.morpher_size
    if size is None:
        return {}
    found: dict[str, list[tuple[float, float, float]]] = {}
    for example in examples:
        try:
            subject = reopen(example.subject)
        except DatasetError:
            continue
        rest = signals(torch.from_numpy(np.ascontiguousarray(head_box(example.rest, size))[None]))
        for column, param in enumerate(FACE):
            if param not in subject.shows:
                continue
            drawn, morphed = [], []
            for value in (0.0, 1.0):
                pose = example.rest_pose.copy()
                pose[param] = value
                picture = head_box(subject.draw(pose, size=len(example.rest)), size)
                drawn.append(signals(torch.from_numpy(np.ascontiguousarray(picture)[None])))
                morphed.append(run.morphed(rest, torch.from_numpy(face_of(pose)[None])))
            name = PARAMETERS[3 + column]
            found.setdefault(name, []).append(_changes(_change(drawn), _change(morphed)))
    return {name: _region(np.array(rows, np.float32)) for name, rows in found.items()}


def _change(pictures: list[Tensor]) -> Tensor:
    """Return how much two pictures differ at each pixel, [1, 1, S, S]."""
    return (shown(pictures[1]) - shown(pictures[0])).abs().sum(dim=1, keepdim=True)


def _changes(true: Tensor, morphed: Tensor) -> tuple[float, float, float]:
    """Return the morpher's change inside and outside the region, and the true change."""
    reach = max(1, round(true.shape[-1] * _WIDENED))
    inside = F.max_pool2d((true > _CHANGED).float(), 2 * reach + 1, stride=1, padding=reach)
    return (
        float((morphed * inside).sum()),
        float((morphed * (1 - inside)).sum()),
        float(true.sum()),
    )


def _region(rows: F32Array) -> Region:
    inside, outside, true = (float(total) for total in rows.sum(axis=0))
    return Region(
        outside=outside / (inside + outside) if inside + outside else None,
        strength=inside / true if true else 0.0,
        characters=len(rows),
    )
