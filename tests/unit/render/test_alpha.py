"""Pixels on both sides of the networks."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render.alpha import (
    network_from_straight,
    premultiplied_from_network,
    straight_from_network,
)


def signal(*rgba: float) -> F32Array:
    """Return one pixel, linear light and alpha given as 0..1, as the networks write it."""
    return (np.array(rgba, np.float32) * 2 - 1).reshape(4, 1, 1)


def premultiplied(planes: F32Array) -> list[int]:
    out = np.full((*planes.shape[1:], 4), 77, np.uint8)
    premultiplied_from_network(planes, out)
    return [int(value) for value in out.reshape(-1, 4)[0]]


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ((1, 1, 1, 1), [255, 255, 255, 255]),
        ((0, 0, 0, 1), [0, 0, 0, 255]),
        ((1, 1, 1, 128 / 255), [128, 128, 128, 128]),
        # Linear 0.5 is sRGB 187.5 of 255; half of it, not the encoding of linear 0.25 (137).
        ((0.5, 0.0, 1.0, 128 / 255), [94, 0, 128, 128]),
        ((1, 1, 1, 0.4 / 255), [0, 0, 0, 0]),
        ((2, -3, 9, 5), [255, 0, 255, 255]),
    ],
)
def test_colour_is_multiplied_after_it_is_encoded(
    pixel: tuple[float, ...], expected: list[int]
) -> None:
    assert premultiplied(signal(*pixel)) == expected


def test_straight_output_keeps_colour_under_thin_alpha_and_none_under_no_alpha() -> None:
    planes = np.concatenate([signal(1, 0, 0, 1 / 255), signal(1, 0, 0, 0)], axis=2)
    out = np.empty((1, 2, 4), np.uint8)
    straight_from_network(planes, out)
    assert out.tolist() == [[[255, 0, 0, 1], [0, 0, 0, 0]]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", range(4))
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_numbers_that_are_not_finite_are_refused(value: float, channel: int, alpha: float) -> None:
    planes = np.repeat(np.repeat(signal(0.2, 0.4, 0.6, alpha), 37, axis=1), 29, axis=2)
    planes[channel, 30, 28] = value
    out = np.empty((37, 29, 4), np.uint8)
    with pytest.raises(InferenceError, match="1 of 4292 values"):
        premultiplied_from_network(planes, out)


@pytest.mark.parametrize(
    ("planes", "out"),
    [
        (np.zeros((4, 8, 8), np.float32), np.zeros((8, 8, 3), np.uint8)),
        (np.zeros((4, 8, 8), np.float64), np.zeros((8, 8, 4), np.uint8)),
        (np.zeros((3, 8, 8), np.float32), np.zeros((8, 8, 4), np.uint8)),
        (np.zeros((4, 8, 8), np.float32), np.zeros((8, 9, 4), np.uint8)),
        (np.zeros((4, 8, 8), np.float32), np.zeros((8, 16, 4), np.uint8)[:, ::2]),
        (np.zeros((4, 8, 16), np.float32)[:, :, ::2], np.zeros((8, 8, 4), np.uint8)),
    ],
    ids=["three channels out", "float64", "three channels in", "size", "strided out", "strided in"],
)
def test_buffers_that_do_not_fit_are_refused(planes: F32Array, out: U8Array) -> None:
    with pytest.raises((ValueError, BufferError)):
        premultiplied_from_network(planes, out)


def test_a_frame_that_must_not_change_is_not_written() -> None:
    out = np.zeros((8, 8, 4), np.uint8)
    out.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        premultiplied_from_network(np.zeros((4, 8, 8), np.float32), out)


def test_every_level_survives_the_way_in_and_out() -> None:
    levels = np.arange(256, dtype=np.uint8)
    picture = np.stack([levels, levels[::-1], np.roll(levels, 77), np.full(256, 255)], axis=1)
    picture = picture.reshape(16, 16, 4).astype(np.uint8)
    out = np.empty_like(picture)
    straight_from_network(network_from_straight(picture), out)
    np.testing.assert_array_equal(out, picture)


def test_colour_under_no_alpha_does_not_reach_the_networks() -> None:
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[..., 0] = 200
    np.testing.assert_array_equal(
        network_from_straight(picture), np.full((4, 2, 2), -1, np.float32)
    )
