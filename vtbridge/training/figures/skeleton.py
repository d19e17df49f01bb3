"""Which bones turn when a head is posed, and which vertices go with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.figure import Bone, Figure, I32Array

_ALONE = 0.999
Point = tuple[float, float, float]


class Turning(IntEnum):
    """What turns by itself; each also goes with the one above it, the eyes with the head."""

    NECK = 0
    HEAD = 1
    LEFT_EYE = 2
    RIGHT_EYE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """The bones that turn.

    Attributes:
        pivots: where each turns about; no eye bones, no eyes. Without a neck bone above the
            head's, the head's pivot is the neck's too.
        head_share: float32 [V], how much of each vertex goes with the head.
        whole: the vertices that go with one alone, int32 [N] for each.
        mixed: the vertices that go with several, or in part, int32 [M].
        mixed_shares: float32 [M, 4], how much they go with each; what is left stays.
    """

    pivots: Mapping[Turning, Point]
    head_share: F32Array
    whole: Mapping[Turning, I32Array]
    mixed: I32Array
    mixed_shares: F32Array


def skeleton_of(figure: Figure) -> Skeleton:
    """Return what turns in ``figure``.

    Raises:
        DatasetError: no bone is a head, or it moves nothing.
    """
    bones = figure.bones
    places = {bone.role: i for i, bone in enumerate(bones) if bone.role}
    if "head" not in places:
        raise DatasetError(f"{figure.path}: no bone is a head (頭, head): nothing can be turned")
    head = places["head"]
    pivots: dict[Turning, Point] = {Turning.NECK: bones[head].head, Turning.HEAD: bones[head].head}
    turning = {head: Turning.HEAD}
    if "neck" in places and places["neck"] in _line(bones, head):
        pivots[Turning.NECK] = bones[places["neck"]].head
        turning[places["neck"]] = Turning.NECK
    for eye in (Turning.LEFT_EYE, Turning.RIGHT_EYE):
        place = places.get(eye.name.lower())
        if place is not None and head in _line(bones, place):
            pivots[eye] = bones[place].head
            turning[place] = eye
    shares = _shares(figure, [_turning_of(bones, i, turning) for i in range(len(bones))])
    if not shares[:, Turning.HEAD :].any():
        raise DatasetError(f"{figure.path}: its head bone moves no vertex: nothing can be turned")
    alone = shares >= _ALONE
    mixed = np.flatnonzero(shares.any(axis=1) & ~alone.any(axis=1)).astype(np.int32)
    return Skeleton(
        pivots=pivots,
        head_share=shares[:, Turning.HEAD :].sum(axis=1),
        whole={kind: np.flatnonzero(alone[:, kind]).astype(np.int32) for kind in Turning},
        mixed=mixed,
        mixed_shares=shares[mixed],
    )


def _line(bones: Sequence[Bone], place: int) -> list[int]:
    """Return a bone and its ancestors, upwards."""
    line = []
    while place >= 0:
        line.append(place)
        place = bones[place].parent
    return line


def _turning_of(bones: Sequence[Bone], place: int, turning: dict[int, Turning]) -> Turning | None:
    return next((turning[i] for i in _line(bones, place) if i in turning), None)


def _shares(figure: Figure, turning: Sequence[Turning | None]) -> F32Array:
    shares = np.zeros((len(figure.positions), len(Turning)), np.float32)
    of_bone = np.array([-1 if kind is None else kind for kind in turning])
    of_joint = of_bone[figure.joints]
    for kind in Turning:
        shares[:, kind] = np.where(of_joint == kind, figure.weights, 0.0).sum(axis=1)
    return np.minimum(shares, np.float32(1.0))
