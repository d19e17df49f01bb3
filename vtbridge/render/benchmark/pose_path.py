"""A made-up performance for benchmarks without a recording."""

from __future__ import annotations

import numpy as np

from vtbridge.datatypes import F32Array, clamp_pose
from vtbridge.pose_params import BROW_SLICE, POSE_SIZE

FPS = 20.0
"""Frames a second of the performance, as of the recording it imitates."""

_SEED = 3
_BROW_HOLD_FRAMES = 8
_BROW_MOVE_FRAMES = 17


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
