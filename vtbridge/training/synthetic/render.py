"""Draw a character in a pose: painter's order, straight alpha, exact boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, HeadPose, U8Array
from vtbridge.training.synthetic.layers import (
    Bone,
    Character,
    Colour,
    F64Array,
    Layer,
    LayerGroup,
    Part,
)

_Cover = tuple[tuple[slice, slice], F32Array]
I32Array = NDArray[np.int32]

_SHIFT = 4
_SUBPIXEL = 1 << _SHIFT
_NECK = np.array([0.0, 0.75, -0.1])
"""What the head turns about; it rolls about the neck's root."""
_HALF = 0.5
_NECK_ROOT = np.array([0.0, 1.25])


@dataclass(frozen=True, slots=True)
class View:
    """Where a character is in a picture.

    Attributes:
        width: of the picture, pixels.
        height: of the picture, pixels.
        unit_px: pixels a unit of space; a head is about two units high.
        x: where the head's middle is, pixels.
        y: where the head's middle is, pixels.
        supersample: draws larger by this factor and averages.
    """

    width: int
    height: int
    unit_px: float
    x: float
    y: float
    supersample: int = 2


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn character.

    Attributes:
        rgba: height x width x 4, straight alpha.
        boxes: left, top, right and bottom in pixels; they may reach out of the picture.
    """

    rgba: U8Array
    boxes: dict[Part, tuple[float, float, float, float]]


def rotation(head: HeadPose) -> F64Array:
    """Return the 3 x 3 rotation of pitch and yaw (roll turns the picture of the head)."""
    # The subject's own right is left in the picture, and y grows downwards here.
    a, b = head.pitch_rad, -head.yaw_rad
    about_x = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    about_y = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
    both: F64Array = about_x @ about_y
    return both


def project(points: F64Array, bone: Bone, head: HeadPose, view: View) -> F64Array:
    """Return N x 2 pixels of N x 3 points."""
    flat = points[:, :2]
    if bone is Bone.HEAD:
        flat = ((points - _NECK) @ rotation(head).T + _NECK)[:, :2] - _NECK_ROOT
        cos, sin = math.cos(-head.roll_rad), math.sin(-head.roll_rad)
        flat = flat @ np.array([[cos, sin], [-sin, cos]]) + _NECK_ROOT
    placed: F64Array = flat * view.unit_px + np.array([view.x, view.y])
    return placed


def draw(
    character: Character,
    head: HeadPose,
    view: View,
    *,
    without: frozenset[Part] = frozenset(),
) -> Drawing:
    """Draw ``character``.

    Args:
        character: what is drawn.
        head: how its head is turned.
        view: where it is.
        without: parts of the face that are left out of the drawing.
    """
    canvas = _Canvas(view)
    named = {layer.within for layer in character.layers}
    for layer in character.layers:
        if layer.part is None or layer.part not in without:
            canvas.paint(layer, head, keep=layer.name in named and layer.name != "")
    boxes = {}
    for part, outline in character.outlines.items():
        spanned = project(outline, Bone.HEAD, head, view)
        (left, top), (right, bottom) = spanned.min(axis=0), spanned.max(axis=0)
        boxes[part] = (float(left), float(top), float(right), float(bottom))
    return Drawing(canvas.rgba(), boxes)


def draw_groups(character: Character, head: HeadPose, view: View) -> dict[LayerGroup, U8Array]:
    """Return each group of ``character`` alone, back to front; straight alpha."""
    named = {layer.within for layer in character.layers}
    canvases: dict[LayerGroup, _Canvas] = {}
    masks: dict[str, F32Array] = {}
    for layer in character.layers:
        canvas = canvases.setdefault(layer.group, _Canvas(view, masks))
        canvas.paint(layer, head, keep=layer.name in named and layer.name != "")
    return {group: canvas.rgba() for group, canvas in canvases.items()}


def topmost(character: Character, head: HeadPose, view: View) -> I32Array:
    """Return the index of the layer that is seen at each pixel, -1 where nothing is.

    A layer is seen where it covers more than half; what lets the one below through by half
    counts for nothing.
    """
    plain = replace(view, supersample=1)
    canvas = _Canvas(plain)
    seen: I32Array = np.full((view.height, view.width), -1, np.int32)
    named = {layer.within for layer in character.layers}
    for index, layer in enumerate(character.layers):
        cover = canvas.paint(layer, head, keep=layer.name in named and layer.name != "")
        for patch, share in cover:
            seen[patch][share > _HALF] = index
    return seen


class _Canvas:
    """Premultiplied colour and alpha, painted layer by layer in patches."""

    def __init__(self, view: View, masks: dict[str, F32Array] | None = None) -> None:
        self._view, self._scale = view, view.supersample
        self._height, self._width = view.height * self._scale, view.width * self._scale
        self._paint = np.zeros((self._height, self._width, 4), np.float32)
        self._masks = {} if masks is None else masks

    def paint(self, layer: Layer, head: HeadPose, *, keep: bool) -> list[_Cover]:
        """Paint ``layer`` and return where: its fill, then its line."""
        corners = project(layer.points, layer.bone, head, self._view) * self._scale
        thick = 0
        if layer.line is not None:
            thick = max(1, round(layer.line_width * self._view.unit_px * self._scale))
        pad = thick + 2
        left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - pad, 0)
        right, bottom = np.minimum(
            np.ceil(corners.max(axis=0)).astype(int) + pad, (self._width, self._height)
        )
        if left >= right or top >= bottom:
            return []
        covers = []
        patch = np.s_[top:bottom, left:right]
        fixed = np.round((corners - (left, top)) * _SUBPIXEL).astype(np.int32)
        if layer.fill is not None:
            mask = np.zeros((bottom - top, right - left), np.uint8)
            cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT)
            fill = self._fill(layer, corners, top, bottom)
            covers.append((patch, self._blend(layer, patch, mask, fill, keep=keep)))
        if layer.line is not None:
            mask = np.zeros((bottom - top, right - left), np.uint8)
            cv2.polylines(mask, [fixed], layer.closed, 255, thick, cv2.LINE_AA, _SHIFT)
            ink = np.array(layer.line, np.float32)
            covers.append((patch, self._blend(layer, patch, mask, ink, keep=False)))
        return covers

    @staticmethod
    def _fill(layer: Layer, corners: F64Array, top: int, bottom: int) -> F32Array:
        """Return the colour, or one a row where the layer has a gradient."""
        above = np.array(layer.fill, np.float32)
        if layer.fill_below is None:
            return above
        first, last = corners[:, 1].min(), corners[:, 1].max()
        share = (np.arange(top, bottom) - first) / max(last - first, 1.0)
        below: Colour = layer.fill_below
        step = np.clip(share, 0, 1)[:, None, None].astype(np.float32)
        rows: F32Array = above + (np.array(below, np.float32) - above) * step
        return rows

    def _blend(
        self,
        layer: Layer,
        patch: tuple[slice, slice],
        mask: U8Array,
        fill: F32Array,
        *,
        keep: bool,
    ) -> F32Array:
        """Lay ``fill`` over what is there, and return how far it covers it, 0..1."""
        cover = mask.astype(np.float32) * np.float32(layer.opacity / 255)
        if layer.within:
            inside = self._masks.get(layer.within)
            if inside is None:
                return np.zeros_like(cover)
            cover *= inside[patch]
        if keep:
            whole = np.zeros((self._height, self._width), np.float32)
            whole[patch] = cover
            self._masks[layer.name] = whole
        under = self._paint[patch]
        each = cover[..., None]
        under[..., :3] += (fill - under[..., :3]) * each
        under[..., 3:] += (255 - under[..., 3:]) * each
        return cover

    def rgba(self) -> U8Array:
        """Return the picture, reduced and with straight alpha."""
        paint = self._paint
        if self._scale > 1:
            size = (self._view.width, self._view.height)
            paint = cv2.resize(paint, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        alpha = paint[..., 3:]
        straight = np.where(alpha > 0.5, paint[..., :3] * 255 / np.maximum(alpha, 0.5), 0)
        return np.dstack([straight, alpha]).clip(0, 255).round().astype(np.uint8)
