"""Cut a figure out of its background, without networks unless its user has one.

Border and figure meet in a band of a few pixels that are a mixture of both. There alpha and the
figure's own colour are worked out of its nearest sure colours on either side, so that no fringe of
the old background is left.
"""

from __future__ import annotations

import importlib
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import PictureError

BoolArray = NDArray[np.bool_]

_SOLID = 128
_FLAT = 6.0
"""How far, in Lab, a background's colours may be from a smooth surface."""
_TOLERANCE = 7.0
"""How far, in Lab, a pixel may be from its neighbour's background to belong to it."""
_FITS = 5
_STRIP = 128
"""Rows that are compared with the background at once."""
_HOLE = 0.0015
"""Share of the drawing from which an enclosed patch of the background's colour is a hole."""
_GRABCUT_SIDE = 480
_GRABCUT_ROUNDS = 6
_ISLAND = 0.002
"""Share of the figure that a separate piece must have to stay."""
_LEAST_MIXED = 0.85
"""Of the contrast around it that a pixel has which is all figure."""
_HAZE = 10
"""Alpha up to which nobody would miss a pixel."""


class Matting(StrEnum):
    """How a figure is cut out."""

    AUTO = "auto"
    KEEP = "keep"
    FLOOD = "flood"
    GRABCUT = "grabcut"
    REMBG = "rembg"


def cut_out(rgba: U8Array, method: Matting = Matting.AUTO) -> tuple[U8Array, Matting]:
    """Return the figure on nothing, and how it was cut out.

    Args:
        rgba: uint8 [H, W, 4], straight alpha.
        method: ``AUTO`` keeps a transparency that is there, floods a plain background, and
            divides any other by its colours.

    Raises:
        PictureError: nothing would be left, or what should cut it out is not installed.
    """
    if method is Matting.AUTO:
        method = _method_for(rgba)
    match method:
        case Matting.KEEP:
            cut = rgba.copy()
        case Matting.REMBG:
            cut = _by_rembg(rgba)
        case Matting.FLOOD:
            cut = _unmixed(rgba, _flooded(rgba))
        case _:
            cut = _unmixed(rgba, _divided(rgba))
    cut = _cleaned(cut)
    if float((cut[..., 3] >= _SOLID).mean()) < 0.01:
        raise PictureError(
            "nothing is left when the background is removed: choose another --matting, or give "
            "a picture with a transparent background"
        )
    return cut, method


def _method_for(rgba: U8Array) -> Matting:
    alpha = rgba[..., 3]
    edge = np.concatenate([alpha[0], alpha[:, 0], alpha[:, -1]])
    if float((edge < _SOLID).mean()) > 0.3 and float((alpha < _SOLID).mean()) > 0.05:
        return Matting.KEEP
    _, border = _background(rgba)
    return Matting.FLOOD if float(np.percentile(border, 75)) < _FLAT else Matting.GRABCUT


def _background(rgba: U8Array) -> tuple[F32Array, F32Array]:
    """Fit a plain or shaded background to the upper and side edges.

    What stands out from them, such as an arm that is cut off, is left out step by step.

    Returns:
        The surface of second degree in Lab, float32 [6, 3], and how far each pixel of the
        edges is from it.
    """
    rows, columns = _places(rgba)
    edge = np.concatenate(
        [
            _terms(columns, rows[0]),
            _terms(columns[0], rows),
            _terms(columns[-1], rows),
        ]
    )
    colours = _lab(np.concatenate([rgba[0], rgba[:, 0], rgba[:, -1]])[None])[0]
    kept = np.ones(len(edge), np.bool_)
    surface = np.zeros((edge.shape[1], 3), np.float32)
    off = np.zeros(len(edge), np.float32)
    for _ in range(_FITS):
        surface = np.linalg.lstsq(edge[kept], colours[kept], rcond=None)[0]
        off = np.linalg.norm(edge @ surface - colours, axis=1)
        kept = off <= max(_FLAT / 2, 2.0 * float(np.median(off)))
    return surface, off


