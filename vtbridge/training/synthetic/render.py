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

_Patch = tuple[slice, slice]
I32Array = NDArray[np.int32]

_SHIFT = 4
_SUBPIXEL = 1 << _SHIFT
_NECK = np.array([0.0, 0.75, -0.1])
"""What the head turns about; it rolls about the neck's root."""
_HALF = 127
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
    masks: dict[str, U8Array] = {}
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
        canvas.paint(layer, head, keep=layer.name in named and layer.name != "")
        for patch, share in canvas.cover(layer, head):
            seen[patch][share > _HALF] = index
    return seen


class _Canvas:
    """Premultiplied colour and alpha, 8-bit, painted layer by layer in patches.

    Over premultiplied pixels an opaque colour is painted by drawing it with alpha 255, which
    OpenCV does in place; what is graded, half transparent or cut off goes through a mask.
    """

    def __init__(self, view: View, masks: dict[str, U8Array] | None = None) -> None:
        self._view, self._scale = view, view.supersample
        self._height, self._width = view.height * self._scale, view.width * self._scale
        self._paint = np.zeros((self._height, self._width, 4), np.uint8)
        self._masks = {} if masks is None else masks

    def paint(self, layer: Layer, head: HeadPose, *, keep: bool) -> None:
        """Paint ``layer``; ``keep`` remembers where its fill is, by its name."""
        corners = project(layer.points, layer.bone, head, self._view) * self._scale
        thick = self._thick(layer)
        patch = self._patch(corners, thick)
        if patch is None:
            return
        fixed = np.round(corners * _SUBPIXEL).astype(np.int32)
        plain = layer.opacity == 1 and not layer.within
        if layer.fill is not None:
            graded = layer.fill_below is not None
            mask = None
            if keep or graded or not plain:
                mask = self._cover(layer, self._filled(fixed, patch), patch)
            if keep and mask is not None:
                whole = np.zeros((self._height, self._width), np.uint8)
                whole[patch] = mask
                self._masks[layer.name] = whole
            if graded or not plain:
                self._blend(patch, mask, self._fill(layer, corners, patch))
            else:
                cv2.fillPoly(self._paint, [fixed], (*layer.fill, 255.0), cv2.LINE_AA, _SHIFT)
        if layer.line is not None:
            if plain:
                ink = (*layer.line, 255.0)
                cv2.polylines(self._paint, [fixed], layer.closed, ink, thick, cv2.LINE_AA, _SHIFT)
            else:
                mask = self._cover(layer, self._stroked(layer, fixed, patch), patch)
                self._blend(patch, mask, np.array(layer.line, np.float32))

    def cover(self, layer: Layer, head: HeadPose) -> list[tuple[_Patch, U8Array]]:
        """Return where ``layer`` covers what is below it, 0..255: its fill, then its line."""
        corners = project(layer.points, layer.bone, head, self._view) * self._scale
        patch = self._patch(corners, self._thick(layer))
        if patch is None:
            return []
        fixed = np.round(corners * _SUBPIXEL).astype(np.int32)
        masks = []
        if layer.fill is not None:
            masks.append(self._filled(fixed, patch))
        if layer.line is not None:
            masks.append(self._stroked(layer, fixed, patch))
        return [(patch, self._cover(layer, mask, patch)) for mask in masks]

    def rgba(self) -> U8Array:
        """Return the picture, reduced and with straight alpha."""
        paint = self._paint
        if self._scale > 1:
            size = (self._view.width, self._view.height)
            paint = np.asarray(cv2.resize(paint, size, interpolation=cv2.INTER_AREA), np.uint8)
        alpha = paint[..., 3:]
        straight = paint[..., :3].astype(np.float32) * (
            255 / np.maximum(alpha, 1, dtype=np.float32)
        )
        return np.dstack([np.minimum(straight + 0.5, 255).astype(np.uint8), alpha])

    def _thick(self, layer: Layer) -> int:
        if layer.line is None:
            return 0
        return max(1, round(layer.line_width * self._view.unit_px * self._scale))

    def _patch(self, corners: F64Array, thick: int) -> _Patch | None:
        """Return the part of the canvas that a layer may touch, None if there is none."""
        pad = thick + 2
        left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - pad, 0)
        right, bottom = np.minimum(
            np.ceil(corners.max(axis=0)).astype(int) + pad, (self._width, self._height)
        )
        return None if left >= right or top >= bottom else np.s_[top:bottom, left:right]

    @staticmethod
    def _blank(patch: _Patch) -> tuple[U8Array, tuple[int, int]]:
        """Return an empty mask of a patch, and what to add to fixed-point corners within it."""
        rows, columns = patch
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        return mask, (-columns.start * _SUBPIXEL, -rows.start * _SUBPIXEL)

    def _filled(self, fixed: I32Array, patch: _Patch) -> U8Array:
        mask, shift = self._blank(patch)
        cv2.fillPoly(mask, [(fixed + shift).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
        return mask

    def _stroked(self, layer: Layer, fixed: I32Array, patch: _Patch) -> U8Array:
        mask, shift = self._blank(patch)
        moved = [(fixed + shift).astype(np.int32)]
        cv2.polylines(mask, moved, layer.closed, 255, self._thick(layer), cv2.LINE_AA, _SHIFT)
        return mask

    def _cover(self, layer: Layer, mask: U8Array, patch: _Patch) -> U8Array:
        """Return ``mask`` as far as the layer is opaque and within another."""
        if layer.within:
            inside = self._masks.get(layer.within)
            if inside is None:
                return np.zeros_like(mask)
            mask = np.asarray(cv2.multiply(mask, inside[patch], scale=1 / 255), np.uint8)
        if layer.opacity < 1:
            mask = np.asarray(cv2.convertScaleAbs(mask, alpha=layer.opacity), np.uint8)
        return mask

    @staticmethod
    def _fill(layer: Layer, corners: F64Array, patch: _Patch) -> F32Array:
        """Return the colour, or one a row where the layer has a gradient."""
        above = np.array(layer.fill, np.float32)
        if layer.fill_below is None:
            return above
        first, last = corners[:, 1].min(), corners[:, 1].max()
        share = (np.arange(patch[0].start, patch[0].stop) - first) / max(last - first, 1.0)
        below: Colour = layer.fill_below
        step = np.clip(share, 0, 1)[:, None, None].astype(np.float32)
        rows: F32Array = above + (np.array(below, np.float32) - above) * step
        return rows

    def _blend(self, patch: _Patch, mask: U8Array | None, fill: F32Array) -> None:
        """Lay ``fill`` over what is there, as far as ``mask`` covers it."""
        if mask is None:
            return
        under = self._paint[patch]
        colour = np.empty((*under.shape[:2], 4), np.float32)
        colour[..., :3], colour[..., 3] = fill, 255
        share = mask.astype(np.float32) * np.float32(1 / 255)
        colour -= under
        colour *= share[..., None]
        colour += under
        colour += 0.5
        np.copyto(under, colour, casting="unsafe")
