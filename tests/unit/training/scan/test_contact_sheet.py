from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import PoseParam
from vtbridge.training.scan.contact_sheet import (
    LINE,
    ROWS,
    SIZE,
    WIDTH,
    Row,
    poses,
    row_of,
    write_sheets,
)
from vtbridge.training.sources.subject import Light

GREEN = (0, 200, 0)
RED = (220, 60, 60)


class Square:
    """A green square in the middle, brighter when it is turned."""

    name = work = "square"
    shows = frozenset(PoseParam)

    def draw(self, pose: F32Array, *, size: int = 256, light: Light | None = None) -> U8Array:
        picture = np.zeros((size, size, 4), np.uint8)
        value = 250 if pose[PoseParam.HEAD_Y] else GREEN[1]
        picture[size // 3 : -size // 3, size // 3 : -size // 3] = (0, value, 0, 255)
        return picture


class Undrawable(Square):
    def draw(self, pose: F32Array, *, size: int = 256, light: Light | None = None) -> U8Array:
        raise DatasetError("no OpenGL")


def picture_of(content: bytes) -> U8Array:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def page(path: Path) -> U8Array:
    return picture_of(path.read_bytes())


def rows(folder: Path, count: int) -> list[Row]:
    """Return rows, each of one grey that tells its number."""
    made = []
    for number in range(count):
        path = folder / f"{number}.png"
        Image.new("RGB", (WIDTH, SIZE), (10 * number,) * 3).save(path)
        made.append(Row(path, f"model {number}"))
    return made


def ink(strip: U8Array) -> int:
    return int((strip != strip[-1, -1]).any(axis=2).sum())


def test_a_row_shows_each_pose_within_the_square_of_the_head() -> None:
    row = picture_of(row_of(Square()))
    assert row.shape == (SIZE, WIDTH, 3)
    for column, (what, _) in enumerate(poses()):
        cell = row[:, column * SIZE : (column + 1) * SIZE]
        green = 250 if what == "turned" else GREEN[1]
        assert tuple(cell[SIZE // 2, SIZE // 2]) == (0, green, 0)
        # 128 of 256, from the 64th pixel to the 191st.
        first, last = 64 * SIZE // 256, 192 * SIZE // 256 - 1
        for edge in (cell[first, first:last], cell[first:last, last], cell[last, first:last]):
            assert (edge == RED).all()
        assert ink(cell[: LINE - 2, : SIZE // 2]) > 20  # the pose's name


def test_the_poses_are_those_that_version_1_needs() -> None:
    moved = {what: set(map(PoseParam, np.flatnonzero(pose).tolist())) for what, pose in poses()}
    assert moved == {
        "rest": set(),
        "left eye": {PoseParam.EYE_WINK_LEFT},
        "right eye": {PoseParam.EYE_WINK_RIGHT},
        "mouth": {PoseParam.MOUTH_AAA},
        "turned": {PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.NECK_Z},
    }


def test_what_cannot_be_drawn_says_so() -> None:
    with pytest.raises(DatasetError, match="no OpenGL"):
        row_of(Undrawable())


def test_every_model_is_on_a_page_in_order(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    made = rows(tmp_path, ROWS + 3)
    pages = write_sheets(made, tmp_path, lambda done, total: heard.append((done, total)))
    assert [path.name for path in pages] == ["sheet-01.png", "sheet-02.png"]
    first, second = map(page, pages)
    assert first.shape == (ROWS * (SIZE + LINE), WIDTH, 3)
    assert second.shape == (3 * (SIZE + LINE), WIDTH, 3)
    both = np.concatenate([first, second])
    for number in range(ROWS + 3):
        top = number * (SIZE + LINE)
        assert (both[top : top + SIZE] == 10 * number).all()
        assert ink(both[top + SIZE : top + SIZE + LINE]) > 20  # its name
    assert heard == [(ROWS, ROWS + 3), (ROWS + 3, ROWS + 3)]


def test_a_shorter_sheet_leaves_no_pages_of_a_longer_one(tmp_path: Path) -> None:
    made = rows(tmp_path, ROWS + 1)
    write_sheets(made, tmp_path)
    (tmp_path / "sheet-of-mine.png").write_bytes(b"mine")
    write_sheets(made[:2], tmp_path)
    assert sorted(path.name for path in tmp_path.glob("sheet*")) == [
        "sheet-01.png",
        "sheet-of-mine.png",
    ]
    assert write_sheets([], tmp_path) == []
    assert not (tmp_path / "sheet-01.png").exists()


def test_a_model_without_a_picture_has_its_reason_there(tmp_path: Path) -> None:
    (made,) = rows(tmp_path, 1)
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"no picture")
    missing = Row(tmp_path / "none.png", "初音: cannot be drawn", "no OpenGL, 初音\nat all")
    (sheet,) = write_sheets([missing, made, Row(damaged, "x")], tmp_path)
    cells = page(sheet)
    assert ink(cells[:SIZE]) > 100
    assert (cells[SIZE + LINE : 2 * SIZE + LINE] == 0).all()
    assert ink(cells[2 * (SIZE + LINE) : 3 * SIZE + 2 * LINE]) > 100
