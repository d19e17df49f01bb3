"""Figures drawn without a window: what is seen, where, and how bright."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.figures import a_figure
from tests.support.plates import (
    BLUE,
    CAMERA,
    CLEAR,
    FULL,
    GREEN,
    RED,
    SIZE,
    TOON,
    drawn,
    plates,
    seen,
)
from vtbridge.datatypes import U8Array
from vtbridge.training.figures.camera import Camera
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.gl import FigureRenderer
from vtbridge.training.sources.figures import FigureSubject
from vtbridge.training.sources.subject import Light, Shading


def test_framing_is_exact_to_a_pixel() -> None:
    alpha = drawn(plates(({}, 0.0)))[..., 3]
    expected = np.zeros((SIZE, SIZE), np.uint8)
    expected[SIZE // 4 : SIZE * 3 // 4, SIZE // 4 : SIZE * 3 // 4] = 255
    np.testing.assert_array_equal(alpha, expected)


def test_the_camera_looks_right_and_up_and_from_afar() -> None:
    alpha = drawn(plates(({}, 0.0)), camera=Camera(-0.5, -1.0, 2.0))[..., 3]
    rows, columns = np.nonzero(alpha)
    # A pixel is 1/8: x from 0 to 1, y from 0.5 to 1.5 off the picture's middle.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 11, 16, 23)


@pytest.mark.parametrize("supersample", [1, 2, 3])
def test_half_covered_pixels_are_half_seen_in_the_colour_of_what_covers_them(
    supersample: int,
) -> None:
    shifted = Camera(1 / SIZE, 0.0, 1.0)  # half a pixel
    picture = drawn(plates(({"color": RED}, 0.0)), camera=shifted, supersample=supersample)
    edge = picture[SIZE // 2, SIZE // 4 - 1]
    assert abs(int(edge[3]) - 128) <= 1
    assert edge[:3].tolist() == [255, 0, 0], "straight alpha does not darken"


def test_the_same_input_gives_the_same_bytes() -> None:
    figure = a_figure(triangles=2000)
    subject = FigureSubject("a", "b", figure)
    pose = np.full(45, 0.4, np.float32)
    for shading in Shading:
        first = subject.draw(pose, size=96, light=Light(shading=shading))
        again = FigureSubject("a", "b", figure).draw(pose, size=96, light=Light(shading=shading))
        np.testing.assert_array_equal(first, again)
        assert first[..., 3].any()


def test_a_picture_stays_as_it_was_when_the_next_is_drawn() -> None:
    figure = plates(({"color": RED}, 0.0))
    renderer = FigureRenderer(figure, SIZE)
    first = renderer.draw(figure.positions, figure.normals, CAMERA, FULL)
    kept = first.copy()
    renderer.draw(figure.positions + np.float32(0.3), figure.normals, CAMERA, FULL)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_surface_is_seen_whatever_the_order(order: tuple[int, int]) -> None:
    looks = [({"color": RED}, 0.1), ({"color": GREEN}, -0.1)]
    assert seen(*(looks[i] for i in order)) == [255, 0, 0, 255]


def test_of_two_surfaces_in_one_place_the_later_is_seen() -> None:
    assert seen(({"color": RED}, 0.0), ({"color": GREEN}, 0.0)) == [0, 255, 0, 255]


def test_what_blends_is_drawn_in_the_files_order() -> None:
    glass = ({"color": (1.0, 0.0, 0.0, 0.5)}, 0.1)
    wall = ({"color": BLUE}, -0.1)
    through = seen(wall, glass)
    assert through[3] == 255
    assert np.allclose(through[:3], [128, 0, 128], atol=1)
    assert seen(glass, wall) == [255, 0, 0, 128], (
        "a wall after the glass is hidden by it, as in MMD"
    )


def test_a_translucent_surface_alone_keeps_its_colour() -> None:
    pixel = seen(({"color": (0.8, 0.4, 0.2, 0.25)}, 0.0))
    assert pixel[3] == 64
    assert np.allclose(pixel[:3], [204, 102, 51], atol=4)


def test_back_faces_are_seen_of_double_sided_materials_only() -> None:
    for double_sided in (False, True):
        figure = plates(({"double_sided": double_sided}, 0.0))
        turned = replace(figure, triangles=figure.triangles[:, ::-1].copy())
        assert drawn(figure)[..., 3].any()
        assert bool(drawn(turned)[..., 3].any()) is double_sided


def test_a_back_face_is_lit_as_the_viewer_sees_it() -> None:
    light = Light(directional=0.3, ambient=0.2)
    figure = plates(({"double_sided": True}, 0.0))
    turned = replace(figure, triangles=figure.triangles[:, ::-1].copy(), normals=-figure.normals)
    np.testing.assert_array_equal(drawn(turned, light), drawn(figure, light))


@pytest.mark.parametrize("shading", list(Shading))
def test_more_light_is_brighter(shading: Shading) -> None:
    look = ({"color": (0.5, 0.5, 0.5, 1.0)}, 0.0)
    lights = [(0.0, 0.2), (0.0, 0.5), (0.3, 0.5)]
    grey = [
        seen(look, light=Light(directional=directional, ambient=ambient, shading=shading))[0]
        for directional, ambient in lights
    ]
    assert 0 < grey[0] < grey[1] < grey[2] < 128


def test_light_never_goes_beyond_the_colours() -> None:
    light = Light(directional=5.0, ambient=5.0)
    assert seen(({"color": (0.6, 0.6, 0.0, 0.5)}, 0.0), light=light) == [255, 255, 0, 128]


def test_what_blends_is_lit_no_further_than_its_share() -> None:
    light = Light(directional=0.0, ambient=20.0)
    wall, glass = ({"color": BLUE}, -0.1), ({"color": (1.0, 0.0, 0.0, 0.5)}, 0.1)
    assert np.allclose(seen(wall, glass, light=light), [128, 0, 128, 255], atol=1)


def test_phong_darkens_what_turns_away_and_toon_has_two_tones() -> None:
    figure = plates(({"color": (0.6, 0.6, 0.6, 1.0)}, 0.0))
    down = np.radians([0, 20, 40, 70, 80])
    tones: dict[Shading, list[int]] = {}
    for shading in Shading:
        light = Light(directional=0.5, ambient=0.5, shading=shading)
        normals = [np.array([0, -np.sin(a), np.cos(a)], np.float32) for a in down]
        pictures = [drawn(figure, light, normals=np.tile(n, (4, 1))) for n in normals]
        tones[shading] = [int(picture[SIZE // 2, SIZE // 2, 0]) for picture in pictures]
    assert all(a > b for a, b in zip(tones[Shading.PHONG], tones[Shading.PHONG][1:], strict=False))
    assert len(set(tones[Shading.TOON])) == 2
    assert tones[Shading.TOON][0] > tones[Shading.TOON][-1]


BESIDE = (SIZE // 2, SIZE // 4 - 2)


def outlined_plate(textures: tuple[U8Array | None, ...] = (), **look: Any) -> Figure:
    """Return a square with a blue outline that reaches four pixels outwards with ``CAMERA``."""
    look = {"color": RED, "edge_width": 0.25 * np.sqrt(2), "edge_color": BLUE, **look}
    figure: Figure = plates((look, 0.0), textures=textures)
    # An outline is the inside of a hull, which is seen where it is turned away.
    return replace(
        figure,
        triangles=np.concatenate([figure.triangles, figure.triangles[:, ::-1]]),
        materials=(replace(figure.materials[0], count=4),),
    )


def outlined(figure: Figure, light: Light = TOON, camera: Camera = CAMERA) -> U8Array:
    outwards = figure.positions * np.float32(np.sqrt(2))
    return drawn(figure, light, camera=camera, normals=outwards)


def test_the_outline_belongs_to_toon_alone() -> None:
    figure = outlined_plate()
    assert outlined(figure, FULL)[BESIDE].tolist() == CLEAR
    picture = outlined(figure)
    assert picture[BESIDE].tolist() == [0, 0, 255, 255]
    assert picture[SIZE // 2, SIZE // 2].tolist() == [255, 0, 0, 255]
    bare = replace(figure, edge_scale=np.zeros(4, np.float32))
    assert outlined(bare)[BESIDE].tolist() == CLEAR


@pytest.mark.parametrize("head_height", [1.0, 0.5])
def test_the_outline_is_a_share_of_the_heads_height(head_height: float) -> None:
    alpha = outlined(outlined_plate(), camera=Camera(0.0, 0.0, head_height))[SIZE // 2, :, 3]
    plate = round(SIZE / 2 / head_height)  # pixels wide
    assert np.count_nonzero(alpha) == min(plate + 2 * 4, SIZE)
    alpha = outlined(outlined_plate(), camera=Camera(0.5, 0.0, head_height))[SIZE // 2, :, 3]
    assert np.flatnonzero(alpha)[-1] == SIZE // 2 + 3, "four pixels beyond the plate's border"


def test_the_outline_is_as_transparent_as_what_it_is_of() -> None:
    half = outlined(outlined_plate(color=(1.0, 0.0, 0.0, 0.5)))[BESIDE].tolist()
    assert half == [0, 0, 255, 128]
    hidden = (np.zeros((4, 4, 4), np.uint8),)
    assert not outlined(outlined_plate(hidden, texture=0)).any()
    cut = (np.full((4, 4, 4), 150, np.uint8),)
    picture = outlined(outlined_plate(cut, texture=0, cutoff=0.5))
    assert picture[BESIDE].tolist() == [0, 0, 255, 255]


def test_textures_are_upright() -> None:
    texture = np.zeros((2, 2, 4), np.uint8)
    texture[0, 0], texture[0, 1] = (255, 0, 0, 255), (0, 255, 0, 255)
    texture[1, 0], texture[1, 1] = (0, 0, 255, 255), (255, 255, 255, 255)
    picture = drawn(plates(({"texture": 0}, 0.0), textures=(texture,)))
    a, b = SIZE * 3 // 8, SIZE * 5 // 8  # the middles of the four texels
    for row, column, texel in ((a, a, (0, 0)), (a, b, (0, 1)), (b, a, (1, 0)), (b, b, (1, 1))):
        assert np.allclose(picture[row, column], texture[texel], atol=40)


def test_a_missing_texture_is_the_plain_colour() -> None:
    for look in ({"texture": 0}, {"texture": 7}, {"texture": -1}):
        assert seen(({**look, "color": GREEN}, 0.0), textures=(None,)) == [0, 255, 0, 255]


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (700, 2), (2, 700)])
def test_textures_of_any_shape_are_taken(shape: tuple[int, int]) -> None:
    texture = np.full((*shape, 4), 255, np.uint8)
    assert seen(({"texture": 0, "color": BLUE}, 0.0), textures=(texture,)) == [0, 0, 255, 255]


def test_what_a_texture_hides_does_not_bleed_into_what_is_seen() -> None:
    texture = np.zeros((64, 64, 4), np.uint8)
    texture[..., 1] = 255  # green where nothing is seen
    texture[::2] = (255, 0, 0, 255)
    picture = drawn(plates(({"texture": 0}, 0.0), textures=(texture,)))
    assert picture[picture[..., 3] > 0][:, 1].max() == 0
    assert np.allclose(picture[SIZE // 2, SIZE // 2], [255, 0, 0, 128], atol=8)


@pytest.mark.parametrize(
    ("texture_alpha", "cutoff", "expected"),
    [(100, 0.5, 0), (150, 0.5, 255), (100, 0.0, 100)],
)
def test_a_cutoff_decides_between_all_and_nothing(
    texture_alpha: int, cutoff: float, expected: int
) -> None:
    texture = np.full((4, 4, 4), (200, 100, 50, texture_alpha), np.uint8)
    pixel = seen(({"texture": 0, "cutoff": cutoff}, 0.0), textures=(texture,))
    assert pixel[3] == expected
    if expected:
        assert np.allclose(pixel[:3], [200, 100, 50], atol=2)


def test_what_is_wholly_transparent_hides_nothing() -> None:
    texture = np.zeros((4, 4, 4), np.uint8)
    ghost = ({"texture": 0}, 0.2)
    assert seen(ghost, ({"color": RED}, 0.0), textures=(texture,)) == [255, 0, 0, 255]
    assert seen(({"color": (1, 1, 1, 0)}, 0.2), ({"color": RED}, 0.0)) == [255, 0, 0, 255]


def test_colour_is_nothing_where_nothing_is_seen() -> None:
    light = Light(shading=Shading.TOON)
    picture = FigureSubject("a", "b", a_figure()).draw(np.zeros(45, np.float32), light=light)
    assert not picture[picture[..., 3] == 0].any()
    assert {0, 255} < set(np.unique(picture[..., 3]).tolist()), "edges are smooth"
