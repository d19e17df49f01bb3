"""The pixel conversions against a plain implementation, on any numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.render.alpha import (
    network_from_straight,
    premultiplied_from_network,
    straight_from_network,
)

ANY_SIDE = st.integers(1, 40)
SIGNALS = st.floats(-1.25, 1.25, width=32)
WILD = st.floats(allow_nan=False, allow_infinity=False, width=32)


def srgb_from_linear(linear: np.ndarray) -> np.ndarray:
    return np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )


def linear_from_srgb(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def plain(planes: F32Array, *, premultiply: bool) -> U8Array:
    """Compute what alpha.py defines, in float64."""
    unit = np.clip((planes.astype(np.float64) + 1) / 2, 0, 1)
    alpha = np.floor(255 * unit[3] + 0.5)
    weight = alpha if premultiply else 255 * (alpha > 0)
    colour = np.floor(weight * srgb_from_linear(unit[:3]) + 0.5)
    return np.concatenate([colour, alpha[None]]).transpose(1, 2, 0).astype(np.uint8)


@st.composite
def planes_of(draw: st.DrawFn, values: st.SearchStrategy[float]) -> F32Array:
    shape = (4, draw(ANY_SIDE), draw(ANY_SIDE))
    return draw(arrays(np.float32, shape, elements=values))


@given(planes_of(SIGNALS | WILD), st.booleans())
def test_conversion_equals_the_definition_within_a_level(
    planes: F32Array, premultiply: bool
) -> None:
    out = np.empty((*planes.shape[1:], 4), np.uint8)
    (premultiplied_from_network if premultiply else straight_from_network)(planes, out)
    expected = plain(planes, premultiply=premultiply)
    assert np.abs(out.astype(int) - expected.astype(int)).max() <= 1
    if premultiply:
        assert (out[..., :3] <= out[..., 3:]).all()
    assert (out[out[..., 3] == 0] == 0).all()


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.1, 1.0]))
def test_whole_pictures_are_mostly_exact(seed: int, brightest: float) -> None:
    rng = np.random.default_rng(seed)
    planes = rng.uniform(-1, 1, (4, 64, 300)).astype(np.float32)
    planes[:3] = (planes[:3] + 1) * brightest - 1
    out = np.empty((64, 300, 4), np.uint8)
    premultiplied_from_network(planes, out)
    difference = np.abs(out.astype(int) - plain(planes, premultiply=True).astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.1


@given(arrays(np.uint8, st.tuples(ANY_SIDE, ANY_SIDE, st.just(4))))
def test_a_picture_becomes_exact_float32(picture: U8Array) -> None:
    cleared = picture * (picture[..., 3:] > 0)
    unit = cleared.astype(np.float64) / 255
    unit[..., :3] = linear_from_srgb(unit[..., :3])
    expected = (unit * 2 - 1).astype(np.float32).transpose(2, 0, 1)
    np.testing.assert_array_equal(network_from_straight(picture), expected)
