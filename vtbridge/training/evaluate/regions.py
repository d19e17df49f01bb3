"""Does each value of the face move only its own part? Told of characters whose parts are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.render.models.tha1 import Morpher
from vtbridge.training.dataset.examples import Example
from vtbridge.training.dataset.tha1 import face_of
from vtbridge.training.learn.batches import head_box
from vtbridge.training.learn.lessons import signals
from vtbridge.training.sources.subject import LabelledSubject

VALUES = ("left_eye", "right_eye", "mouth")
_MARGIN = 0.06
"""Of the picture's side, around the outermost landmarks of a part."""


def strayed(morpher: Morpher, example: Example, subject: LabelledSubject) -> dict[str, float]:
    """Return for each value which share of what it changes lies outside its part, 0..1.

    The change is the difference of the pictures at 0 and at 1, all other values at rest, summed
    over absolute signals; the part is the box of its landmarks and a margin.
    """
    size = morpher.image_size
    picture = signals(torch.from_numpy(head_box(example.rest, size).copy())[None])
    whole = len(example.rest)
    landmarks = subject.landmarks(example.rest_pose, size=whole)
    at_rest = torch.from_numpy(face_of(example.rest_pose))
    shares = {}
    for number, value in enumerate(VALUES):
        poses = at_rest.repeat(2, 1)
        poses[0, number], poses[1, number] = 0, 1
        with torch.no_grad():
            low, high = morpher(picture.expand(2, -1, -1, -1), poses).image
        change = (high - low).abs().sum(dim=0).numpy()
        inside = _box(landmarks, value, size, (whole - size) / 2, whole)
        total = float(change.sum())
        shares[value] = float(change[~inside].sum()) / total if total else 0.0
    return shares


def _box(
    landmarks: Mapping[str, tuple[float, float]], part: str, size: int, edge: float, whole: int
) -> NDArray[np.bool_]:
    points = np.array([at for name, at in landmarks.items() if name.startswith(part)]) - edge
    margin = _MARGIN * whole
    (left, top), (right, bottom) = points.min(axis=0) - margin, points.max(axis=0) + margin
    y, x = np.mgrid[0:size, 0:size] + 0.5
    inside: NDArray[np.bool_] = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    return inside


def mean_strayed(each: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each value."""
    return {value: float(np.mean([one[value] for one in each])) for value in VALUES if each}


def moved(morpher: Morpher, picture: F32Array, pose: tuple[float, float, float]) -> F32Array:
    """Return signals [4, S, S] of a head box with a face, and nothing else, moved."""
    with torch.no_grad():
        image = torch.from_numpy(picture)[None]
        made: F32Array = morpher(image, torch.tensor([pose])).image[0].numpy()
    return made
