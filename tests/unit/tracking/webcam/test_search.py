"""A lost face is looked for everywhere, the likely places first, at a bounded price."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.tracking.webcam.region import Region, whole_picture
from vtbridge.tracking.webcam.search import Search, enlarged_parts


def blank(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (640, 480), (360, 640), (1920, 1080)])
def test_parts_cover_the_picture_and_leave_no_face_cut_in_two(width: int, height: int) -> None:
    longer = max(width, height)
    parts = [part for part in enlarged_parts(blank(width, height)) if part.side == longer / 2]
    face = longer * 0.09
    for x in np.linspace(face / 2, width - face / 2, 23):
        for y in np.linspace(face / 2, height - face / 2, 23):
            assert any(
                abs(part.x - x) + face / 2 <= part.side / 2 + 1e-6
                and abs(part.y - y) + face / 2 <= part.side / 2 + 1e-6
                for part in parts
            ), (x, y)


@pytest.mark.parametrize(
    ("width", "height", "sides"),
    [(320, 240, []), (640, 480, [320]), (1280, 720, [640, 320]), (3840, 2160, [1920, 960])],
)
def test_parts_too_small_to_hold_a_face_are_not_looked_at(
    width: int, height: int, sides: list[int]
) -> None:
    parts = enlarged_parts(blank(width, height))
    assert sorted({part.side for part in parts}, reverse=True) == sides
    assert len(parts) <= 40


def test_picture_without_parts_is_searched_whole() -> None:
    picture, search = blank(320, 240), Search()
    assert search.windows(picture) == search.windows(picture) == [whole_picture(picture)]


def test_middle_comes_first() -> None:
    parts = enlarged_parts(blank(640, 360))
    assert parts[0].x == 320


def test_each_picture_costs_three_looks_and_in_turn_all_parts_are_seen() -> None:
    picture = blank(1280, 720)
    parts = enlarged_parts(picture)
    search, seen = Search(), []
    for _ in range(0, len(parts), 2):
        whole, *chosen = search.windows(picture)
        assert whole == whole_picture(picture)
        assert len(chosen) == 2
        seen += chosen
    assert seen[: len(parts)] == parts


def test_where_the_face_was_is_looked_at_first() -> None:
    picture, search = blank(640, 480), Search()
    search.windows(picture)
    search.lost_at(Region(500, 100, 50, 0.3))
    assert search.windows(picture)[1:] == [Region(500, 100, 100), enlarged_parts(picture)[0]]
    assert search.windows(picture)[1:] == enlarged_parts(picture)[1:3]
    search.reset()
    assert search.windows(picture)[1] == enlarged_parts(picture)[0]
