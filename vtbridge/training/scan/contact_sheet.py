"""Every model in the poses that a data set needs, many on a page, to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.sources.subject import Source, Subject

SIZE: Final = 192
ROWS: Final = 8
"""Models a page."""
_LINE: Final = 18
_BACKGROUND: Final = (226, 228, 233)
_INK: Final = (40, 44, 52)
_BOX: Final = (220, 60, 60)

_POSES: Final[tuple[tuple[str, dict[PoseParam, float]], ...]] = (
    ("rest", {}),
    ("left eye", {PoseParam.EYE_WINK_LEFT: 1}),
    ("right eye", {PoseParam.EYE_WINK_RIGHT: 1}),
    ("mouth", {PoseParam.MOUTH_AAA: 1}),
    ("turned", {PoseParam.HEAD_X: 0.6, PoseParam.HEAD_Y: 1, PoseParam.NECK_Z: 0.4}),
)


def write_sheets(source: Source, names: Iterable[str], folder: Path) -> Iterator[Path]:
    """Draw models and yield each page that is written: ``sheet-01.png``, ...

    One that cannot be drawn is there with the reason.
    """
    rows: list[U8Array] = []
    page = 0
    for name in names:
        rows.append(_row(source, name))
        if len(rows) == ROWS:
            page += 1
            yield _saved(rows, folder, page)
            rows = []
    if rows:
        yield _saved(rows, folder, page + 1)


def poses() -> list[tuple[str, F32Array]]:
    """Return the poses of a row with their names, each float32 [45]."""
    each = []
    for what, values in _POSES:
        pose = np.zeros(POSE_SIZE, np.float32)
        for param, value in values.items():
            pose[param] = value
        each.append((what, pose))
    return each


def _row(source: Source, name: str) -> U8Array:
    picture = Image.new("RGB", (SIZE * len(_POSES), SIZE + _LINE), _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    pen.text((6, SIZE + 3), name, fill=_INK)
    try:
        subject = source.open(name)
        for column, (what, pose) in enumerate(poses()):
            picture.paste(_cell(subject, pose), (column * SIZE, 0))
            pen.text((column * SIZE + 6, 4), what, fill=_INK)
    except DatasetError as error:
        pen.text((6, SIZE // 2), str(error)[:140], fill=_BOX)
    box = (SIZE // 4, SIZE // 4, SIZE * 3 // 4 - 1, SIZE * 3 // 4 - 1)
    pen.rectangle(box, outline=_BOX)
    return np.asarray(picture, np.uint8)


def _cell(subject: Subject, pose: F32Array) -> Image.Image:
    drawn = Image.fromarray(subject.draw(pose, size=SIZE))
    over = Image.new("RGBA", drawn.size, (*_BACKGROUND, 255))
    return Image.alpha_composite(over, drawn).convert("RGB")


def _saved(rows: list[U8Array], folder: Path, page: int) -> Path:
    path = folder / f"sheet-{page:02d}.png"
    Image.fromarray(np.concatenate(rows, axis=0)).save(path)
    return path
