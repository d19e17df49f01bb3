"""Where what is seen in one pose was in another: the truth behind two drawings."""

from __future__ import annotations

import numpy as np

from vtbridge.datatypes import F32Array, HeadPose
from vtbridge.training.synthetic.layers import Character, F64Array
from vtbridge.training.synthetic.render import View, project, topmost

_BENT = 8
"""Corners from which a layer's motion is fitted with bends, not only as an affine map."""


def flow_between(
    character: tuple[Character, HeadPose], source: tuple[Character, HeadPose], view: View
) -> tuple[F32Array, F32Array]:
    """Return where each pixel of one drawing comes from in another of the same layers.

    Within a layer the motion is the polynomial of second degree that leads its corners there;
    what is behind another layer in ``source`` was not seen there.

    Args:
        character: what is drawn, and how its head is turned.
        source: likewise; its layers correspond one to one.
        view: of both.

    Returns:
        float32 [H, W, 2], pixels to add to (x, y); float32 [H, W], 1 where it is seen in both.
    """
    seen, before = topmost(*character, view), topmost(*source, view)
    flow: F32Array = np.zeros((*seen.shape, 2), np.float32)
    both: F32Array = np.zeros(seen.shape, np.float32)
    for index in np.unique(seen[seen >= 0]):
        rows, columns = np.nonzero(seen == index)
        layer, then = character[0].layers[index], source[0].layers[index]
        here = project(layer.points, layer.bone, character[1], view)
        there = project(then.points, then.bone, source[1], view)
        pixels = np.column_stack([columns, rows]).astype(np.float64)
        moved = _led(here, there, pixels)
        flow[rows, columns] = moved - pixels
        at = np.round(moved).astype(np.int64)
        inside = ((at >= 0) & (at < (view.width, view.height))).all(axis=1)
        found = np.zeros(len(at), bool)
        found[inside] = before[at[inside, 1], at[inside, 0]] == index
        both[rows, columns] = found
    return flow, both


def _led(here: F64Array, there: F64Array, pixels: F64Array) -> F64Array:
    """Return ``pixels`` moved as the corners ``here`` move to ``there``."""
    middle, spread = here.mean(axis=0), max(float(np.ptp(here, axis=0).max()), 1e-6)

    def terms(points: F64Array) -> F64Array:
        x, y = ((points - middle) / spread).T
        ones = np.ones(len(points))
        if len(here) < _BENT:
            return np.column_stack([ones, x, y])
        return np.column_stack([ones, x, y, x * x, x * y, y * y])

    solved, *_ = np.linalg.lstsq(terms(here), there - here, rcond=1e-6)
    moved: F64Array = pixels + terms(pixels) @ solved
    return moved
