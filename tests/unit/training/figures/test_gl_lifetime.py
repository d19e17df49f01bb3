"""Renderers of figures: in turns, in threads, closed, refused, and what they leave behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.support.plates import (
    BLUE,
    CAMERA,
    FULL,
    RED,
    SIZE,
    drawn,
    plates,
)
from vtbridge.datatypes import U8Array
from vtbridge.errors import DatasetError
from vtbridge.training.figures.gl import FigureRenderer
from vtbridge.training.figures.gl_context import drawing_context


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
