"""Every model in the poses that a data set needs, many on a page, to look at."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from vtbridge.atomic_file import write_atomically
from vtbridge.datatypes import F32Array
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.training.sources.subject import Subject

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw as Pen

SIZE: Final = 192
"""Side of a picture: of the 256 of version 1, three quarters."""
ROWS: Final = 8
"""Models a page."""
LINE: Final = 18
"""Height of what is written under a row."""
_BACKGROUND: Final = (226, 228, 233)
_INK: Final = (40, 44, 52)
_BOX: Final = (220, 60, 60)
_WIDEST: Final = 150
_PAGE: Final = re.compile(r"sheet-[0-9]+\.png")

_POSES: Final[tuple[tuple[str, dict[PoseParam, float]], ...]] = (
    ("rest", {}),
    ("left eye", {PoseParam.EYE_WINK_LEFT: 1}),
    ("right eye", {PoseParam.EYE_WINK_RIGHT: 1}),
    ("mouth", {PoseParam.MOUTH_AAA: 1}),
    ("turned", {PoseParam.HEAD_X: 0.6, PoseParam.HEAD_Y: 1, PoseParam.NECK_Z: 0.4}),
)
WIDTH: Final = SIZE * len(_POSES)


@dataclass(frozen=True, slots=True)
class Row:
    """One model on a page.

    Attributes:
        picture: file of its row of pictures; one that is not there is left empty.
        caption: what is written under it.
        warning: what is written on it where there is no picture.
    """

    picture: Path
    caption: str
    warning: str = ""


def poses() -> list[tuple[str, F32Array]]:
    """Return the poses of a row with their names, each float32 [45]."""
    each = []
    for what, values in _POSES:
        pose = np.zeros(POSE_SIZE, np.float32)
        for param, value in values.items():
            pose[param] = value
        each.append((what, pose))
    return each


def row_of(subject: Subject) -> bytes:
    """Return a PNG of ``subject`` in all poses, each with the square that its head should fill.

    Raises:
        DatasetError: it cannot be drawn.
    """
    row = Image.new("RGBA", (WIDTH, SIZE), _BACKGROUND)
    pen = ImageDraw.Draw(row)
    for column, (what, pose) in enumerate(poses()):
        left = column * SIZE
        row.alpha_composite(Image.fromarray(subject.draw(pose, size=SIZE)), (left, 0))
        first, last = SIZE // 4, SIZE * 3 // 4 - 1
        pen.rectangle((left + first, first, left + last, last), outline=_BOX)
        pen.text((left + 6, 4), what, fill=_INK)
    return _png(row.convert("RGB"))


def write_sheets(
    rows: Sequence[Row], folder: Path, told: Callable[[int, int], None] = lambda done, total: None
) -> list[Path]:
    """Write ``sheet-01.png``, ... into ``folder`` and remove pages of an earlier, longer one.

    Args:
        rows: in order.
        folder: that gets the pages.
        told: hears how many models are on a page, and of how many.

    Returns:
        The pages that were written.

    Raises:
        OSError: one cannot be written.
    """
    total = -(-len(rows) // ROWS)
    digits = max(len(str(total)), 2)
    pages = []
    for page in range(total):
        chosen = rows[page * ROWS : (page + 1) * ROWS]
        path = folder / f"sheet-{page + 1:0{digits}d}.png"
        write_atomically(path, _png(_page(chosen)))
        pages.append(path)
        told(min((page + 1) * ROWS, len(rows)), len(rows))
    for path in folder.iterdir():
        if _PAGE.fullmatch(path.name) and path not in pages:
            path.unlink(missing_ok=True)
    return pages


def _page(rows: Sequence[Row]) -> Image.Image:
    page = Image.new("RGB", (WIDTH, (SIZE + LINE) * len(rows)), _BACKGROUND)
    pen = ImageDraw.Draw(page)
    for place, row in enumerate(rows):
        top = place * (SIZE + LINE)
        try:
            with Image.open(row.picture, formats=("PNG",)) as picture:
                page.paste(picture.convert("RGB"), (0, top))
        except OSError:  # it could not be drawn, or somebody took it away
            _write(pen, (6, top + SIZE // 2), row.warning or "there is no picture of it", _BOX)
        _write(pen, (6, top + SIZE + 3), row.caption, _INK)
    return page


def _write(pen: Pen, at: tuple[int, int], text: str, color: tuple[int, int, int]) -> None:
    """Write a line in what Pillow's own font has, which is no kanji."""
    latin = text.encode("ascii", "replace").decode().replace("\n", " ")
    pen.text(at, latin[:_WIDEST], fill=color)


def _png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, format="PNG", compress_level=4)
    return content.getvalue()
