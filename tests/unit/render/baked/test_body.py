"""The body of a prepared character: fields and pixels of its few numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.body_model import body_tensors, expected_fields
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import WeightsError
from vtbridge.render.baked.body import BakedBody
from vtbridge.render.compositor import Compositor
from vtbridge.render.fields import FrameFields

ROTATION = np.array([0.3, -0.5, 0.2, 0.1, -0.4, 0.7], np.float32)


@pytest.fixture(scope="module")
def morphed() -> F32Array:
    """A picture of network signals with soft and hard edges."""
    rng = np.random.default_rng(5)
    small = rng.uniform(-1, 1, (4, 32, 32)).astype(np.float32)
    planes = np.kron(small, np.ones((1, 16, 16), np.float32))
    planes[:, 100:200] += rng.normal(0, 0.05, (4, 100, 512)).astype(np.float32)
    clipped: F32Array = np.clip(planes, -1, 1)
    return clipped


def drawn(body: BakedBody, rotation: F32Array, morphed: F32Array) -> U8Array:
    out = np.full((512, 512, 4), 77, np.uint8)
    body.draw(rotation, morphed, out)
    return out


def test_fields_are_what_the_definition_says() -> None:
    tensors = body_tensors()
    grid_change, alpha, color = BakedBody(tensors).fields(ROTATION)
    wanted_grid, wanted_alpha, wanted_color, seen = expected_fields(tensors, ROTATION)
    # A pixel on the very edge of a tile may round to either side.
    firm = np.abs(alpha[0] - wanted_alpha) < 0.5
    assert firm.mean() > 0.9999
    assert 0.02 < seen.mean() < 0.5
    # Where nothing is seen it does not matter where nothing comes from.
    assert np.abs(grid_change - wanted_grid)[:, firm & seen].max() < 2e-5
    assert np.abs(alpha - wanted_alpha)[:, firm].max() < 2e-4
    painted, wanted = alpha * (color + 1), wanted_alpha * (wanted_color + 1)
    assert np.abs(painted - wanted)[:, firm].max() < 4e-4


def test_drawing_is_what_the_compositor_makes_of_the_fields(morphed: F32Array) -> None:
    body = BakedBody(body_tensors())
    grid_change, alpha, color = body.fields(ROTATION)
    wanted = np.empty((512, 512, 4), np.uint8)
    fields = FrameFields(morphed, grid_change, alpha, color, morphed[:, 32:224, 160:352].copy())
    Compositor().composite(fields, wanted)
    off = np.abs(drawn(body, ROTATION, morphed).astype(int) - wanted)
    assert wanted.any(axis=2).mean() > 0.02
    assert (off <= 1).mean() > 0.9999


def test_nothing_is_seen_outside_the_tiles(morphed: F32Array) -> None:
    tensors = body_tensors()
    *_, seen = expected_fields(tensors, ROTATION)
    frame = drawn(BakedBody(tensors), ROTATION, morphed)
    assert frame[~seen].any(axis=1).mean() < 1e-4


def test_another_rotation_and_back_gives_the_same_frame(morphed: F32Array) -> None:
    body = BakedBody(body_tensors())
    first = drawn(body, ROTATION, morphed)
    other = drawn(body, -ROTATION, morphed)
    assert (first != other).any()
    assert np.array_equal(drawn(body, ROTATION, morphed), first)


def test_a_new_face_shows_though_the_rotation_is_the_same(morphed: F32Array) -> None:
    body = BakedBody(body_tensors())
    first = drawn(body, ROTATION, morphed)
    assert (drawn(body, ROTATION, -morphed) != first).any()


def test_signals_that_are_not_finite_are_drawn_as_something(morphed: F32Array) -> None:
    broken = morphed.copy()
    broken[:, ::3] = np.nan
    broken[:, 1::3] = np.inf
    assert drawn(BakedBody(body_tensors()), ROTATION, broken).shape == (512, 512, 4)


@pytest.mark.parametrize(
    "rotation",
    [np.zeros(5, np.float32), np.zeros(6), np.full(6, np.nan, np.float32)],
    ids=["five", "doubles", "nan"],
)
def test_a_rotation_that_is_none_is_refused(rotation: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="rotation"):
        BakedBody(body_tensors()).fields(rotation)


def test_arrays_of_another_form_are_refused(morphed: F32Array) -> None:
    body = BakedBody(body_tensors())
    out = np.empty((512, 512, 4), np.uint8)
    with pytest.raises(ValueError, match="morphed"):
        body.draw(ROTATION, morphed[:, ::-1], out)
    with pytest.raises(ValueError, match="morphed"):
        body.draw(ROTATION, morphed.astype(np.float64), out)
    with pytest.raises(ValueError, match="out"):
        body.draw(ROTATION, morphed, out[:256])


@pytest.mark.parametrize("name", sorted(body_tensors()))
def test_a_model_without_a_tensor_or_with_another_form_of_it_is_refused(name: str) -> None:
    tensors = body_tensors()
    whole = tensors.pop(name)
    with pytest.raises(WeightsError, match=name):
        BakedBody(tensors)
    for other in (whole[..., :-1], whole[None], whole.astype(np.float64)):
        with pytest.raises(WeightsError):
            BakedBody({**tensors, name: other})
    if whole.dtype.kind == "f":
        broken = whole.copy()
        broken.reshape(-1)[-1] = np.inf
        with pytest.raises(WeightsError, match="not finite"):
            BakedBody({**tensors, name: broken})


@pytest.mark.parametrize("places", [[-1, 5], [3, 3], [9, 4], [5, 1024]])
def test_tiles_that_lie_nowhere_or_twice_are_refused(places: list[int]) -> None:
    tensors = body_tensors()
    tiles = tensors["body.tiles"].copy()
    tiles[: len(places)] = places
    if places[-1] >= 1024:
        tiles[-1] = places[-1]
    with pytest.raises(WeightsError, match="tiles"):
        BakedBody({**tensors, "body.tiles": tiles})
