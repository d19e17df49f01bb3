"""The poses of a subject: a random stream of its own, whatever comes before or after.

By version 1's write-up eyes and mouth are uniform, and the density of a joint grows with its
distance from the middle, for that is where turning is hard. In the wider vocabulary at most one
shape is on an eye, and one or two share the mouth, as in faces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import POSE_SIZE, PoseGroup, PoseParam
from vtbridge.training.dataset.recipe import DatasetRecipe, LightRecipe
from vtbridge.training.sources.subject import Light

_CLOSING = ("EYE_WINK", "EYE_HAPPY_WINK", "EYE_RELAXED")
_OPEN = ("EYE_SURPRISED", "EYE_UNIMPRESSED", "EYE_RAISED_LOWER_EYELID")
_VOWELS = tuple(map(PoseParam, range(PoseParam.MOUTH_AAA, PoseParam.MOUTH_DELTA + 1)))


def stream_of(seed: int, name: str) -> np.random.Generator:
    """Return the random stream of a subject."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def rest_pose(recipe: DatasetRecipe, random: np.random.Generator) -> F32Array:
    """Return the pose of a subject's rest picture, float32 [45]."""
    pose = np.zeros(POSE_SIZE, np.float32)
    pose[PoseParam.MOUTH_AAA] = recipe.rest_mouth[int(random.integers(len(recipe.rest_mouth)))]
    return pose


def random_pose(
    recipe: DatasetRecipe,
    rest: F32Array,
    shows: frozenset[PoseParam],
    random: np.random.Generator,
) -> F32Array:
    """Return a pose, float32 [45]; what the subject does not show, or must not, stays at rest."""
    # All are drawn, used or not, so that a value does not hang on what else moves.
    amount = random.random(POSE_SIZE)
    sign = random.choice([-1.0, 1.0], POSE_SIZE)
    at_end = random.random(POSE_SIZE) < recipe.extremes
    amount = np.where(at_end, np.round(amount), amount)
    lids = random.integers(len(_CLOSING), size=2).tolist()
    vowels = [_VOWELS[index] for index in random.permutation(len(_VOWELS)).tolist()]
    pose = rest.copy()
    moves = recipe.moves & shows
    for param in moves:
        if param.group in (PoseGroup.HEAD, PoseGroup.BODY) and param is not PoseParam.BREATHING:
            pose[param] = sign[param] * np.sqrt(amount[param])
        elif param.signed:
            pose[param] = sign[param] * amount[param]
        else:
            pose[param] = amount[param]
    # Values of one sign have another to spare, which tosses a coin for what follows.
    for side, number in zip(("LEFT", "RIGHT"), lids, strict=True):
        _keep_one_lid(pose, moves, side, number, closing=sign[PoseParam[f"EYE_WINK_{side}"]] > 0)
    _keep_vowels(pose, moves, vowels, count=1 if sign[PoseParam.MOUTH_AAA] > 0 else 2)
    return pose


def _keep_one_lid(
    pose: F32Array, moves: frozenset[PoseParam], side: str, number: int, *, closing: bool
) -> None:
    """Let one shape be on an eye where several could: one that closes it, or leaves it open."""
    kinds = [
        [param for name in names if (param := PoseParam[f"{name}_{side}"]) in moves]
        for names in ((_CLOSING, _OPEN) if closing else (_OPEN, _CLOSING))
    ]
    could = kinds[0] or kinds[1]
    for param in kinds[0] + kinds[1]:
        if param is not could[number % len(could)]:
            pose[param] = 0


def _keep_vowels(
    pose: F32Array, moves: frozenset[PoseParam], order: Sequence[PoseParam], *, count: int
) -> None:
    """Let the first ``count`` of ``order`` share the mouth where several could."""
    could = [param for param in order if param in moves]
    if len(could) > 1:
        pose[could[count:]] = 0
        pose[could] /= max(1.0, float(pose[could].sum()))


def random_light(recipe: LightRecipe, random: np.random.Generator) -> Light:
    """Return the light on a subject."""
    shading = recipe.shading[int(random.integers(len(recipe.shading)))]
    return Light(recipe.directional, float(random.uniform(*recipe.ambient)), shading)
