"""The coarse motion is smooth, follows what is seen, and can be undone."""

from __future__ import annotations

import numpy as np

from vtbridge.render.baked.body import CONTROLS
from vtbridge.training.distill.body_motion import (
    controls_from_sample,
    motion_from_controls,
    seen_from_source,
    spline_weights,
)
from vtbridge.training.distill.body_samples import BodySample
from vtbridge.training.distill.planes import sampled_at

SIDE = 512


def test_controls_that_are_equal_move_everything_alike() -> None:
    controls = np.full((2, CONTROLS, CONTROLS), 3.0, np.float32)
    controls[1] = -7
    motion = motion_from_controls(controls)
    assert np.allclose(motion[0], 3, atol=1e-4)
    assert np.allclose(motion[1], -7, atol=1e-4)
    assert np.allclose(spline_weights().sum(axis=1), 1, atol=1e-6)


def test_a_motion_undone_leads_back() -> None:
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:CONTROLS, 0:CONTROLS] / CONTROLS
    controls = np.stack([20 * np.sin(3 * x + y), 12 * np.cos(2 * y)]).astype(np.float32)
    motion = motion_from_controls(controls)
    place_x = rng.uniform(80, 430, 2000).astype(np.float32)
    place_y = rng.uniform(80, 430, 2000).astype(np.float32)
    seen_x, seen_y = seen_from_source(motion, place_x, place_y)
    moved = sampled_at(motion, seen_x, seen_y)
    assert np.abs(seen_x + moved[0] - place_x).max() < 0.02
    assert np.abs(seen_y + moved[1] - place_y).max() < 0.02


def test_small_things_move_as_far_as_large_ones() -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    left, right = np.hypot(x - 150, y - 256) < 12, np.hypot(x - 360, y - 256) < 12
    places = np.flatnonzero(left | right)
    moved = np.where(left.reshape(-1)[places], 6.0, -6.0).astype(np.float32)
    sample = BodySample(
        rotation=np.zeros(6, np.float32),
        places=places,
        grid_change=np.stack([moved, moved]),
        alpha=np.zeros(len(places), np.float32),
        paint=np.zeros((4, len(places)), np.float32),
    )
    motion = motion_from_controls(controls_from_sample(sample, np.ones(len(places), np.float32)))
    assert np.abs(motion[:, 256, 150] - 6).max() < 0.3
    assert np.abs(motion[:, 256, 360] + 6).max() < 0.3


def test_the_motion_follows_what_is_seen_and_not_what_is_not() -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    places = np.flatnonzero(np.hypot(x - 256, y - 256) < 120)
    seen = np.hypot(x - 256, y - 256).reshape(-1)[places] < 100
    grid_change = np.where(seen, [[9.0], [-4.0]], 300.0).astype(np.float32)
    sample = BodySample(
        rotation=np.zeros(6, np.float32),
        places=places,
        grid_change=grid_change,
        alpha=np.zeros(len(places), np.float32),
        paint=np.zeros((4, len(places)), np.float32),
    )
    motion = motion_from_controls(controls_from_sample(sample, seen.astype(np.float32)))
    assert np.abs(motion[0] - 9).max() < 0.01
    assert np.abs(motion[1] + 4).max() < 0.01
