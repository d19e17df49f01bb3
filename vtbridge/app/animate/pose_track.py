"""Between the passes: from the faces of a whole video to the character's poses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vtbridge.app.animate.resting_face import resting_face
from vtbridge.app.animate.smooth import bridged, zero_phase
from vtbridge.clock import NS_PER_S
from vtbridge.config.schema import Config
from vtbridge.datatypes import F32Array, FaceFrame, Pose, clamp_pose
from vtbridge.expressions.idle import IdleMotion
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import FilterSettings, RetargetSettings, SmoothingSettings

IDLE_SEED = 3
"""Of blinks and glances while no face is seen: the same in every run."""

_BEGIN_NS = 60 * NS_PER_S
"""When the video begins, on the retargeter's clock; before lies what prepares it."""
_LEAD_IN_STEP_NS = NS_PER_S // 30
_FASTEST = 1000.0
_CROSSING_NS = round(2 / _FASTEST * NS_PER_S)
"""Even the fastest change takes time: this much from -1 to 1."""
_QUICK = FilterSettings(min_cutoff_hz=1000, beta=0, speed_cutoff_hz=1000, max_speed=_FASTEST)


@dataclass(frozen=True, slots=True, eq=False)
class PoseTrack:
    """One pose for each picture.

    Attributes:
        values: float32 [N, 45], in the ranges of ``PoseParam``.
        t_ns: int64 [N], strictly rising, of the source video.
    """

    values: F32Array
    t_ns: NDArray[np.int64]


def pose_track(faces: Iterable[FaceFrame], config: Config, *, calibrate: bool = True) -> PoseTrack:
    """Return the poses of a video's faces; the same faces give the same poses.

    Args:
        faces: one of each picture, strictly rising in time; iterated twice.
        config: its tables ``retarget`` and ``idle`` count.
        calibrate: measure from the face that the video comes back to.
    """
    poses, known = _raw_poses(faces, config.retarget, calibrate=calibrate)
    t_ns = np.array([pose.t_ns for pose in poses], np.int64)
    values = np.stack([pose.values for pose in poses]).astype(np.float64)
    values = bridged(values, known, t_ns, config.retarget.dropout.hold_s)
    if config.retarget.preset != "reference":
        values = zero_phase(values, t_ns, config.retarget.smoothing)
    idle = IdleMotion(config.idle, seed=IDLE_SEED)
    shown = []
    for pose, row in zip(poses, values, strict=True):
        # Each shape is smoothed by its own speed; together they must not more than close an eye.
        driven = clamp_pose(pose.schema.share_lids(row).astype(np.float32))
        shown.append(idle.apply(replace(pose, values=driven), pose.t_ns).values)
    return PoseTrack(np.stack(shown), t_ns)


def _raw_poses(
    faces: Iterable[FaceFrame], settings: RetargetSettings, *, calibrate: bool
) -> tuple[list[Pose], NDArray[np.bool_]]:
    """Return the unsmoothed pose of each face, dated by its picture, and which were tracked."""
    retargeter = Retargeter(settings.model_copy(update={"smoothing": _unsmoothed()}))
    if calibrate and (neutral := resting_face(faces)) is not None:
        retargeter.calibrate()
        for face in _repeated(neutral, 0, settings.calibration.window_s + 0.2):
            retargeter.feed(face)
    poses: list[Pose] = []
    known: list[bool] = []
    for face in faces:
        now_ns = _BEGIN_NS + face.t_ns
        if not poses and face.tracked:
            # The character is there from the first picture on, not faded in.
            ready_s = settings.dropout.recover_s + settings.calibration.blend_s + 0.2
            for before in _repeated(face, now_ns - round(ready_s * NS_PER_S), ready_s):
                retargeter.feed(before)
                retargeter.pose_at(before.t_ns)
        retargeter.feed(replace(face, t_ns=now_ns))
        pose = retargeter.pose_at(now_ns + _CROSSING_NS)
        poses.append(replace(pose, t_ns=face.t_ns))
        known.append(face.tracked)
    return poses, np.array(known)


def _repeated(face: FaceFrame, start_ns: int, length_s: float) -> Iterator[FaceFrame]:
    for at_ns in range(start_ns, start_ns + round(length_s * NS_PER_S), _LEAD_IN_STEP_NS):
        yield replace(face, t_ns=at_ns)


def _unsmoothed() -> SmoothingSettings:
    return SmoothingSettings(
        brows=_QUICK,
        eyes=_QUICK,
        mouth=_QUICK,
        gaze=_QUICK,
        head=_QUICK,
        body=_QUICK,
        blink_hold_s=0.0,
    )
