"""The test card: a picture made from numbers and two poses, the same on every machine.

Only additions, products and comparisons make the picture, which IEEE 754 rounds the same
everywhere; so a stored answer to it stays valid without a picture being shipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtbridge.datatypes import PICTURE_SIZE, F32Array, read_only
from vtbridge.pose_params import POSE_SIZE, PoseParam

CARD_REVISION = 1
"""Raised when picture or poses change; older answers are then made anew."""


@dataclass(frozen=True, slots=True)
class _Disc:
    """An ellipse in pixels and its colour, linear light 0..1."""

    x: float
    y: float
    half_width: float
    half_height: float
    color: tuple[float, float, float]


# A doll that the networks take for a character: long hair, a face where THA3 wants one,
# shoulders. No colour repeats a channel, so that swapped channels are noticed everywhere.
_DISCS = (
    _Disc(256, 170, 92, 130, (0.35, 0.12, 0.05)),
    _Disc(256, 480, 130, 190, (0.08, 0.16, 0.45)),
    _Disc(256, 250, 26, 60, (0.80, 0.52, 0.40)),
    _Disc(256, 140, 62, 70, (0.90, 0.60, 0.46)),
    _Disc(230, 112, 17, 3, (0.20, 0.08, 0.03)),
    _Disc(282, 112, 17, 3, (0.20, 0.08, 0.03)),
    _Disc(230, 138, 16, 15, (0.95, 0.90, 0.85)),
    _Disc(282, 138, 16, 15, (0.95, 0.90, 0.85)),
    _Disc(231, 139, 10, 13, (0.10, 0.30, 0.55)),
    _Disc(281, 139, 10, 13, (0.10, 0.30, 0.55)),
    _Disc(231, 139, 4, 6, (0.01, 0.02, 0.04)),
    _Disc(281, 139, 4, 6, (0.01, 0.02, 0.04)),
    _Disc(256, 181, 13, 3, (0.60, 0.12, 0.14)),
    _Disc(256, 62, 74, 36, (0.42, 0.16, 0.06)),
)

_POSES: tuple[dict[PoseParam, float], ...] = (
    {
        PoseParam.EYEBROW_RAISED_LEFT: 0.8,
        PoseParam.EYEBROW_ANGRY_RIGHT: 0.6,
        PoseParam.EYE_WINK_LEFT: 0.5,
        PoseParam.MOUTH_AAA: 0.7,
        PoseParam.IRIS_ROTATION_X: 0.4,
        PoseParam.HEAD_X: 0.4,
        PoseParam.HEAD_Y: 0.7,
        PoseParam.NECK_Z: -0.6,
        PoseParam.BODY_Y: 0.5,
    },
    {
        PoseParam.EYEBROW_TROUBLED_LEFT: 0.7,
        PoseParam.EYEBROW_LOWERED_RIGHT: 0.9,
        PoseParam.EYE_HAPPY_WINK_RIGHT: 0.8,
        PoseParam.MOUTH_OOO: 0.6,
        PoseParam.MOUTH_SMIRK: 0.5,
        PoseParam.IRIS_ROTATION_Y: -0.5,
        PoseParam.HEAD_X: -0.5,
        PoseParam.HEAD_Y: -0.4,
        PoseParam.NECK_Z: 0.7,
        PoseParam.BODY_Z: -0.6,
        PoseParam.BREATHING: 1.0,
    },
)

POSES = len(_POSES)
"""Poses of the card; all parts of one differ from those of the other."""


def card_picture() -> F32Array:
    """Return the picture as the networks see it, float32 [1, 4, 512, 512], -1..1, read-only."""
    centres = np.arange(PICTURE_SIZE, dtype=np.float32) + np.float32(0.5)
    planes = np.zeros((4, PICTURE_SIZE, PICTURE_SIZE), np.float32)
    for disc in _DISCS:
        across = (centres - disc.x) / np.float32(disc.half_width)
        down = (centres - disc.y) / np.float32(disc.half_height)
        beyond = (across * across)[None, :] + (down * down)[:, None] - np.float32(1)
        # About one pixel of smooth edge.
        cover = np.clip(0.5 - beyond * (0.5 * min(disc.half_width, disc.half_height)), 0, 1)
        for plane, value in zip(planes, (*disc.color, 1.0), strict=True):
            plane += cover * (np.float32(value) - plane)
    visible = planes[3] > 0
    planes[:3] = np.divide(planes[:3], planes[3], out=np.zeros_like(planes[:3]), where=visible)
    return read_only((planes * 2 - 1)[None])


def card_pose(index: int) -> F32Array:
    """Return one of the ``POSES``, float32 [45]."""
    values = np.zeros(POSE_SIZE, np.float32)
    for param, value in _POSES[index].items():
        values[param] = value
    return values
