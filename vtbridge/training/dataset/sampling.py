"""The poses of a subject: a random stream of its own, whatever comes before or after.

By version 1's write-up eyes and mouth are uniform, and the density of a joint grows with its
distance from the middle, for that is where turning is hard. In the wider vocabulary at most one
shape closes an eye, and at most two shape the mouth, as faces do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import POSE_SIZE, PoseGroup, PoseParam
from vtbridge.training.dataset.recipe import DatasetRecipe, LightRecipe
from vtbridge.training.sources.subject import Light

_LIDS = ("EYE_WINK", "EYE_HAPPY_WINK", "EYE_RELAXED")
_VOWELS = tuple(range(PoseParam.MOUTH_AAA, PoseParam.MOUTH_DELTA + 1))


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
    lids = random.integers(len(_LIDS), size=2).tolist()
    vowels = random.permutation(len(_VOWELS))[:2]
    pose = rest.copy()
    moves = recipe.moves & shows
    for param in moves:
        if param.group in (PoseGroup.HEAD, PoseGroup.BODY) and param is not PoseParam.BREATHING:
            pose[param] = sign[param] * np.sqrt(amount[param])
        elif param.signed:
            pose[param] = sign[param] * amount[param]
        else:
            pose[param] = amount[param]
    _keep_one(pose, moves, lids)
    _keep_two(pose, moves, [_VOWELS[index] for index in vowels])
    return pose


def _keep_one(pose: F32Array, moves: frozenset[PoseParam], chosen: Sequence[int]) -> None:
    """Let one shape close each eye where several could."""
    for side, number in zip(("LEFT", "RIGHT"), chosen, strict=True):
        closing = [PoseParam[f"{name}_{side}"] for name in _LIDS]
        could = [param for param in closing if param in moves]
        if len(could) > 1:
            kept = could[number % len(could)]
            for param in could:
                pose[param] = pose[param] if param is kept else 0


def _keep_two(pose: F32Array, moves: frozenset[PoseParam], chosen: Sequence[int]) -> None:
    """Let two shapes share the mouth where several could."""
    could = [param for param in _VOWELS if PoseParam(param) in moves]
    if len(could) > 1:
        for param in could:
            pose[param] = pose[param] / 2 if param in chosen else 0


def random_light(recipe: LightRecipe, random: np.random.Generator) -> Light:
    """Return the light on a subject."""
    shading = recipe.shading[int(random.integers(len(recipe.shading)))]
    return Light(recipe.directional, float(random.uniform(*recipe.ambient)), shading)
