"""Which poses the teacher is asked for: recorded ones far apart, and others all over the ranges.

Recorded poses are what a stream shows, so they come first; of them those farthest from all
that are known (Gonzalez 1985, "Clustering to minimize the maximum intercluster distance"),
because neighbours in a recording tell the same. Between them lie quasi-random ones (Sobol
1967, Owen's scrambling), for a person may move as the recording did not.

Both plans are the same for the same recordings and go on where a bake was left: what is known
is not asked for again. Poses that are held out for judging are never asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vtbridge.datatypes import F32Array, clamp_pose
from vtbridge.errors import ConfigError
from vtbridge.pose_params import GROUP_RANGES, POSE_SIZE, ROTATION_SLICE, PoseGroup, PoseParam
from vtbridge.pose_schema import THA3
from vtbridge.training.distill.spread import Spread

FACE_POSE_SIZE: Final = ROTATION_SLICE.start
"""Pose parameters that move the face: the first of a pose."""

ROTATION_SIZE: Final = POSE_SIZE - FACE_POSE_SIZE

_RESERVED: Final = 0.2  # of each recording's end, of which the judge's poses are taken
_SHORTEST: Final = 10  # poses of a recording from which something can be reserved
_MOST_RECORDED: Final = 50_000
_WORTH_ASKING: Final = 0.03  # nearer to what is known, a recorded pose tells nothing new
_BEYOND: Final = 1.1  # so that quasi-random rotations also lie on the edges of the ranges
_SEED: Final = 5
_BREATHING_WEIGHT: Final = 0.5  # it moves less than the others by far


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Recordings, divided so that nobody is judged by what he has learnt.

    Attributes:
        training: poses that may be asked for, [n, 45].
        held_out: poses to be judged by, from the last fifth of each recording, [m, 45].
    """

    training: F32Array
    held_out: F32Array