def _off_background(rgba: U8Array) -> F32Array:
    """Return how far pixels are from a plain or shaded background, in Lab, float32 [H, W]."""
    height, width = rgba.shape[:2]
    rows, columns = _places(rgba)
    fitted, _ = _background(rgba)
    result = np.empty((height, width), np.float32)
    # In strips, for a drawing of 4096 would want a gigabyte at once.
    for top in range(0, height, _STRIP):
        strip = slice(top, top + _STRIP)
        y, x = np.meshgrid(rows[strip], columns, indexing="ij")
        surface = _terms(x.ravel(), y.ravel()) @ fitted
        lab = _lab(rgba[strip])
        result[strip] = np.linalg.norm(lab - surface.reshape(lab.shape), axis=2)
    return result


def _places(rgba: U8Array) -> tuple[F32Array, F32Array]:
    """Return where rows and columns lie, -1..1."""
    height, width = rgba.shape[:2]
    rows = np.arange(height, dtype=np.float32) / np.float32(height) * 2 - 1
    columns = np.arange(width, dtype=np.float32) / np.float32(width) * 2 - 1
    return rows, columns


def _terms(x: NDArray[Any], y: NDArray[Any]) -> F32Array:
    """Return the terms of a surface of second degree, float32 [N, 6]."""
    terms: F32Array = np.stack(
        np.broadcast_arrays(np.float32(1), x, y, x * x, x * y, y * y), axis=-1
    ).astype(np.float32)
    return terms


def _lab(rgba: U8Array) -> NDArray[Any]:
    """Return colours as Lab, in which a distance is about what eyes see, float32 [H, W, 3]."""
    rgb = np.ascontiguousarray(rgba[..., :3]).astype(np.float32) / 255.0
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)


