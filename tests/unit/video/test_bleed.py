"""No black flows into a character's edge: what is transparent has the colour of what is near."""

from __future__ import annotations

import numpy as np

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.video.bleed import bled, bled_quickly


def premultiplied(alpha: F32Array, colour: tuple[float, float, float]) -> F32Array:
    pixels = np.empty((*alpha.shape, 4), np.float32)
    pixels[..., :3] = np.array(colour, np.float32) * (alpha[..., None] / 255)
    pixels[..., 3] = alpha
    return pixels


def disc(side: int = 65, *, radius: float = 20) -> F32Array:
    y, x = np.mgrid[:side, :side].astype(np.float32) - side // 2
    return np.asarray(np.clip(radius - np.hypot(x, y), 0, 1) * 255, np.float32)


def test_one_colour_reaches_everywhere() -> None:
    colours = bled(premultiplied(disc(), (200, 30, 60)))
    np.testing.assert_allclose(colours, np.broadcast_to((200, 30, 60), colours.shape), atol=0.05)


def test_visible_colours_stay_as_they_are() -> None:
    alpha = disc()
    rng = np.random.default_rng(1)
    straight = rng.uniform(0, 255, (*alpha.shape, 3)).astype(np.float32)
    pixels = np.concatenate([straight * (alpha[..., None] / 255), alpha[..., None]], axis=2)
    seen = alpha > 0
    np.testing.assert_allclose(bled(pixels)[seen], straight[seen], atol=0.01)


def test_nearer_colour_wins() -> None:
    alpha = np.zeros((40, 120), np.float32)
    alpha[15:25, 10:20] = alpha[15:25, 100:110] = 255
    pixels = premultiplied(alpha, (255, 0, 0))
    pixels[:, 60:, :3] = pixels[:, 60:, :3][..., ::-1]  # the right one is blue
    colours = bled(pixels)
    assert colours[20, 24, 0] > 200
    assert colours[20, 24, 2] < 55
    assert colours[20, 96, 2] > 200
    assert colours.min() > -0.01
    assert colours.max() < 255.01


def test_nothing_seen_stays_black() -> None:
    assert not bled(np.zeros((33, 20, 4), np.float32)).any()


def test_all_seen_is_only_unmultiplied() -> None:
    pixels = premultiplied(np.full((9, 7), 51, np.float32), (100, 50, 25))
    np.testing.assert_allclose(bled(pixels), np.broadcast_to((100, 50, 25), (9, 7, 3)), atol=0.01)


def test_quick_colours_composite_as_the_exact_ones_do() -> None:
    picture = soft_disc_u8()
    quick = bled_quickly(picture)
    assert np.array_equal(quick[..., 3], picture[..., 3])
    for background in (0, 255):
        alpha = picture[..., 3:].astype(np.float32) / 255
        truth = picture[..., :3] + (1 - alpha) * background
        shown = quick[..., :3] * alpha + (1 - alpha) * background
        assert np.abs(shown - truth).max() <= 8
        assert np.abs(shown - truth)[picture[..., 3] >= 8].max() <= 1


def test_quick_colours_have_no_dark_fringe() -> None:
    quick = bled_quickly(soft_disc_u8())
    near = (np.abs(quick[..., :3].astype(int) - (200, 120, 40)) <= 20).all(axis=2)
    assert near.all(), "a picture of one colour has it everywhere"


def test_quick_colours_of_nothing_and_of_the_smallest_picture() -> None:
    assert not bled_quickly(np.zeros((5, 3, 4), np.uint8)).any()
    one = np.full((1, 1, 4), (100, 50, 25, 128), np.uint8)
    assert np.abs(bled_quickly(one)[0, 0].astype(int) - (199, 100, 50, 128)).max() <= 1


def soft_disc_u8() -> U8Array:
    y, x = np.mgrid[:96, :120].astype(np.float32)
    alpha = np.clip((30 - np.hypot(x - 60, y - 48)) / 6, 0, 1)[..., None]
    colour = np.array((200, 120, 40), np.float32)
    return np.asarray(np.rint(np.concatenate([alpha * colour, 255 * alpha], axis=2)), np.uint8)
