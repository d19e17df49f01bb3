"""Poses for benchmarks: excerpts of a recording, and a made-up path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, clamp_pose
from vtbridge.pose_params import BROW_SLICE, POSE_SIZE

FPS = 20.0
"""Frames a second of the poses that are rendered, as of recordings."""

LEAD_IN = 3
"""Frames before the first that counts of each excerpt: the jump to it is nobody's fault."""

_EXCERPTS = 4
_SHORTEST = 10
_SEED = 3
_BROW_HOLD_FRAMES = 8
_BROW_MOVE_FRAMES = 17


@dataclass(frozen=True, slots=True, eq=False)
class PoseStream:
    """Poses to render one after the other.

    Attributes:
        values: float32 [N, 45].
        counted: bool [N]; False for those that only lead up to an excerpt.
    """

    values: F32Array
    counted: NDArray[np.bool_]


def excerpts(poses: F32Array, frames: int) -> PoseStream:
    """Return a stream with ``frames`` poses that count, in a few runs from all over a recording.

    Runs of neighbours, because what did not change is not computed again; from all over,
    because a person who sits still for the first seconds would make any poser look fast.

    Args:
        poses: float32 [N, 45]; a shorter recording starts over.
        frames: how many are to count.
    """
    length = max(_SHORTEST, -(-frames // _EXCERPTS))
    runs = -(-frames // length)
    whole = LEAD_IN + length
    # In the middle of equal parts: recordings begin and end with somebody at a mouse.
    starts = ((np.arange(runs) + 0.5) / runs * max(0, len(poses) - whole)).astype(int)
    indices = (starts[:, None] + np.arange(whole)).reshape(-1)
    counted = np.tile(np.arange(whole) >= LEAD_IN, runs)
    kept = slice(None, frames + LEAD_IN * runs)
    return PoseStream(poses[indices[kept] % len(poses)], counted[kept])


def smooth_pose_path(frames: int) -> F32Array:
    """Return ``frames`` poses in which every parameter moves, smoothly and over its whole range.

    Nobody moves like that; it reaches poses that a person's face does not. Each parameter
    follows two slow waves of its own. The brows rest for a third of the time.

    Returns:
        float32 [frames, 45], the same for the same ``frames``.
    """
    rng = np.random.default_rng(_SEED)
    t = np.arange(frames)[:, None] / FPS
    frequency_hz = rng.uniform(0.15, 1.2, (2, POSE_SIZE))
    phase = rng.uniform(0.0, 2.0 * np.pi, (2, POSE_SIZE))
    waves = np.sin(2.0 * np.pi * frequency_hz[0] * t + phase[0])
    waves += 0.5 * np.sin(2.0 * np.pi * frequency_hz[1] * t + phase[1])
    poses = 0.6 * waves
    period = _BROW_MOVE_FRAMES + _BROW_HOLD_FRAMES
    moving = np.minimum(np.arange(frames) % period, _BROW_MOVE_FRAMES)
    source = np.arange(frames) // period * period + moving
    poses[:, BROW_SLICE] = poses[np.minimum(source, frames - 1), BROW_SLICE]
    return clamp_pose(poses.astype(np.float32))
