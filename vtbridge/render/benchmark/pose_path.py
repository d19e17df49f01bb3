"""Poses for benchmarks: excerpts of a recording, or a made-up performance."""

from __future__ import annotations

import numpy as np

from vtbridge.datatypes import F32Array, clamp_pose
from vtbridge.pose_params import BROW_SLICE, POSE_SIZE

FPS = 20.0
"""Frames a second of the performance, as of the recording it imitates."""

_SEED = 3
_EXCERPT_FRAMES = 10
_BROW_HOLD_FRAMES = 8
_BROW_MOVE_FRAMES = 17


def excerpts(poses: F32Array, frames: int) -> F32Array:
    """Return ``frames`` poses out of a recording, in runs of neighbours from all over it.

    Neighbours, because what did not change is not computed again; from all over, because
    a person who sits still for the first seconds would make any poser look fast.

    Args:
        poses: float32 [N, 45]; a shorter recording starts over.
        frames: how many are wanted.

    Returns:
        float32 [frames, 45].
    """
    runs = -(-frames // _EXCERPT_FRAMES)
    starts = np.linspace(0, max(0, len(poses) - _EXCERPT_FRAMES), runs).astype(int)
    indices = (starts[:, None] + np.arange(_EXCERPT_FRAMES)).reshape(-1)[:frames]
    chosen: F32Array = poses[indices % len(poses)]
    return chosen


def smooth_pose_path(frames: int) -> F32Array:
    """Return ``frames`` poses in which everything moves as a talking face does.

    Each parameter follows two slow waves of its own. The brows rest for a third of the
    time, as those of a recorded person do, because what rests is not computed.

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
