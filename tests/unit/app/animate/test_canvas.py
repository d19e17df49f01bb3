"""The character stands where it should, over what was asked for, with clean edges."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.animation import planes_over
from vtbridge.app.animate.canvas import Canvas, parse_size
from vtbridge.app.animate.views import VIEWS
from vtbridge.app.animate.zoom import Zoom
from vtbridge.characters.specification import HEAD_BOTTOM, HEAD_LEFT, HEAD_RIGHT, HEAD_TOP
from vtbridge.datatypes import U8Array
from vtbridge.errors import ConfigError

RED = (210, 40, 30)


def character() -> U8Array:
    """Return a red disc with a soft edge, black where it is transparent."""
    y, x = np.mgrid[:512, :512] - 255.5
    rgba = np.zeros((512, 512, 4), np.uint8)
    rgba[..., 3] = np.clip((200 - np.hypot(x, y)) / 8, 0, 1) * 255
    rgba[rgba[..., 3] > 0, :3] = RED
    return rgba


def grey(level: int, width: int, height: int) -> U8Array:
    return np.full((height, width, 3), level, np.uint8)


def test_blended_over_a_background_as_painting_programs_do() -> None:
    shown = Canvas(background=grey(90, 512, 512)).compose(character())
    assert shown.shape == (512, 512, 3)
    np.testing.assert_allclose(shown, planes_over(character(), 90), atol=0.51)


def test_unchanged_where_nothing_is_asked_for() -> None:
    np.testing.assert_array_equal(Canvas().compose(character()), character())


@pytest.mark.parametrize("side", [128, 301, 1024])
@pytest.mark.parametrize("bleeding", [False, True])
def test_resized_edges_are_neither_dark_nor_light(side: int, bleeding: bool) -> None:
    shown = Canvas(side, side, bleeding=bleeding).compose(character())
    assert shown.shape == (side, side, 4)
    edge = (shown[..., 3] > 40) & (shown[..., 3] < 250)
    assert edge.sum() > 100
    np.testing.assert_allclose(shown[edge][:, :3], np.broadcast_to(RED, (edge.sum(), 3)), atol=6)
    assert shown[side // 2, side // 2, 3] == 255
    assert shown[0, 0, 3] == 0


def test_hidden_colour_bleeds_only_for_lossy_encoders() -> None:
    np.testing.assert_allclose(Canvas(bleeding=True).compose(character())[0, 0], (*RED, 0), atol=1)
    assert not Canvas(300, 300).compose(character())[0, 0].any()


def test_seen_colours_and_alpha_survive_bleeding_to_the_level() -> None:
    shown = Canvas(bleeding=True).compose(character())
    seen = character()[..., 3] > 0
    np.testing.assert_array_equal(shown[seen], character()[seen])
    np.testing.assert_array_equal(shown[..., 3], character()[..., 3])


def test_stands_on_the_lower_edge_in_the_middle() -> None:
    alpha = Canvas(400, 200).compose(character())[..., 3]
    assert alpha.shape == (200, 400)
    assert alpha[100, 200] == 255
    columns = np.flatnonzero(alpha.any(axis=0))
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(199.5, abs=1)
    tall = Canvas(200, 400).compose(character())[..., 3]
    rows = np.flatnonzero(tall.any(axis=1))
    assert (rows[0] + rows[-1]) / 2 == pytest.approx(299.5, abs=1)


def numbered() -> U8Array:
    """Return a picture whose red and green tell where each pixel was, opaque."""
    y, x = np.mgrid[:512, :512]
    return np.stack([x // 2, y // 2, 0 * x, 0 * x + 255], axis=2).astype(np.uint8)


def test_zoomed_pixels_are_the_networks_own_where_they_need_no_scaling() -> None:
    shown = Canvas(192, 192, zoom=Zoom.FACE).compose(numbered())
    np.testing.assert_array_equal(shown, numbered()[24:216, 160:352])
    shown = Canvas(304, 304, zoom=Zoom.BUST).compose(numbered())
    np.testing.assert_array_equal(shown, numbered()[24:328, 104:408])


@pytest.mark.parametrize("zoom", list(Zoom))
def test_every_zoom_shows_the_whole_box_of_the_head_in_the_middle(zoom: Zoom) -> None:
    head = np.zeros((512, 512, 4), np.uint8)
    head[HEAD_TOP:HEAD_BOTTOM, HEAD_LEFT:HEAD_RIGHT] = 255
    share = (HEAD_RIGHT - HEAD_LEFT) / VIEWS[zoom].side
    for width, height in ((512, 512), (400, 400), (720, 400), (400, 720)):
        seen = Canvas(width, height, zoom=zoom).compose(head)[..., 3] > 127
        assert seen.sum() == pytest.approx((min(width, height) * share) ** 2, rel=0.03)
        columns = np.flatnonzero(seen.any(axis=0))
        assert (columns[0] + columns[-1]) / 2 == pytest.approx((width - 1) / 2, abs=1.5)


def test_zoomed_edge_is_scaled_once() -> None:
    """Cut out of a picture of the final size, or scaled twice, it would be wider."""
    edge = np.zeros((512, 512, 4), np.uint8)
    edge[:, 256:] = 255
    alpha = Canvas(768, 768, zoom=Zoom.FACE).compose(edge)[300, :, 3].astype(int)
    assert ((alpha > 25) & (alpha < 230)).sum() <= 4  # four pixels show one of the networks'
    assert alpha[380] < 25
    assert alpha[388] > 230


def test_wide_picture_shows_what_is_beside_the_face() -> None:
    shown = Canvas(384, 192, zoom=Zoom.FACE).compose(numbered())
    np.testing.assert_array_equal(shown, numbered()[24:216, 64:448])
    beyond = Canvas(768, 192, zoom=Zoom.FACE).compose(numbered())
    np.testing.assert_array_equal(beyond[:, 128:640], numbered()[24:216])
    assert not beyond[:, :128].any()
    assert not beyond[:, 640:].any()


@pytest.mark.parametrize("background", [None, grey(10, 512, 512)])
def test_source_is_opaque_on_the_left(background: U8Array | None) -> None:
    canvas = Canvas(background=background, source_width=300)
    source = grey(77, 30, 20)
    shown = canvas.compose(character(), source)
    assert shown.shape[:2] == (512, canvas.total_width) == (512, 812)
    np.testing.assert_array_equal(shown[:, :300, :3], 77)
    if background is None:
        assert (shown[:, :300, 3] == 255).all()
    np.testing.assert_array_equal(
        shown[:, 300:], Canvas(background=background).compose(character())
    )


@pytest.mark.parametrize(
    ("text", "size"), [("720", (720, 720)), ("1920x1080", (1920, 1080)), ("64X32", (64, 32))]
)
def test_size_is_a_side_or_both(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "8", "4097", "512x", "x512", "512x512x3", "big", "-64"])
def test_impossible_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--size .*such as 720 or 1920x1080"):
        parse_size(text)
