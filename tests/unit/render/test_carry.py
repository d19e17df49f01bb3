"""Carrying an editor's answer: sampled where the picture was, as torch samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vtbridge.datatypes import F32Array
from vtbridge.render.carry import Carrier, EditedFields
from vtbridge.render.models.blocks import GridWarp, resize

SIZE = 128


def random_edited(rng: np.random.Generator) -> EditedFields:
    return EditedFields(
        *(rng.uniform(-1, 1, (n, SIZE, SIZE)).astype(np.float32) for n in (2, 4, 4))
    )


def smooth_grid(rng: np.random.Generator, amplitude: float) -> F32Array:
    coarse = torch.tensor(rng.uniform(-amplitude, amplitude, (1, 2, 5, 5)).astype(np.float32))
    grid: F32Array = F.interpolate(coarse, size=(SIZE // 2, SIZE // 2), mode="bicubic")[0].numpy()
    return np.ascontiguousarray(grid)


def expected(edited: EditedFields, then: F32Array, now: F32Array) -> EditedFields:
    old, new = (resize(torch.tensor(grid)[None], SIZE) for grid in (then, now))

    def moved(planes: torch.Tensor) -> torch.Tensor:
        return GridWarp(SIZE)(new - old, planes)  # type: ignore[no-any-return]

    correction = torch.tensor(edited.grid_change)[None] - old
    return EditedFields(
        (new + moved(correction))[0].numpy(),
        moved(torch.tensor(edited.alpha)[None])[0].numpy(),
        moved(torch.tensor(edited.color)[None])[0].numpy(),
    )


@pytest.mark.parametrize("amplitude", [0.002, 0.05, 0.7])
def test_carried_fields_are_what_torch_samples(amplitude: float) -> None:
    rng = np.random.default_rng(7)
    edited, then, now = random_edited(rng), smooth_grid(rng, 0.1), smooth_grid(rng, amplitude)
    carrier = Carrier(SIZE)
    carrier.keep(edited, then)
    ours, theirs = carrier.carried(then + now), expected(edited, then, then + now)
    for name in ("grid_change", "alpha", "color"):
        # A difference of one rounding in a place moves a value by a slope of up to 2 a pixel.
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=2e-4)


def test_where_nothing_moved_the_answer_is_the_editors_own() -> None:
    rng = np.random.default_rng(8)
    edited, then = random_edited(rng), smooth_grid(rng, 0.1)
    carrier = Carrier(SIZE)
    carrier.keep(edited, then)
    carried = carrier.carried(then)
    np.testing.assert_array_equal(carried.alpha, edited.alpha)
    np.testing.assert_array_equal(carried.color, edited.color)
    np.testing.assert_allclose(carried.grid_change, edited.grid_change, atol=1e-6)


def test_what_is_kept_is_a_copy() -> None:
    rng = np.random.default_rng(9)
    edited, then = random_edited(rng), smooth_grid(rng, 0.1)
    alpha, grid = edited.alpha.copy(), then.copy()
    carrier = Carrier(SIZE)
    carrier.keep(edited, then)
    edited.alpha[...] = 9
    then[...] = 9
    np.testing.assert_array_equal(carrier.carried(grid).alpha, alpha)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_a_grid_that_is_not_finite_shows_in_the_answer_and_reads_nothing_else(bad: float) -> None:
    rng = np.random.default_rng(10)
    carrier = Carrier(SIZE)
    carrier.keep(random_edited(rng), np.zeros((2, SIZE // 2, SIZE // 2), np.float32))
    now = np.full((2, SIZE // 2, SIZE // 2), bad, np.float32)
    carried = carrier.carried(now)
    assert np.abs(carried.alpha).max() <= 1
    assert not (np.abs(carried.grid_change) < 1e38).any()


@pytest.mark.parametrize("shape", [(2, 63, 63), (2, 32, 32), (1, 64, 64), (2, 60, 60)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    carrier = Carrier(SIZE)
    with pytest.raises(ValueError, match=r"does not fit|multiple"):
        carrier.carried(np.zeros(shape, np.float32))
