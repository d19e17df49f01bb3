"""The character stands in the middle of the lower edge, as large as fits."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.shown_avatar import drawing
from vtbridge.publish.fitting import Place, fitted, place_in


@pytest.mark.parametrize(
    ("size", "shown"), [((64, 32), (0, 32, 64, 64)), ((32, 64), (16, 0, 48, 64))]
)
def test_other_size_fits_in_and_stands_on_the_lower_edge(
    size: tuple[int, int], shown: tuple[int, int, int, int]
) -> None:
    width, height = size
    picture = fitted(np.full((height, width, 4), 200, np.uint8), 64, 64)
    left, top, right, bottom = shown
    assert (picture[top:bottom, left:right] == 200).all()
    assert int((picture > 0).sum()) == 4 * (right - left) * (bottom - top)


def test_same_size_is_taken_as_it_is() -> None:
    pixels = drawing(1)
    assert fitted(pixels, 64, 64) is pixels


@pytest.mark.parametrize("found", [(1, 4096), (4096, 1), (3, 7)])
def test_place_is_never_empty_nor_beyond_the_picture(found: tuple[int, int]) -> None:
    place = place_in(found, 64, 48)
    assert place.width >= 1
    assert place.height >= 1
    assert place.left >= 0
    assert place.top >= 0
    assert place.left + place.width <= 64
    assert place.top + place.height == 48


def test_wide_background_has_room_on_both_sides() -> None:
    assert place_in((512, 512), 1280, 720) == Place(280, 0, 720, 720)
