"""What lies behind a character: flat, graded, striped, a landscape, a room, noise, shapes."""

from __future__ import annotations

import cv2
import numpy as np

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.training.synthetic.contours import superellipse
from vtbridge.training.synthetic.layers import Colour
from vtbridge.training.synthetic.traits import colour

_KINDS = ("flat", "gradient", "noise", "shapes", "stripes", "landscape", "discs")


def random_background(random: np.random.Generator, size: int) -> U8Array:
    """Return ``size`` x ``size`` x 3 pixels without a face."""
    kind = random.choice(_KINDS, p=[0.3, 0.15, 0.1, 0.17, 0.06, 0.12, 0.1])
    first, second = _any_colour(random), _any_colour(random)
    picture: F32Array = np.empty((size, size, 3), np.float32)
    picture[:] = np.array(first, np.float32)
    if kind == "gradient":
        picture += (np.array(second) - np.array(first)) * _ramp(random, size)[..., None]
    elif kind == "noise":
        picture += _noise(random, size) * random.uniform(20, 120)
    elif kind == "stripes":
        wave = np.sin(_ramp(random, size) * random.uniform(10, 90)) > 0
        picture += (np.array(second) - np.array(first)) * wave[..., None]
    elif kind == "landscape":
        _landscape(random, picture)
    elif kind in ("shapes", "discs"):
        _scatter(random, picture, discs=kind == "discs")
    if kind != "flat" and random.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.5, 4)).astype(np.float32)
    return picture.clip(0, 255).astype(np.uint8)


def _any_colour(random: np.random.Generator) -> Colour:
    if random.random() < 0.3:
        grey = random.choice([0.0, 1.0, 0.75, 0.5])
        return colour(0, 0, float(grey))
    return colour(random.uniform(0, 1), random.uniform(0, 0.9), random.uniform(0.1, 1))


def _ramp(random: np.random.Generator, size: int) -> F32Array:
    """Return 0..1 growing in some direction."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    ramp: F32Array = (x * np.cos(angle) + y * np.sin(angle) + 0.5).astype(np.float32)
    return ramp


def _noise(random: np.random.Generator, size: int) -> F32Array:
    """Return noise of -1..1 whose grain is fine or coarse."""
    grain = int(random.choice([4, 8, 16, 32, size]))
    coarse = random.uniform(-1, 1, (grain, grain, 3)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def _landscape(random: np.random.Generator, picture: F32Array) -> None:
    size = len(picture)
    sky = colour(random.uniform(0.5, 0.65), random.uniform(0.1, 0.6), random.uniform(0.7, 1))
    picture[:] = np.array(sky, np.float32)
    for step in range(int(random.integers(1, 5))):
        x = np.linspace(0, size, 12)
        y = size * (0.3 + 0.15 * step) + random.uniform(-0.1, 0.1, 12) * size
        hill = np.concatenate([np.column_stack([x, y]), [[size, size], [0, size]]])
        fill = colour(
            random.uniform(0.15, 0.45), random.uniform(0.2, 0.8), random.uniform(0.2, 0.9)
        )
        cv2.fillPoly(picture, [hill.astype(np.int32)], fill)


def _scatter(random: np.random.Generator, picture: F32Array, *, discs: bool) -> None:
    """Draw shapes over each other, some of them round and paired as eyes are."""
    size = len(picture)
    for _ in range(int(random.integers(3, 30))):
        x, y = random.uniform(0, size, 2)
        wide, high = random.uniform(0.02, 0.25, 2) * size
        power = 2.0 if discs else random.choice([1.0, 2.0, 8.0])
        shape = superellipse(x, y, wide, high, power=power, count=24)
        turn = random.uniform(0, np.pi)
        spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        shape = (shape - (x, y)) @ spin + (x, y)
        fill = _any_colour(random)
        thick = int(random.integers(1, 4))
        copies = [shape, shape + np.array([2.5 * wide, 0])] if random.random() < 0.3 else [shape]
        for points in copies:
            corners = [points.astype(np.int32)]
            if random.random() < 0.75:
                cv2.fillPoly(picture, corners, fill, cv2.LINE_AA)
            if random.random() < 0.5:
                cv2.polylines(picture, corners, True, _any_colour(random), thick, cv2.LINE_AA)