def divided(recordings: Sequence[F32Array], held_out: int) -> Recorded:
    """Divide recordings by time: neighbours in one would make a held-out pose a known one.

    Args:
        recordings: each float32 [n, 45].
        held_out: how many poses to be judged by, spread evenly over what is reserved.

    Raises:
        ConfigError: no recording has ten poses or more.
    """
    training, reserved = [], []
    for poses in recordings:
        clamped = clamp_pose(poses)
        kept = len(poses) - (int(len(poses) * _RESERVED) if len(poses) >= _SHORTEST else 0)
        training.append(clamped[:kept])
        reserved.append(clamped[kept:])
    if not sum(map(len, reserved)):
        raise ConfigError(f"a recording of at least {_SHORTEST} poses is needed to judge by")
    pool = np.concatenate(reserved)
    chosen = np.unique(((np.arange(held_out) + 0.5) / held_out * len(pool)).astype(int))
    known = np.concatenate(training)
    return Recorded(known[:: -(-len(known) // _MOST_RECORDED)], pool[chosen])


def rotation_weights() -> F32Array:
    """Return how much each of the six rotations counts where distances are measured."""
    weights = np.ones(ROTATION_SIZE, np.float32)
    weights[PoseParam.BREATHING - FACE_POSE_SIZE] = _BREATHING_WEIGHT
    return weights


class RotationPlan:
    """Rotations of head and body to ask for, one after the other.

    Neutral first; then by turns a recorded one, one in which the body follows the head as
    trackers have it, a recorded one, and one in which all six move freely.

    Args:
        recorded: recorded poses, and those that are held out.
        known: rotations that are known already, [k, 6].
    """

    def __init__(self, recorded: Recorded, known: F32Array) -> None:
        self._spread = Spread(
            recorded.training[:, ROTATION_SLICE],
            recorded.held_out[:, ROTATION_SLICE],
            known,
            rotation_weights(),
        )
        self._following = _following_rotations()
        self._free = _free_rotations()
        self._turn = len(known)

    def next(self) -> F32Array:
        """Return a rotation that was not known, float32 [6]; it counts as known from now on."""
        neutral = np.zeros(ROTATION_SIZE, np.float32)
        if self._spread.take(neutral):
            return neutral
        self._turn += 1
        if self._turn % 2:
            recorded = self._spread.farthest(_WORTH_ASKING)
            if recorded is not None:
                return recorded
        source = self._following if self._turn % 4 else self._free
        return next(rotation for rotation in source if self._spread.take(rotation))


class FacePlan:
    """Poses of the face to ask for, one after the other.

    Neutral first; then each expression by itself, wholly, for hotkeys and blinks go all the
    way; then by turns recorded and composed ones.

    Args:
        recorded: recorded poses, and those that are held out.
        known: poses that are known already, [k, 39].
    """

    def __init__(self, recorded: Recorded, known: F32Array) -> None:
        self._spread = Spread(
            recorded.training[:, :FACE_POSE_SIZE],
            recorded.held_out[:, :FACE_POSE_SIZE],
            known,
            np.ones(FACE_POSE_SIZE, np.float32),
        )
        self._turn = len(known)
        self._single = single_expressions()

    def next(self) -> F32Array:
        """Return a pose that was not known, float32 [39]; it counts as known from now on."""
        for single in self._single:
            if self._spread.take(single):
                return single
        while True:
            self._turn += 1
            if self._turn % 2:
                recorded = self._spread.farthest(_WORTH_ASKING)
                if recorded is not None:
                    return recorded
            composed = composed_face(self._turn)
            if self._spread.take(composed):
                return composed


def single_expressions() -> Iterator[F32Array]:
    """Return the neutral face, then each expression wholly: pairs together, gaze four ways."""
    neutral = np.zeros(FACE_POSE_SIZE, np.float32)
    yield neutral
    for param in map(PoseParam, range(FACE_POSE_SIZE)):
        if param.label.endswith("_right"):
            continue
        for value in (1.0, -1.0) if param.signed else (1.0,):
            pose = neutral.copy()
            pose[param] = value
            if param.label.endswith("_left"):
                pose[param + 1] = value
            yield pose


def composed_face(number: int) -> F32Array:
    """Return a made-up expression, float32 [39], always the same for the same ``number``.

    Few parameters at a time, as faces and hotkeys set them, often wholly and mostly alike on
    both sides; of what closes an eye no more together than closes it.
    """
    rng = np.random.default_rng([_SEED, number])
    values = np.zeros(POSE_SIZE, np.float64)

    def amount() -> float:
        return 1.0 if rng.random() < 0.25 else rng.random()

    def set_pairs(first: PoseParam, pairs: int, count: int) -> None:
        for pair in rng.choice(pairs, count, replace=False):
            left = amount()
            values[first + 2 * pair] = left
            values[first + 2 * pair + 1] = left if rng.random() < 0.7 else amount()

    set_pairs(PoseParam.EYEBROW_TROUBLED_LEFT, 6, int(rng.integers(0, 3)))
    set_pairs(PoseParam.EYE_WINK_LEFT, 6, int(rng.integers(0, 3)))
    set_pairs(PoseParam.IRIS_SMALL_LEFT, 1, int(rng.random() < 0.2))
    visemes = rng.choice(6, rng.integers(0, 4), replace=False)
    values[PoseParam.MOUTH_AAA + visemes] = rng.dirichlet(np.ones(6))[: len(visemes)] * 1.5
    if len(visemes) == 1:
        values[PoseParam.MOUTH_AAA + visemes[0]] = amount()
    set_pairs(PoseParam.MOUTH_LOWERED_CORNER_LEFT, 2, int(rng.random() < 0.4))
    values[PoseParam.MOUTH_SMIRK] = amount() if rng.random() < 0.15 else 0.0
    if rng.random() < 0.8:
        gaze = GROUP_RANGES[PoseGroup.GAZE]
        values[gaze.start : gaze.stop] = rng.uniform(-1.0, 1.0, len(gaze))
    return clamp_pose(THA3.share_lids(values).astype(np.float32))[:FACE_POSE_SIZE]


def _following_rotations() -> Iterator[F32Array]:
    """Return rotations whose body turns and leans as the head does, for ever."""
    for point in _sobol(4):
        turned = _signed(point[:3])
        yield np.array([*turned, turned[1], turned[2], point[3]], np.float32)


def _free_rotations() -> Iterator[F32Array]:
    """Return rotations whose six parameters do not depend on each other, for ever."""
    for point in _sobol(ROTATION_SIZE):
        yield np.array([*_signed(point[:5]), point[5]], np.float32)


def _signed(point: F32Array) -> F32Array:
    signed: F32Array = np.clip(_BEYOND * (2.0 * point - 1.0), -1.0, 1.0)
    return signed


def _sobol(dimensions: int) -> Iterator[F32Array]:
    """Return points of the unit cube that fill it evenly, for ever."""
    from torch.quasirandom import SobolEngine

    engine = SobolEngine(dimensions, scramble=True, seed=_SEED)  # type: ignore[no-untyped-call]
    while True:
        points: F32Array = engine.draw(64).numpy()
        yield from points
