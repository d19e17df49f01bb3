"""A contact sheet: for a few telling poses the teacher, the model, and eight times what differs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from vtbridge.atomic_file import write_atomically
from vtbridge.datatypes import PICTURE_SIZE, F32Array, U8Array
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.distill.evaluation import Render

GAIN: Final = 8
"""How much larger differences are shown than they are."""

_TELLING: Mapping[str, Mapping[PoseParam, float]] = MappingProxyType(
    {
        "as drawn": {},
        "speaking": {PoseParam.MOUTH_AAA: 1.0, PoseParam.HEAD_Y: 0.3, PoseParam.BODY_Y: 0.3},
        "blinking, nodding": {
            PoseParam.EYE_WINK_LEFT: 1.0,
            PoseParam.EYE_WINK_RIGHT: 1.0,
            PoseParam.HEAD_X: -0.6,
        },
        "turned to its right": {PoseParam.HEAD_Y: 0.9, PoseParam.BODY_Y: 0.9},
        "turned to its left": {
            PoseParam.HEAD_Y: -0.9,
            PoseParam.BODY_Y: -0.9,
            PoseParam.HEAD_X: 0.4,
            PoseParam.IRIS_ROTATION_Y: -0.8,
        },
        "leaning, laughing": {
            PoseParam.NECK_Z: 0.7,
            PoseParam.BODY_Z: 0.7,
            PoseParam.EYE_HAPPY_WINK_LEFT: 1.0,
            PoseParam.EYE_HAPPY_WINK_RIGHT: 1.0,
            PoseParam.MOUTH_AAA: 0.6,
            PoseParam.BREATHING: 1.0,
        },
    }
)
_TILE: Final = 320
_CAPTION: Final = 18
_GREY: Final = 127.5
_INK: Final = (235, 235, 235)


def telling_poses() -> Mapping[str, F32Array]:
    """Return the poses of a sheet by what they show, each float32 [45]."""
    poses = {}
    for name, values in _TELLING.items():
        pose = np.zeros(POSE_SIZE, np.float32)
        for param, value in values.items():
            pose[param] = value
        poses[name] = pose
    return poses


def write_sheet(path: Path, teacher: Sequence[U8Array], model: Render) -> None:
    """Write a sheet as PNG: a row for each of ``telling_poses``.

    Args:
        path: where to; whole or not at all.
        teacher: its frame of each pose, premultiplied sRGB, [512, 512, 4].
        model: draws the same.

    Raises:
        OSError: it cannot be written.
        ValueError: there is not one frame for each pose.
    """
    from PIL import Image, ImageDraw

    poses = telling_poses()
    height = (_TILE + _CAPTION) * len(poses)
    sheet = Image.new("RGB", (3 * _TILE, height), (40, 42, 48))
    pen = ImageDraw.Draw(sheet)
    for row, ((name, pose), right) in enumerate(zip(poses.items(), teacher, strict=True)):
        top = row * (_TILE + _CAPTION)
        shown = _over_grey(right), _over_grey(model(pose))
        captions = f"{name}: exact", "baked", f"difference x{GAIN}"
        tiles = (*shown, difference(*shown))
        for column, (caption, tile) in enumerate(zip(captions, tiles, strict=True)):
            left = column * _TILE
            pen.text((left + 4, top + 3), caption, fill=_INK)
            picture = Image.fromarray(np.rint(tile).astype(np.uint8))
            scaled = picture.resize((_TILE, _TILE), Image.Resampling.BOX)
            sheet.paste(scaled, (left, top + _CAPTION))
    content = io.BytesIO()
    sheet.save(content, format="PNG", optimize=True)
    write_atomically(path, content.getvalue())


def difference(one: F32Array, other: F32Array) -> F32Array:
    """Return ``GAIN`` times how far two pictures lie apart, both [H, W, 3] in 0..255."""
    shown: F32Array = np.clip(GAIN * np.abs(one - other), 0.0, 255.0)
    return shown


def _over_grey(frame: U8Array) -> F32Array:
    """Return what is seen over grey, [512, 512, 3], 0..255."""
    if frame.shape != (PICTURE_SIZE, PICTURE_SIZE, 4):
        raise ValueError(f"a frame of {frame.shape}, not {PICTURE_SIZE} pixels square")
    clear = 1 - frame[..., 3:].astype(np.float32) / np.float32(255)
    seen: F32Array = np.clip(frame[..., :3] + np.float32(_GREY) * clear, 0.0, 255.0)
    return seen
