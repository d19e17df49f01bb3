"""A plain float64 version of what ``render/enlarge.py`` defines."""

from __future__ import annotations

import cv2
import numpy as np

from tests.support.composition import SIDE, F64Array, plain_signals, premultiplied, sampled, sources
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.crops import FACE_CROP

BLOCK = 128
STILL = 0.9
"""Pixels below which a way of a drawing of 1024 is shortened; none of one of 512."""


def plain_enlarged(
    fields: FrameFields, rgba: U8Array, original: U8Array, bend: F32Array | None = None
) -> F64Array:
    """Return the frame in the size of ``original`` [S, S, 4], premultiplied levels.

    Args:
        fields: what the networks said.
        rgba: the picture, straight.
        original: the drawing, straight.
        bend: the face's flow and how far it is believed, [192, 192, 3].
    """
    shown = unrounded_levels(plain_signals(fields))
    x, y = sources(fields.grid_change)
    believed = np.ones((SIDE, SIDE))
    if bend is not None:
        x, y, believed = bent(x, y, bend)
    moved = sampled(premultiplied(rgba).transpose(2, 0, 1), x, y).transpose(1, 2, 0)
    seen = extents(shown, moved)
    shown, moved = shown * seen[..., None], moved * seen[..., None]
    rows, columns = np.mgrid[:SIDE, :SIDE]
    flow = np.dstack([x - columns, y - rows])
    keep = kept(shown - moved, moved, flow) * believed * seen
    size = len(original)
    wide_flow, wide_keep = linear(flow, size), linear(keep[..., None], size)
    still = STILL * min(size / SIDE - 1, 1)
    wide_flow *= smooth_step(0, still, np.hypot(*wide_flow.transpose(2, 0, 1)))[..., None]
    places = np.mgrid[:size, :size] + wide_flow.transpose(2, 0, 1)[::-1] * size / SIDE
    drawn = cubic_sampled(premultiplied(original), places[1], places[0], -0.8)
    frame = cubic(shown - moved, size) + (1 - wide_keep) * cubic(moved, size) + wide_keep * drawn
    alpha = np.clip(frame[..., 3:], 0, 255)
    return np.asarray(np.dstack([np.clip(frame[..., :3], 0, alpha), alpha]))


def unrounded_levels(signals: F64Array) -> F64Array:
    unit = np.clip((signals + 1) / 2, 0, 1)
    curve = 1.055 * np.maximum(unit[:3], 1e-9) ** (1 / 2.4) - 0.055
    encoded = np.where(unit[:3] <= 0.0031308, unit[:3] * 12.92, curve)
    return np.asarray(np.concatenate([encoded * unit[3:], unit[3:]]).transpose(1, 2, 0) * 255)


def bent(x: F64Array, y: F64Array, bend: F32Array) -> tuple[F64Array, F64Array, F64Array]:
    """Return where pixels come from when the face's own flow goes on from there."""
    inside = (x >= FACE_CROP.x) & (y >= FACE_CROP.y)
    inside &= (x < FACE_CROP.x + FACE_CROP.size - 1) & (y < FACE_CROP.y + FACE_CROP.size - 1)
    parts = sampled(bend.transpose(2, 0, 1), x - FACE_CROP.x, y - FACE_CROP.y)
    last = SIDE - 1
    return (
        np.clip(np.where(inside, x + parts[0], x), 0, last),
        np.clip(np.where(inside, y + parts[1], y), 0, last),
        np.where(inside, parts[2], 1.0),
    )


def extents(shown: F64Array, moved: F64Array) -> F64Array:
    """Return 1 from the first to the last pixel that is seen in each row, else 0."""
    opaque = shown[..., 3] >= 0.5
    for column in range(0, SIDE, BLOCK):
        part = np.s_[:, column : column + BLOCK]
        opaque[part] |= (moved[part][..., 3] >= 0.5) & opaque[part].any(axis=1, keepdims=True)
    before = np.maximum.accumulate(opaque, axis=1)
    behind = np.maximum.accumulate(opaque[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(before & behind, np.float64)


def kept(difference: F64Array, moved: F64Array, flow: F64Array) -> F64Array:
    def spread(levels: F64Array) -> F64Array:
        luma = levels[..., :3] @ np.array([0.299, 0.587, 0.114])
        total = np.zeros((SIDE, SIDE))
        for plane in (luma, levels[..., 3]):
            means = [
                cv2.boxFilter(values, cv2.CV_64F, (5, 5), borderType=cv2.BORDER_CONSTANT)
                for values in (plane, plane * plane)
            ]
            total += means[1] - means[0] ** 2
        return np.maximum(total, 0)

    unlike = spread(difference) / (spread(moved) + 16.0)
    stretch = np.zeros((SIDE, SIDE))
    for axis in (0, 1):
        change = np.abs(np.diff(flow, axis=axis)).max(axis=2)
        pads = [(0, 0), (0, 0)]
        for ends in ((0, 1), (1, 0)):
            pads[axis] = ends
            stretch = np.maximum(stretch, np.pad(change, pads))
    return (1 - smooth_step(0.15, 0.6, unlike)) * (1 - smooth_step(1.5, 3.0, stretch))


def smooth_step(low: float, high: float, value: F64Array) -> F64Array:
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def kernel(t: F64Array, a: float) -> list[F64Array]:
    """Return the four weights of Keys' kernel around a point ``t`` behind the second."""

    def weight(d: F64Array) -> F64Array:
        d = np.abs(d)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0.0))

    return [weight(t - offset) for offset in (-1, 0, 1, 2)]


def cubic(image: F64Array, size: int) -> F64Array:
    centre = (np.arange(size) + 0.5) * len(image) / size - 0.5
    first = np.floor(centre).astype(int)
    weights = kernel(centre - first, -0.5)

    def along_rows(values: F64Array) -> F64Array:
        last = len(values) - 1
        parts = [
            weight[:, None, None] * values[np.clip(first + tap - 1, 0, last)]
            for tap, weight in enumerate(weights)
        ]
        return np.asarray(sum(parts))

    return along_rows(along_rows(image).transpose(1, 0, 2)).transpose(1, 0, 2)


def linear(image: F64Array, size: int) -> F64Array:
    centre = np.clip((np.arange(size) + 0.5) * len(image) / size - 0.5, 0, len(image) - 1)
    x, y = np.meshgrid(centre, centre)
    return sampled(image.transpose(2, 0, 1), x, y).transpose(1, 2, 0)


def cubic_sampled(image: F32Array, x: F64Array, y: F64Array, a: float) -> F64Array:
    last = len(image) - 1
    x, y = np.clip(x, 0, last), np.clip(y, 0, last)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    pixels = image.reshape(-1, image.shape[2])
    columns = [np.clip(left + tap - 1, 0, last) for tap in range(4)]
    across = kernel(x - left, a)
    total = np.zeros((*x.shape, image.shape[2]))
    for row, down in enumerate(kernel(y - top, a)):
        start = np.clip(top + row - 1, 0, last) * len(image)
        for column, share in zip(columns, across, strict=True):
            total += (down * share)[..., None] * pixels.take(start + column, axis=0)
    return total
