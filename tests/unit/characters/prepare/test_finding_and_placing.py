"""A face is found wherever it is drawn, and comes to lie where the networks expect it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.drawings import builtin, moved
from vtbridge.characters import check_picture
from vtbridge.characters.picture import picture_of
from vtbridge.characters.prepare.face import HeadBox, find_face
from vtbridge.characters.prepare.placement import place


@pytest.mark.parametrize(
    ("name", "scale", "x", "y", "size"),
    [
        ("michi", 1.6, 300, 150, (1500, 1000)),
        ("sumi", 0.6, 20, 90, (420, 400)),
        ("ren", 1.0, -60, -20, (460, 500)),
    ],
)
def test_a_face_is_found_anywhere_in_any_size(
    name: str, scale: float, x: float, y: float, size: tuple[int, int]
) -> None:
    face = find_face(moved(builtin(name), scale=scale, x=x, y=y, size=size))
    assert face is not None
    side = 128 * scale
    true = np.array([x + 192 * scale, y + 64 * scale])
    assert np.abs(np.array([face.head.x, face.head.y]) - true).max() < 0.08 * side
    assert face.head.side == pytest.approx(side, rel=0.08)


def test_no_face_is_found_where_there_is_none() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (300, 300, 4), np.uint8)
    assert find_face(noise) is None
    assert find_face(np.zeros((300, 300, 4), np.uint8)) is None
    assert find_face(np.zeros((3, 500, 4), np.uint8)) is None


def test_placing_undoes_what_moved_the_figure() -> None:
    true = builtin("momo")
    drawing = moved(true, scale=1.5, x=200, y=120, size=(1200, 900))
    placed = place(drawing, HeadBox(200 + 192 * 1.5, 120 + 64 * 1.5, 192))
    assert placed.shape == (768, 768, 4), "what the drawing has more than 512 is kept"
    picture = picture_of(placed, "momo")
    assert check_picture(picture) == []
    solid = (true[..., 3] == 255) & (picture.rgba[..., 3] == 255)
    assert solid.sum() > 0.95 * (true[..., 3] == 255).sum()
    off = np.abs(picture.rgba[..., :3][solid].astype(int) - true[..., :3][solid])
    assert off.mean() < 6.0  # one and a half pixels aside would be 12


@pytest.mark.parametrize(("side", "wanted"), [(20.0, 512), (300.0, 1200), (900.0, 2048)])
def test_a_placed_picture_has_the_drawings_pixels_within_bounds(side: float, wanted: int) -> None:
    drawing = np.full((1000, 1000, 4), 255, np.uint8)
    assert place(drawing, HeadBox(50, 50, side)).shape == (wanted, wanted, 4)


def test_placing_leaves_no_colour_where_nothing_is_and_no_dark_fringe() -> None:
    drawing = np.zeros((400, 400, 4), np.uint8)
    drawing[100:300, 100:300] = (250, 240, 230, 255)
    placed = place(drawing, HeadBox(150.3, 120.7, 101.5))
    assert not placed[placed[..., 3] == 0].any()
    edge = (placed[..., 3] > 40) & (placed[..., 3] < 215)
    assert edge.any()
    assert placed[edge][:, :3].min() > 220
