"""Poses out of any file that keeps them, or the faces behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vtbridge.app.recorded_settings import config_of_recording
from vtbridge.app.replay import calibrated_retargeter, moments, poses_at_beat, seed_of_recording
from vtbridge.config.schema import Config
from vtbridge.datatypes import F32Array
from vtbridge.errors import ConfigError
from vtbridge.expressions.idle import IdleMotion
from vtbridge.render.pose_file import read_poses
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.recordings.open import Recording, open_recording

_POSE_FILES = (".json", ".json.gz")


def recorded_poses(path: Path, fps: float) -> F32Array:
    """Return the poses that ``path`` holds, float32 [N, 45], N >= 1.

    Args:
        path: a list of poses, ``.json`` or ``.json.gz``; else a recording of trackers, whose
            faces become poses as live ones do, with the settings that it keeps.
        fps: poses a second of a recording's; a list is taken as it is.

    Raises:
        ConfigError: it cannot be read, or holds no pose.
        VtbridgeError: a recording is damaged.
    """
    if path.name.lower().endswith(_POSE_FILES):
        return read_poses(path)
    return poses_of_recording(open_recording(path), fps)


def poses_of_recording(recording: Recording, fps: float) -> F32Array:
    """Return the poses of a recording's beats, ``fps`` a second, float32 [N, 45], N >= 1.

    Raises:
        ConfigError: it holds none, or this vtbridge cannot use its settings.
        VtbridgeError: it is damaged.
    """
    settings, telemetry = config_of_recording(recording, Config()), Telemetry()
    retargeter = calibrated_retargeter(recording, settings, telemetry)
    idle = IdleMotion(settings.idle, seed=seed_of_recording(recording))
    arrivals = moments(recording, settings.tracking, telemetry)
    poses = [timed.pose.values for timed in poses_at_beat(arrivals, retargeter, idle, fps)]
    if not poses:
        raise ConfigError(f"{recording.path} holds no poses; record it again")
    return np.stack(poses)