def _flooded(rgba: U8Array) -> BoolArray:
    """Return True where a plain or shaded background is, flooded from the border."""
    off = _off_background(rgba)
    near = (off < _TOLERANCE) | (rgba[..., 3] < _SOLID)
    number, labels = cv2.connectedComponents(near.astype(np.uint8), connectivity=4)
    touching = np.zeros(number, np.bool_)
    touching[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    background: BoolArray = near & touching[labels]
    # Between arms and body the same colour shows through: large areas of it are background too.
    counts = np.bincount(labels[near].ravel(), minlength=int(labels.max()) + 1)
    holes = np.flatnonzero(counts > _HOLE * near.size)
    sure = off < _TOLERANCE / 4
    for label in holes:
        place = labels == label
        if label and not background[place].any() and float(sure[place].mean()) > 0.9:
            background |= place
    return background


def _divided(rgba: U8Array) -> BoolArray:
    """Return True where the background is, by the colours of figure and border (grabCut)."""
    height, width = rgba.shape[:2]
    scale = min(1.0, _GRABCUT_SIDE / max(height, width))
    small = cv2.resize(
        np.ascontiguousarray(rgba[..., :3]), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    rows, columns = small.shape[:2]
    mask: NDArray[Any] = np.full((rows, columns), cv2.GC_PR_BGD, np.uint8)
    margin = max(2, round(0.02 * min(rows, columns)))
    mask[:margin] = cv2.GC_BGD
    mask[:, :margin] = cv2.GC_BGD
    mask[:, -margin:] = cv2.GC_BGD
    # Figures stand in the middle and mostly run out of the lower edge.
    middle = np.s_[round(0.12 * rows) :, round(0.25 * columns) : round(0.75 * columns)]
    mask[middle] = cv2.GC_PR_FGD
    core = np.s_[
        round(0.35 * rows) : round(0.9 * rows), round(0.44 * columns) : round(0.56 * columns)
    ]
    mask[core] = cv2.GC_FGD
    if not (np.any(mask == cv2.GC_FGD) and np.any(mask == cv2.GC_BGD)):
        raise PictureError(
            f"the drawing is {width}x{height}, too narrow to divide figure from background: crop "
            "it to the figure, or give a picture with a transparent background"
        )
    background_model, figure_model = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # it begins with chance
    everywhere = (0, 0, columns, rows)
    cv2.grabCut(
        small,
        mask,
        everywhere,
        background_model,
        figure_model,
        _GRABCUT_ROUNDS,
        cv2.GC_INIT_WITH_MASK,
    )
    figure = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    whole = cv2.resize(figure, (width, height), interpolation=cv2.INTER_LINEAR)
    background: BoolArray = whole < 0.5
    return background


def _by_rembg(rgba: U8Array) -> U8Array:
    try:
        rembg = importlib.import_module("rembg")  # its user's own; nothing here needs it
    except ImportError as error:
        raise PictureError(
            "rembg is not installed: pip install 'rembg[cpu]', or choose another --matting"
        ) from error
    colours = np.ascontiguousarray(rgba[..., :3])
    return np.array(rembg.remove(colours, session=rembg.new_session("isnet-anime")), np.uint8)


def _unmixed(rgba: U8Array, background: BoolArray) -> U8Array:
    """Return the figure with the background's share taken out of the band where they meet."""
    if background.all() or not background.any():
        result = rgba.copy()
        result[..., 3][background] = 0
        return result
    reach = max(1, round(0.0025 * max(rgba.shape[:2])))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    outside = cv2.erode(background.astype(np.uint8), kernel).astype(bool)
    inside = ~cv2.dilate(background.astype(np.uint8), kernel).astype(bool)
    inside |= _middles_of_hairs(rgba, ~background, outside, kernel)
    result = rgba.copy()
    result[..., 3][outside] = 0
    # Only the band is worked out: a drawing of 4096 has 16 million, its band few.
    band = ~(outside | inside)
    figure, ground = _nearest(rgba, inside, band), _nearest(rgba, outside, band)
    way = figure - ground
    off = rgba[band][:, :3].astype(np.float32) - ground
    share = np.clip((off * way).sum(axis=1) / np.maximum((way * way).sum(axis=1), 1.0), 0.0, 1.0)
    alpha = np.where(share > 0.95, 1.0, share) * rgba[band][:, 3]
    result[band] = np.rint(np.column_stack([figure, alpha])).astype(np.uint8)
    return result


def _middles_of_hairs(
    rgba: U8Array, figure: BoolArray, outside: BoolArray, kernel: NDArray[Any]
) -> BoolArray:
    """Return the middles of hairs and other narrow parts, which have no inside.

    Of their pixels, those that differ most from the background are the least mixed with it.
    """
    hairs = figure & ~cv2.morphologyEx(figure.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)
    around = figure & cv2.dilate(hairs.astype(np.uint8), kernel).astype(bool)
    contrast = np.zeros(figure.shape, np.float32)
    off = rgba[around][:, :3] - _nearest(rgba, outside, around)
    contrast[around] = np.linalg.norm(off, axis=1)
    middles: BoolArray = hairs & (contrast >= _LEAST_MIXED * cv2.dilate(contrast, kernel))
    return middles


def _nearest(rgba: U8Array, known: BoolArray, wanted: BoolArray) -> F32Array:
    """Return for each pixel that is ``wanted`` the colour of the nearest that is ``known``.

    Returns:
        float32 [count, 3], the pixels' own colours if none is known.
    """
    if not known.any():
        return rgba[wanted][:, :3].astype(np.float32)
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros((int(labels.max()) + 1, 3), np.uint8)
    of_label[labels[known]] = rgba[known][:, :3]
    nearest: F32Array = of_label[labels[wanted]].astype(np.float32)
    return nearest


def _cleaned(rgba: U8Array) -> U8Array:
    """Return the figure without islands and haze, and without colour where nothing is."""
    result = rgba.copy()
    alpha = result[..., 3]
    alpha[alpha <= _HAZE] = 0
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0).astype(np.uint8))
    if count > 2:
        areas = stats[:, cv2.CC_STAT_AREA].copy()
        areas[0] = 0
        small = areas < _ISLAND * areas.max()
        small[0] = False
        alpha[small[labels]] = 0
    result[alpha == 0] = 0
    return result
