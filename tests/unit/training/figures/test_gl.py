"""Figures drawn without a window: what is seen, where, how bright, and what it leaves behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.support.figures import a_figure
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.camera import Camera
from vtbridge.training.figures.figure import Figure, Material
from vtbridge.training.figures.gl import FigureRenderer
from vtbridge.training.figures.gl_context import drawing_context
from vtbridge.training.sources.figures import FigureSubject
from vtbridge.training.sources.subject import Light, Shading

SIZE = 32
CAMERA = Camera(0.0, 0.0, 1.0)
FULL = Light(directional=0.0, ambient=1.0)
TOON = Light(directional=0.0, ambient=1.0, shading=Shading.TOON)
RED, GREEN, BLUE = (1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)
CLEAR = [0, 0, 0, 0]


def plates(*looks: tuple[dict[str, Any], float], textures: tuple[U8Array | None, ...] = ()) -> Any:
    """Return a figure of squares from -0.5 to 0.5 that face the viewer, each at a z."""
    corners = np.array([[-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5], [0.5, 0.5]], np.float32)
    count = len(looks) * 4
    depths = np.repeat([z for _, z in looks], 4).astype(np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return Figure(
        path=Path("plates.pmx"),
        title="",
        licence="",
        positions=np.column_stack([np.tile(corners, (len(looks), 1)), depths]),
        normals=np.tile(np.array([0, 0, 1], np.float32), (count, 1)),
        uv=np.tile(corners * [1, -1] + 0.5, (len(looks), 1)).astype(np.float32),
        edge_scale=np.ones(count, np.float32),
        triangles=np.concatenate([faces + 4 * i for i in range(len(looks))]),
        materials=tuple(
            Material(str(i), first=2 * i, count=2, **look) for i, (look, _) in enumerate(looks)
        ),
        textures=textures,
        bones=(),
        joints=np.zeros((count, 4), np.int32),
        weights=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
    )


def drawn(
    figure: Figure,
    light: Light = FULL,
    *,
    size: int = SIZE,
    camera: Camera = CAMERA,
    normals: F32Array | None = None,
    supersample: int = 2,
) -> U8Array:
    renderer = FigureRenderer(figure, size, supersample=supersample)
    try:
        upright = figure.normals if normals is None else normals
        return renderer.draw(figure.positions, upright, camera, light)
    finally:
        renderer.close()


def seen(*looks: tuple[dict[str, Any], float], light: Light = FULL, **other: Any) -> list[int]:
    """Return the pixel in the picture's middle."""
    pixel: list[int] = drawn(plates(*looks, **other), light)[SIZE // 2, SIZE // 2].tolist()
    return pixel


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


def test_two_renderers_take_turns() -> None:
    red, blue = plates(({"color": RED}, 0.0)), plates(({"color": BLUE}, 0.0))
    one, other = FigureRenderer(red, SIZE), FigureRenderer(blue, 2 * SIZE)
    for _ in range(2):
        middle = one.draw(red.positions, red.normals, CAMERA, FULL)[SIZE // 2, SIZE // 2]
        assert middle.tolist() == [255, 0, 0, 255]
        middle = other.draw(blue.positions, blue.normals, CAMERA, FULL)[SIZE, SIZE]
        assert middle.tolist() == [0, 0, 255, 255]


def test_any_thread_draws_and_closes() -> None:
    figure = plates(({"color": RED}, 0.0))
    renderer = FigureRenderer(figure, SIZE)
    expected = renderer.draw(figure.positions, figure.normals, CAMERA, FULL)
    pictures: list[U8Array] = []

    def work() -> None:
        pictures.extend(
            renderer.draw(figure.positions, figure.normals, CAMERA, FULL) for _ in range(5)
        )

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pictures) == 15
    assert all(np.array_equal(picture, expected) for picture in pictures)
    closing = threading.Thread(target=renderer.close)
    closing.start()
    closing.join()
    np.testing.assert_array_equal(drawn(figure), expected)


def test_a_renderer_may_be_closed_while_another_one_draws() -> None:
    figure = plates(({"color": RED}, 0.0))
    collected, drawing = FigureRenderer(figure, SIZE), FigureRenderer(figure, SIZE)
    with drawing_context():  # garbage is collected at any time
        collected.close()
        picture = drawing.draw(figure.positions, figure.normals, CAMERA, FULL)
    assert picture[SIZE // 2, SIZE // 2].tolist() == [255, 0, 0, 255]
    again = drawing.draw(figure.positions, figure.normals, CAMERA, FULL)
    np.testing.assert_array_equal(again, picture)


def test_a_closed_renderer_says_so() -> None:
    figure = plates(({}, 0.0))
    renderer = FigureRenderer(figure, SIZE)
    renderer.close()
    renderer.close()
    with pytest.raises(DatasetError, match=r"plates\.pmx: its renderer is closed"):
        renderer.draw(figure.positions, figure.normals, CAMERA, FULL)


def test_vertices_of_another_figure_are_refused() -> None:
    figure = plates(({}, 0.0))
    renderer = FigureRenderer(figure, SIZE)
    with pytest.raises(ValueError, match=r"expected positions and normals \(4, 3\)"):
        renderer.draw(figure.positions[:3], figure.normals, CAMERA, FULL)


def test_a_picture_too_large_for_opengl_is_refused() -> None:
    with pytest.raises(DatasetError, match="choose a smaller size"):
        FigureRenderer(plates(({}, 0.0)), 100_000)


def test_a_figure_that_nobody_sees_is_an_empty_picture() -> None:
    figure = plates(({"color": (1, 1, 1, 0)}, 0.0))
    assert not drawn(figure).any()
    assert not drawn(replace(figure, materials=())).any()


@pytest.mark.parametrize("closed", [True, False])
def test_renderers_give_their_memory_back(closed: bool) -> None:
    texture = np.random.default_rng(0).integers(0, 255, (256, 256, 4), np.uint8)
    figure = plates(({"texture": 0}, 0.0), textures=(texture,) * 16)
    figure = replace(
        figure,
        materials=tuple(replace(figure.materials[0], texture=i) for i in range(16)),
    )

    def draw_some(count: int) -> int:
        for _ in range(count):
            renderer = FigureRenderer(figure, SIZE)
            renderer.draw(figure.positions, figure.normals, CAMERA, FULL)
            if closed:
                renderer.close()
            del renderer
        gc.collect()
        return psutil.Process().memory_info().rss

    before = draw_some(4)
    # Twenty more hold 20 x 16 x 350 KB = 112 MB if nothing is given back.
    assert draw_some(20) - before < 30e6


def test_where_egl_is_missing_the_remedy_is_told(tmp_path: Path) -> None:
    code = (
        "from vtbridge.training.figures.gl_context import drawing_context\n"
        "from vtbridge.errors import DatasetError\n"
        "try:\n    drawing_context()\n"
        "except DatasetError as error:\n    print(error)\n"
    )
    nothing = tmp_path / "no-vendor.json"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": str(nothing)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "apt install libegl1 libegl-mesa0 libgl1-mesa-dri" in told.stdout, told.stderr
