"""Tiles in few directions: near to the samples, no more than asked for, where it pays."""

from __future__ import annotations

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.training.distill.body_basis import fit_tiles

COUNT, CHANNELS, PIXELS = 40, 2, 256


def samples(rank: int, size: float, seed: int) -> F32Array:
    rng = np.random.default_rng(seed)
    off = rng.normal(0, 1, (COUNT, rank)) @ rng.normal(0, 1, (rank, CHANNELS * PIXELS))
    return (size * off.reshape(COUNT, CHANNELS, PIXELS) + 2).astype(np.float32)


def test_samples_of_few_directions_are_held_nearly_exactly() -> None:
    tiles = [samples(3, 1.0, 0), samples(5, 1.0, 1), np.full_like(samples(1, 1, 2), 0.5)]
    weight = np.ones((3, CHANNELS, PIXELS), np.float32)
    basis = fit_tiles(tiles.__getitem__, weight, 99, lambda: False)
    assert basis is not None
    # One more for what rounding the mean left.
    assert (basis.counts <= [4, 6, 0]).all()
    for number, wanted in enumerate(tiles):
        error = np.sqrt(np.square(basis.tile(number) - wanted).mean())
        assert error < 0.02 * max(float(wanted.std()), 0.05)


def test_the_next_component_goes_where_it_takes_most_error_away() -> None:
    tiles = [samples(20, 0.1, 0), samples(20, 3.0, 1)]
    weight = np.ones((2, CHANNELS, PIXELS), np.float32)
    basis = fit_tiles(tiles.__getitem__, weight, 12, lambda: False)
    assert basis is not None
    assert basis.counts.tolist() == [0, 12]
    weighted = fit_tiles(
        tiles.__getitem__,
        weight * np.array([100, 1], np.float32)[:, None, None],
        12,
        lambda: False,
    )
    assert weighted is not None
    assert weighted.counts.tolist() == [12, 0]


def test_what_counts_more_is_held_better() -> None:
    tile = samples(30, 1.0, 3)
    tile[:, 1] = samples(30, 1.0, 4)[:, 1]
    weight = np.ones((1, CHANNELS, PIXELS), np.float32)
    weight[:, 1] = 0.02
    basis = fit_tiles(lambda _: tile, weight, 15, lambda: False)
    assert basis is not None
    error = np.square(basis.tile(0) - tile).mean(axis=(0, 2))
    assert error[0] < 0.5 * error[1]


def test_asked_to_stop_it_stops() -> None:
    tile = samples(3, 1.0, 0)
    weight = np.ones((2, CHANNELS, PIXELS), np.float32)
    assert fit_tiles(lambda _: tile, weight, 99, lambda: True) is None
