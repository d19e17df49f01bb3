"""The built-in performance as poses: a recording that is the same on every machine."""

from __future__ import annotations

import numpy as np

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import F32Array
from vtbridge.expressions.idle import IdleMotion
from vtbridge.expressions.settings import IdleSettings
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.tracking.senders.performance import PERIOD_S, face_at

_FACES_PER_S = 60
_SETTLE_S = 2.0
_IDLE_SEED = 0


def performed_poses(fps: int, seconds: float = PERIOD_S) -> F32Array:
    """Return the poses that the performance leads to with the default settings.

    The faces come at a phone's rate and go through retargeting, smoothing and breathing as
    live ones do.

    Args:
        fps: poses a second; divides 60.
        seconds: how much of the performance, which loops.

    Returns:
        float32 [fps * seconds, 45].

    Raises:
        ValueError: ``fps`` does not divide 60.
    """
    if _FACES_PER_S % fps:
        raise ValueError(f"{fps} poses a second do not divide {_FACES_PER_S} faces a second")
    retargeter = Retargeter(RetargetSettings())
    idle = IdleMotion(IdleSettings(), seed=_IDLE_SEED)
    settle = round(_SETTLE_S * _FACES_PER_S)  # what fades a newly seen face in is not performed
    poses = []
    for index in range(-settle, round(seconds * _FACES_PER_S)):
        now_ns = (index + settle + _FACES_PER_S) * NS_PER_S // _FACES_PER_S
        retargeter.feed(face_at(index / _FACES_PER_S % PERIOD_S, now_ns))
        pose = idle.apply(retargeter.pose_at(now_ns), now_ns)
        if index >= 0 and index % (_FACES_PER_S // fps) == 0:
            poses.append(pose.values)
    return np.stack(poses)
