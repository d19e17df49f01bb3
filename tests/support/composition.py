"""Fields made up for tests, and plain float64 versions of what the compositor does in C."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.crops import FACE_CROP

F64Array = NDArray[np.float64]
SIDE = 512
ARRAYS = ("morphed", "grid_change", "alpha", "color", "face")


def drawing(side: int, seed: int = 0) -> U8Array:
    """Return a figure with fine lines on nothing: straight uint8 [side, side, 4]."""
    y, x = (np.mgrid[:side, :side] + 0.5) * (SIDE / side)
    rgba = np.zeros((side, side, 4), np.uint8)
    body = ((x - 256) / 150) ** 2 + ((y - 300) / 260) ** 2 < 1
    rgba[body] = (225, 190, 170, 255)
    wave = np.abs(np.sin(x / 9 + 0.7 * np.sin(y / 31 + seed)))
    rgba[body & (wave < 0.12)] = (40, 30, 80, 255)
    smooth = cv2.GaussianBlur(premultiplied(rgba), (0, 0), side / SIDE * 0.35)
    return straight(np.asarray(smooth, np.float32))


def picture(side: int = SIDE, seed: int = 0) -> Picture:
    """Return a drawing of ``side`` pixels as a poser takes it."""
    original = drawing(side, seed)
    levels = premultiplied(original)
    small = cv2.resize(levels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    rgba = original if side == SIDE else straight(np.asarray(small, np.float32))
    return Picture(rgba, "drawing", "", original=None if side == SIDE else original)


def premultiplied(rgba: U8Array) -> F32Array:
    levels = rgba.astype(np.float32)
    levels[..., :3] *= levels[..., 3:] / 255
    return levels


def straight(levels: F32Array) -> U8Array:
    colour = levels[..., :3] * 255 / np.maximum(levels[..., 3:], 1e-3)
    rgba = np.clip(np.rint(np.dstack([colour, levels[..., 3]])), 0, 255).astype(np.uint8)
    rgba[rgba[..., 3] == 0] = 0
    return np.asarray(rgba, np.uint8)


def still_fields(of: Picture) -> FrameFields:
    """Return the fields that show ``of`` as it is."""
    return fields_of(network_from_straight(of.rgba))


def fields_of(
    morphed: F32Array,
    grid_change: F32Array | None = None,
    alpha: F32Array | None = None,
    color: F32Array | None = None,
) -> FrameFields:
    """Return fields; what is left out moves and paints nothing."""
    side = morphed.shape[1]
    return FrameFields(
        morphed=morphed,
        grid_change=np.zeros((2, side, side), np.float32) if grid_change is None else grid_change,
        alpha=np.zeros((4, side, side), np.float32) if alpha is None else alpha,
        color=np.zeros((4, side, side), np.float32) if color is None else color,
        face=np.ascontiguousarray(morphed[:, FACE_CROP.rows, FACE_CROP.columns]),
    )


def rough_fields(seed: int, reach: float = 0.2) -> FrameFields:
    """Return fields that move and paint everywhere, across the edges too."""
    rng = np.random.default_rng(seed)

    def planes(count: int, low: float, high: float) -> F32Array:
        coarse = rng.uniform(low, high, (33, 33, count)).astype(np.float32)
        fine = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        return np.ascontiguousarray(fine.reshape(SIDE, SIDE, count).transpose(2, 0, 1))

    return fields_of(
        morphed=network_from_straight(drawing(SIDE, seed)),
        grid_change=planes(2, -reach, reach),
        alpha=np.clip(planes(4, -0.8, 1.0), 0, 1),
        color=planes(4, -1, 1),
    )


def mixed(older: FrameFields, newer: FrameFields, share: float) -> FrameFields:
    """Return what lies between two fields, in float64 rounded once."""

    def mix(name: str) -> F32Array:
        parts = [np.asarray(getattr(each, name), np.float64) for each in (older, newer)]
        return (parts[0] * (1 - share) + parts[1] * share).astype(np.float32)

    between = older.copied()
    for name in ARRAYS:
        getattr(between, name)[:] = mix(name)
    return between


def sampled(planes: NDArray[np.floating], x: F64Array, y: F64Array) -> F64Array:
    """Return ``planes`` [C, S, S] at pixel coordinates, bilinear, borders repeated."""
    last = planes.shape[1] - 1
    x, y = np.clip(x, 0, last), np.clip(y, 0, last)
    left, top = np.minimum(x.astype(int), last - 1), np.minimum(y.astype(int), last - 1)
    right, down = x - left, y - top
    values = planes.astype(np.float64)
    upper = values[:, top, left] * (1 - right) + values[:, top, left + 1] * right
    lower = values[:, top + 1, left] * (1 - right) + values[:, top + 1, left + 1] * right
    return np.asarray(upper * (1 - down) + lower * down)


def sources(grid_change: F32Array) -> tuple[F64Array, F64Array]:
    """Return where each pixel comes from, x and y in pixels, within the picture."""
    side = grid_change.shape[1]
    y, x = np.mgrid[:side, :side].astype(np.float64)
    flow = grid_change.astype(np.float64) * side / 2
    return np.clip(x + flow[0], 0, side - 1), np.clip(y + flow[1], 0, side - 1)


def plain_signals(fields: FrameFields) -> F64Array:
    """Return the frame as network signals [4, S, S]."""
    warped = sampled(fields.morphed, *sources(fields.grid_change))
    alpha = fields.alpha.astype(np.float64)
    signals = np.asarray(fields.color * alpha + warped * (1 - alpha))
    if fields.premultiplied:
        opacity = np.clip((signals[3] + 1) / 2, 0, 1)
        unit = (signals[:3] + 1) / np.maximum(opacity, 1e-9) - 1
        signals[:3] = np.where(opacity > 1 / 1024, unit, -1.0)
    return signals


def plain_levels(signals: F64Array) -> F64Array:
    """Return signals [4, S, S] as premultiplied sRGB levels [S, S, 4]; only alpha is rounded."""
    unit = np.clip((signals + 1) / 2, 0, 1)
    curve = 1.055 * np.maximum(unit[:3], 1e-9) ** (1 / 2.4) - 0.055
    encoded = np.where(unit[:3] <= 0.0031308, unit[:3] * 12.92, curve)
    alpha = np.rint(unit[3:] * 255)
    return np.asarray(np.concatenate([encoded * alpha, alpha]).transpose(1, 2, 0))


def levels_off(first: U8Array, second: NDArray[np.generic]) -> NDArray[np.int_]:
    """Return how many levels each value of two frames differs by."""
    return np.asarray(np.abs(first.astype(int) - np.rint(second.astype(np.float64)).astype(int)))
