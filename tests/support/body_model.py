"""A made-up body model, and what it means, told once more in plain numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.render.baked.body import CONTROLS, TILE, TILES

SIDE = 512
PIXELS = TILE * TILE


def body_tensors(*, samples: int = 9, latents: int = 5, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Return a model of a block of tiles that moves, bends and is painted over."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[8:20, 10:21]
    tiles = (rows * TILES + columns).reshape(-1).astype(np.int16)
    bend_counts = rng.integers(0, 4, len(tiles)).astype(np.uint8)
    paint_counts = rng.integers(0, 7, len(tiles)).astype(np.uint8)
    bends, paints, motions = int(bend_counts.sum()), int(paint_counts.sum()), 3
    alpha = rng.uniform(0, 1, (len(tiles), 1, PIXELS)) ** 2
    paint = np.concatenate([alpha, 2 * alpha * rng.uniform(0, 1, (len(tiles), 4, PIXELS))], 1)
    return {
        "body.origin": rng.normal(0, 0.1, 6).astype(np.float32),
        "body.scale": rng.uniform(0.5, 2, 6).astype(np.float32),
        "body.centres": rng.normal(0, 1, (samples, 6)).astype(np.float32),
        "body.weights": rng.normal(0, 0.05, (samples + 7, latents)).astype(np.float32),
        "body.mixing": rng.integers(-99, 100, (latents, motions + bends + paints), np.int16),
        "body.mixing_scale": rng.uniform(0, 0.006, motions + bends + paints).astype(np.float32),
        "body.motion.mean": rng.normal(0, 4, (2, CONTROLS, CONTROLS)).astype(np.float32),
        "body.motion.basis": rng.normal(0, 2, (motions, 2, CONTROLS, CONTROLS)).astype(np.float16),
        "body.tiles": tiles,
        "body.bend.counts": bend_counts,
        "body.bend.basis": rng.integers(-127, 128, (bends, 2, PIXELS)).astype(np.int8),
        "body.bend.scale": rng.uniform(0, 0.01, (bends, 2)).astype(np.float32),
        "body.bend.mean": rng.normal(0, 2, (len(tiles), 2, PIXELS)).astype(np.float16),
        "body.paint.counts": paint_counts,
        "body.paint.basis": rng.integers(-127, 128, (paints, 5, PIXELS)).astype(np.int8),
        "body.paint.scale": rng.uniform(0, 0.001, (paints, 5)).astype(np.float32),
        "body.paint.mean": paint.astype(np.float16),
    }


def expected_fields(
    tensors: dict[str, NDArray[Any]], rotation: F32Array
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return grid change, alpha and colour in doubles, and where anything is seen."""
    held = {name: value.astype(np.float64) for name, value in tensors.items()}
    moved = (rotation - held["body.origin"]) * held["body.scale"]
    distance = np.linalg.norm(held["body.centres"] - moved, axis=1)
    kernel = np.concatenate([distance**3, [1.0], moved])
    amounts = kernel @ held["body.weights"] @ held["body.mixing"] * held["body.mixing_scale"]
    motions = len(held["body.motion.basis"])
    controls = held["body.motion.mean"] + np.tensordot(
        amounts[:motions], held["body.motion.basis"], 1
    )
    texture = np.zeros((7, SIDE, SIDE))
    first = motions
    for name, channels in (("bend", slice(0, 2)), ("paint", slice(2, 7))):
        part = 0
        counts = tensors[f"body.{name}.counts"].tolist()
        for number, (tile, count) in enumerate(
            zip(tensors["body.tiles"].tolist(), counts, strict=True)
        ):
            value = held[f"body.{name}.mean"][number].copy()
            for component in range(part, part + count):
                scale = held[f"body.{name}.scale"][component][:, None]
                value += amounts[first] * scale * held[f"body.{name}.basis"][component]
                first += 1
            part += count
            row, column = tile // TILES * TILE, tile % TILES * TILE
            texture[channels, row : row + TILE, column : column + TILE] = value.reshape(
                -1, TILE, TILE
            )
    motion = _spline(controls)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    x, y = np.clip(x + motion[0], 0, SIDE - 1), np.clip(y + motion[1], 0, SIDE - 1)
    active = np.zeros(TILES * TILES, bool)
    active[tensors["body.tiles"]] = True
    seen = active.reshape(TILES, TILES)[y.astype(int) // TILE, x.astype(int) // TILE]
    left, top = np.minimum(x.astype(int), SIDE - 2), np.minimum(y.astype(int), SIDE - 2)
    x, y = x - left, y - top
    kept = (1 - y) * ((1 - x) * texture[:, top, left] + x * texture[:, top, left + 1]) + y * (
        (1 - x) * texture[:, top + 1, left] + x * texture[:, top + 1, left + 1]
    )
    share = np.clip(kept[2], 0, 1)
    painted = np.clip(kept[3:], 0, 2 * share)
    color = np.where(share > 1e-6, painted / np.maximum(share, 1e-6) - 1, -1)
    alpha = np.where(seen, share, 1.0)
    return (motion + kept[:2]) / (SIDE / 2), alpha, np.where(seen, color, -1.0), seen


def _spline(controls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate a uniform cubic B-spline by its own definition, de Boor's recursion."""
    place = (np.arange(SIDE) + 0.5) / TILE
    weights = np.zeros((SIDE, CONTROLS))
    for control in range(CONTROLS):
        weights[:, control] = _bump(place - control + 3)
    return np.stack([weights @ plane @ weights.T for plane in controls])


def _bump(t: NDArray[np.float64], degree: int = 3) -> NDArray[np.float64]:
    if degree == 0:
        return ((t >= 0) & (t < 1)).astype(np.float64)
    return (t * _bump(t, degree - 1) + (degree + 1 - t) * _bump(t - 1, degree - 1)) / degree
