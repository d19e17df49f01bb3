"""Flicker: what moves faster in a model's frames than in the teacher's, along a smooth path.

Frames are compared over grey inside the box of all that is visible on the path. Along a path
whose poses change slowly, the second difference in time ``f[t-1] - 2 f[t] + f[t+1]`` leaves
next to nothing of steady motion and four times of what alternates from frame to frame: a
high-pass of response ``4 sin^2(w / 2)``. Its root mean square is the energy that the eye takes
for flicker.

It is like the warping error of Lai et al. 2018 ("Learning Blind Video Temporal Consistency")
and others, which compare a frame with its neighbour carried along the optical flow; here the
teacher's frames of the very same poses take the place of the flow, which is exact and needs no
estimate. Three numbers come of it: the teacher's energy, the model's, and that of their
difference, which tells what the model adds also where the teacher itself moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from vtbridge.datatypes import F32Array, U8Array, clamp_pose
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.distill.evaluation import Render

FPS: Final = 60.0
"""Frames a second of the paths."""

_GREY = np.float32(127.5)


@dataclass(frozen=True, slots=True)
class Flicker:
    """Energies along one path, root mean square in levels of 255.

    Attributes:
        teacher: of the teacher's frames.
        model: of the model's.
        added: of their difference.
    """

    teacher: float
    model: float
    added: float

    @property
    def ratio(self) -> float:
        """The model's to the teacher's; 1 is as steady as the teacher, 0 / 0 is 1."""
        if self.teacher > 0.0:
            return self.model / self.teacher
        return 1.0 if self.model == 0.0 else float("inf")


def measure_flicker(
    path: F32Array,
    teacher: Render,
    model: Render,
    advanced: Callable[[int], None] = lambda frames: None,
) -> Flicker:
    """Return how much the frames of ``model`` flicker along ``path``, [n, 45], n >= 3.

    Args:
        path: poses, one a frame.
        teacher: draws what is right.
        model: draws what is judged.
        advanced: told the number of frames done.

    Raises:
        InferenceError: one of them failed.
        ValueError: the path is too short.
    """
    if len(path) < 3:
        raise ValueError(f"a path of {len(path)} poses; 3 are the least")
    energies = np.zeros(3, np.float64)
    latest: deque[tuple[F32Array, F32Array]] = deque(maxlen=3)
    seen = np.zeros((0, 0), bool)
    for done, pose in enumerate(path, 1):
        # Copies, for both may be one poser that draws into its own frame.
        right, drawn = teacher(pose).copy(), model(pose).copy()
        visible = (right[..., 3] > 0) | (drawn[..., 3] > 0)
        seen = seen | visible if seen.size else visible
        latest.append((_over_grey(right), _over_grey(drawn)))
        if len(latest) == 3:
            of_teacher, of_model = (
                before - 2 * now + after for before, now, after in zip(*latest, strict=True)
            )
            seconds = of_teacher, of_model, of_model - of_teacher
            energies += [float(np.square(each, dtype=np.float64).sum()) for each in seconds]
        advanced(done)
    # Outside the box all is grey at all times and adds nothing, so it is divided by afterwards.
    counted = max(_box_area(seen), 1) * 3 * (len(path) - 2)
    teacher_energy, model_energy, added = np.sqrt(energies / counted)
    return Flicker(float(teacher_energy), float(model_energy), float(added))


def paths(seconds: float = 1.5) -> Mapping[str, F32Array]:
    """Return three smooth paths of ``seconds``, poses at ``FPS``: head sweep, speech, idle."""
    t = np.arange(round(seconds * FPS)) / FPS
    return MappingProxyType({"head sweep": _head_sweep(t), "speech": _speech(t), "idle": _idle(t)})


_Times = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def _wave(t: _Times, hertz: float, phase: float = 0.0) -> _Times:
    return np.sin(2.0 * np.pi * (hertz * t + phase))


def _rise(t: _Times, hertz: float, phase: float = 0.0) -> _Times:
    """Return a wave from 0 to 1."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * (hertz * t + phase))


def _path(t: _Times, values: Mapping[PoseParam, _Times]) -> F32Array:
    poses = np.zeros((len(t), POSE_SIZE), np.float32)
    for param, value in values.items():
        poses[:, param] = value
    poses[:, PoseParam.BREATHING] = _rise(t, 0.25)
    return clamp_pose(poses)


def _head_sweep(t: _Times) -> F32Array:
    turn, tilt = 0.9 * _wave(t, 0.5), 0.5 * _wave(t, 0.35, 0.1)
    return _path(
        t,
        {
            PoseParam.HEAD_Y: turn,
            PoseParam.BODY_Y: turn,
            PoseParam.HEAD_X: 0.6 * _wave(t, 0.4, 0.25),
            PoseParam.NECK_Z: tilt,
            PoseParam.BODY_Z: tilt,
        },
    )


def _speech(t: _Times) -> F32Array:
    nod = 0.12 * _wave(t, 0.8)
    return _path(
        t,
        {
            PoseParam.MOUTH_AAA: 0.8 * _rise(t, 2.5),
            PoseParam.MOUTH_OOO: 0.6 * _rise(t, 1.7, 0.3),
            PoseParam.MOUTH_EEE: 0.4 * _rise(t, 1.1, 0.6),
            PoseParam.EYE_WINK_LEFT: _rise(t, 0.9, 0.2) ** 4,
            PoseParam.EYE_WINK_RIGHT: _rise(t, 0.9, 0.2) ** 4,
            PoseParam.EYEBROW_RAISED_LEFT: 0.5 * _rise(t, 0.6),
            PoseParam.EYEBROW_RAISED_RIGHT: 0.5 * _rise(t, 0.6),
            PoseParam.HEAD_X: nod,
        },
    )


def _idle(t: _Times) -> F32Array:
    sway = 0.08 * _wave(t, 0.2, 0.2)
    return _path(
        t,
        {
            PoseParam.HEAD_Y: sway,
            PoseParam.BODY_Y: sway,
            PoseParam.HEAD_X: 0.05 * _wave(t, 0.3),
            PoseParam.IRIS_ROTATION_Y: 0.2 * _wave(t, 0.25),
        },
    )


def _over_grey(frame: U8Array) -> F32Array:
    clear = 1 - frame[..., 3:].astype(np.float32) / np.float32(255)
    return frame[..., :3] + _GREY * clear


def _box_area(seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int:
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return 0
    return int((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1))
