"""A made-up teacher: fields of a drawing that turns its head, as a closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.support.composition import picture
from vtbridge.datatypes import F32Array, Picture
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.crops import FACE_CROP

SIDE = 512


def drawn_picture(seed: int = 0) -> Picture:
    """Return the picture that the teacher poses."""
    return replace(picture(seed=seed), digest=f"{seed:064x}")


def taught(rotation: F32Array, of: Picture, *, face: float = 0.0) -> FrameFields:
    """Return what the teacher says of a rotation; ``face`` lightens the posed face."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    head = 1 / (1 + np.exp((y - 230) / 12))
    move_x = (-14 * rotation[1] - 8 * rotation[0] * (y - 128) / 128) * head - 4 * rotation[3]
    move_y = (8 * rotation[0] + 10 * rotation[2] * (x - 256) / 128) * head - 3 * rotation[5]
    patch = np.hypot(x - 256 - 14 * rotation[1], y - 128) < 60
    alpha = patch * np.clip(0.3 * head * (1 + rotation[1] * np.sin(x / 20)), 0, 1)
    color = np.broadcast_to(0.4 * np.sin(x / 30 + rotation[1]), (4, SIDE, SIDE)).copy()
    color[3] = 1.0
    morphed = network_from_straight(of.rgba)
    crop = morphed[:, FACE_CROP.rows, FACE_CROP.columns]
    crop[:3] = np.clip(crop[:3] + face, -1, 1)
    return FrameFields(
        morphed=morphed,
        grid_change=np.stack([move_x, move_y]).astype(np.float32) / (SIDE / 2),
        alpha=np.repeat(alpha[None], 4, 0).astype(np.float32),
        color=color.astype(np.float32),
        face=crop.copy(),
    )
