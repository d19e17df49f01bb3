"""Frames of more than 512 pixels: the drawing's own pixels wherever the networks move them.

The networks show 512x512 pixels, and of most of them they only say where they come from. So
three pictures are made: ``N``, the networks' own frame; ``W``, the 512x512 picture moved by
the same flow; and ``H``, the drawing in full size moved by the flow made larger bilinearly.
With ``up`` a Catmull-Rom interpolation, all in premultiplied encoded levels::

    out = up(N) + keep * (H - up(W))

which puts back what 512 pixels could not hold: the details of the drawing. For ``W`` and
``H`` the flow goes on through the face, whose own movement ``face_flow.py`` finds, so that
eyes that look aside are the drawing's eyes. ``keep`` is 1
where ``N`` looks like ``W`` and 0 where it does not: a mouth that opened, closed lids, hair
painted over what was uncovered. It is judged in each 5x5 window by how much of the
variance of ``W`` the variance of ``N - W`` amounts to, in luma and alpha, so a change of
brightness or colour alone keeps the details; and it fades where a flow tears.

The networks move even what stands still by a part of a pixel, which would blur hard outlines
of the drawing for nothing. So ``H`` takes ways below ``_STILL`` shortened, by a smooth step of
their length, and less so in frames below 1024, which hold fewer details. ``W`` takes them as
they are, so that what it has in common with ``N`` still cancels. Every step is continuous in
the fields, hence nothing flickers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import PICTURE_SIZE, F32Array, Picture, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render import _compositor, _enlarge
from vtbridge.render.face_flow import FaceFlow
from vtbridge.render.models.crops import FACE_CROP

_NOISE = 16.0
"""Variance that is below notice, in squared 8-bit levels."""
_ALIKE, _UNLIKE = 0.15, 0.6
"""Variance of the difference over that of the picture: all details to none."""
_WHOLE, _TORN = 1.5, 3.0
"""Change of the flow from a pixel to the next, in pixels: all details to none."""
_STILL = 0.9
"""Way in pixels of the 512x512 picture: shorter ones of a drawing of 1024 or more are shortened
to nothing. At rest the networks move clothes by .1 to .4, and outlines by up to 1."""

Fields = tuple[F32Array, F32Array, F32Array]
MixedFields = tuple[F32Array, Fields, Fields | None, float, bool]
RunRows = Callable[[Callable[[int, int], int | None], int], int]


class Enlarger:
    """Draw fields as frames of more than 512 pixels a side.

    Args:
        size: side of the frames in pixels, at most 2048.
    """

    def __init__(self, size: int) -> None:
        side = PICTURE_SIZE
        self._size = size
        self._picture: F32Array | None = None
        self._still = 0.0
        self._face_flow: FaceFlow | None = None
        self._original: F32Array = np.empty(0, np.float32)
        self._pairs = np.zeros((side, side, 8), np.float32)
        self._marks = np.zeros((4, side, side), np.float32)
        self._flow = np.zeros((2, side, side), np.float32)
        self._keep = np.zeros((side, side), np.float32)
        self._extents: NDArray[np.int32] = np.zeros((side, 2), np.int32)

    def set_picture(self, picture: Picture) -> None:
        """Take details from ``picture``: from its original, or from itself if it has none."""
        source = picture.rgba if picture.original is None else picture.original
        # What has no more details than 512 pixels hold can lose none.
        details = min(len(source), self._size) / PICTURE_SIZE - 1.0
        self._still = _STILL * min(max(details, 0.0), 1.0)
        drawing = _resized(_premultiplied(source), self._size)
        # Catmull-Rom looks one pixel back and two ahead.
        bordered = cv2.copyMakeBorder(drawing, 1, 2, 1, 2, cv2.BORDER_REPLICATE)
        self._original = np.ascontiguousarray(bordered, np.float32)
        self._picture = _premultiplied(picture.rgba)
        self._face_flow = FaceFlow(picture)

    def draw(
        self, mixed: MixedFields, faces: Sequence[F32Array], out: U8Array, run_rows: RunRows
    ) -> int:
        """Draw ``mixed``, which shows one face or what lies between two.

        Args:
            mixed: what ``_compositor`` takes.
            faces: float32 [4, 192, 192]; of the older fields, and of the newer if any.
            out: uint8 [size, size, 4].
            run_rows: calls a function with ranges of rows, on as many threads as are wanted.

        Returns:
            How many values of the fields are not finite.

        Raises:
            InferenceError: no picture was set, or a face is not finite.
        """
        side, picture, face_flow = PICTURE_SIZE, self._picture, self._face_flow
        if picture is None or face_flow is None:
            raise InferenceError("there is no picture to take details from; call set_picture first")
        flows = [face_flow.to_drawing(face) for face in faces]
        share = np.float32(mixed[3])
        bend = flows[0] if len(flows) == 1 else flows[0] * (1 - share) + flows[1] * share
        not_finite = run_rows(
            lambda row, end: _compositor.traced(
                mixed,
                picture,
                bend,
                FACE_CROP.x,
                FACE_CROP.y,
                FACE_CROP.size,
                self._pairs,
                self._marks,
                self._flow,
                self._keep,
                self._extents,
                side,
                row,
                end,
            ),
            side,
        )
        limits = (_NOISE, _ALIKE, _UNLIKE, _WHOLE, _TORN)
        run_rows(
            lambda row, end: _enlarge.keep(
                self._marks, self._flow, self._extents, self._keep, limits, side, row, end
            ),
            side,
        )
        run_rows(
            lambda row, end: _enlarge.enlarge(
                self._pairs,
                self._keep,
                self._flow,
                self._extents,
                self._original,
                out,
                self._still,
                side,
                self._size,
                row,
                end,
            ),
            self._size,
        )
        return not_finite


def _premultiplied(rgba: U8Array) -> F32Array:
    """Return straight uint8 [H, W, 4] as premultiplied levels, 0..255."""
    levels = rgba.astype(np.float32)
    levels[..., :3] *= levels[..., 3:] / np.float32(255.0)
    return levels


def _resized(levels: F32Array, size: int) -> F32Array:
    """Return square premultiplied ``levels`` as float32 [size, size, 4], each within alpha."""
    side = len(levels)
    if side != size:
        smaller = side > size
        method = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
        levels = cv2.resize(levels, (size, size), interpolation=method).astype(np.float32)
    alpha = np.clip(levels[..., 3:], 0, 255)
    return np.concatenate([np.clip(levels[..., :3], 0, alpha), alpha], axis=2)
