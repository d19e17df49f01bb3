"""A figure is cut out of what is behind it, edge and all; what cannot be is refused in words."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.support.drawings import SKY, builtin, on, shaded
from vtbridge.characters.prepare.matting import Matting, cut_out
from vtbridge.datatypes import U8Array
from vtbridge.errors import PictureError


def alpha_error(cut: U8Array, true: U8Array) -> float:
    return float(np.abs(cut[..., 3].astype(int) - true[..., 3]).mean())


def green(rgba: U8Array, true: U8Array) -> int:
    """Return how many pixels at the figure's edge can be seen and are far too green."""
    edge = (true[..., 3] > 20) & (true[..., 3] < 235) & (rgba[..., 3] > 20)
    red, middle, blue = rgba[edge][:, :3].astype(int).T
    return int((middle - np.maximum(red, blue) > 60).sum())


@pytest.fixture(scope="module")
def michi() -> U8Array:
    return builtin("michi")


def test_a_transparency_that_is_there_is_kept_to_the_pixel(michi: U8Array) -> None:
    cut, method = cut_out(michi)
    assert method is Matting.KEEP
    assert np.array_equal(cut[..., 3], np.where(michi[..., 3] > 10, michi[..., 3], 0))


@pytest.mark.parametrize("ground", ["plain", "shaded"])
def test_plain_and_shaded_backgrounds_go(michi: U8Array, ground: str) -> None:
    cut, method = cut_out(on(SKY if ground == "plain" else shaded(512, 512), michi))
    assert method is Matting.FLOOD
    assert alpha_error(cut, michi) < 0.5


def test_a_background_of_many_colours_goes_by_the_colours_of_its_edges(michi: U8Array) -> None:
    noise = np.random.default_rng(1).uniform(90, 250, (512, 512, 3)).astype(np.float32)
    noise[..., 0] *= 0.3  # nothing of michi is so green and blue
    cut, method = cut_out(on(noise, michi))
    assert method is Matting.GRABCUT
    assert alpha_error(cut, michi) < 8.0


def test_no_fringe_of_the_background_is_left(michi: U8Array) -> None:
    # Edges that are half green would be green on any other background; so would be hairs.
    drawing = on((0, 255, 0), michi)
    cut, _ = cut_out(drawing)
    assert green(drawing, michi) > 700
    assert green(cut, michi) < 45
    assert int((cut[..., 3] > michi[..., 3].astype(int) + 90).sum()) < 40


def test_islands_haze_and_colours_of_nothing_go(michi: U8Array) -> None:
    dirty = michi.copy()
    dirty[5:15, 5:15] = (255, 0, 0, 255)
    dirty[20:200, 5:60] = (255, 255, 255, 6)
    dirty[400:410, 2:6, :3] = 77
    cut, _ = cut_out(dirty, Matting.KEEP)
    assert not cut[:200, :60].any()
    assert not cut[cut[..., 3] == 0].any()


def test_what_is_background_coloured_inside_the_figure_stays() -> None:
    drawing = np.full((300, 300, 4), 255, np.uint8)
    drawing[60:, 80:220] = (90, 60, 60, 255)
    drawing[100:106, 120:126, :3] = 255  # a light in an eye
    cut, method = cut_out(drawing)
    assert method is Matting.FLOOD
    assert (cut[100:106, 120:126, 3] == 255).all()
    assert not cut[:50].any()


def test_nothing_but_background_is_refused() -> None:
    with pytest.raises(PictureError, match=r"nothing is left .* --matting"):
        cut_out(np.full((64, 64, 4), 255, np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (24, 2)])
def test_a_drawing_too_narrow_to_be_divided_is_refused(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 4), np.uint8)
    noise[..., 3] = 255
    with pytest.raises(PictureError, match=f"{size[1]}x{size[0]}, too narrow"):
        cut_out(noise, Matting.GRABCUT)


def test_rembg_is_asked_for_only_where_it_is_installed(
    michi: U8Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(PictureError, match="rembg is not installed: pip install"):
        cut_out(michi, Matting.REMBG)
