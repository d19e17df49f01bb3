"""Make the pixels of a frame from what the networks say about it.

The frame is ``alpha * color + (1 - alpha) * warped``, where ``warped`` is the picture with
its posed face sampled at the identity grid plus ``grid_change`` (bilinear, borders
repeated, corners not aligned): the last step of THA3's editor. It leaves as premultiplied
sRGB as ``alpha.py`` defines it. Everything happens in one pass over the fields, and numbers
that are not finite are counted on the way.

Smaller frames are averaged down from 512 pixels; larger ones are made by ``enlarge.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from vtbridge.datatypes import PICTURE_SIZE, F32Array, Picture, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render import _compositor
from vtbridge.render.enlarge import Enlarger, Fields, MixedFields
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.crops import FACE_CROP

CHANNELS = 4


class Compositor:
    """Draw fields as frames of one size.

    It belongs to one thread at a time and holds its scratch, so that a frame allocates
    nothing.

    Args:
        size: side of the frames in pixels.
        threads: that share the rows of a frame. One is best at 512, where memory is what is
            waited for; two are worth it at 1024.

    Raises:
        ValueError: ``size`` is not within 16..2048, or ``threads`` is below 1.
    """

    def __init__(self, size: int = PICTURE_SIZE, *, threads: int = 1) -> None:
        if not 16 <= size <= 4 * PICTURE_SIZE:
            raise ValueError(f"a frame of {size} pixels a side; 16 to {4 * PICTURE_SIZE} can be")
        if threads < 1:
            raise ValueError(f"{threads} threads cannot draw; give at least 1")
        self._size = size
        self._bands = _Bands(threads)
        self._enlarger = Enlarger(size) if size > PICTURE_SIZE else None
        self._full = np.zeros((PICTURE_SIZE, PICTURE_SIZE, CHANNELS), np.uint8)
        self._between: _Between | None = None

    @property
    def size(self) -> int:
        """Side of the frames, in pixels."""
        return self._size

    def set_picture(self, picture: Picture) -> None:
        """Draw fields of ``picture`` from now on.

        Frames of up to 512 pixels are made of the fields alone.
        """
        self._between = None
        if self._enlarger is not None:
            self._enlarger.set_picture(picture)

    def composite(self, fields: FrameFields, out: U8Array) -> None:
        """Draw ``fields``.

        Args:
            fields: what the networks said.
            out: uint8 [size, size, 4], C-contiguous; filled also when this raises.

        Raises:
            InferenceError: a field is not finite somewhere, and ``out`` must not be shown; or
                frames are larger than 512 and no picture was set.
            ValueError: an array has not the shape or type that it should have.
        """
        self._draw(_alone(fields), (fields.face,), out)

    def between(self, older: FrameFields, newer: FrameFields, share: float, out: U8Array) -> None:
        """Draw what lies between two fields of the same picture.

        Grid change, alpha, colour and the posed face are mixed, not the pixels, so that what
        moves is in one place and not in two.

        Args:
            older: drawn where ``share`` is 0.
            newer: drawn where ``share`` is 1.
            share: 0..1.
            out: uint8 [size, size, 4], C-contiguous; filled also when this raises.

        Raises:
            InferenceError: as for ``composite``.
            ValueError: as for ``composite``, or ``share`` lies outside 0..1.
        """
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"a share of {share} lies outside 0..1")
        _check(older)
        _check(newer)
        if self._between is None:
            self._between = _Between(newer.morphed)
        morphed = self._between.morphed(older.face, newer.face, share)
        mixed = (morphed, _arrays(older), _arrays(newer), share, newer.premultiplied)
        self._draw(mixed, (older.face, newer.face), out)

    def signals(self, fields: FrameFields) -> F32Array:
        """Return the frame as the networks' own numbers.

        Returns:
            float32 [4, 512, 512], -1..1 about, linear light, straight alpha also where the
            fields are premultiplied, whatever the size of the frames; the caller's own.

        Raises:
            InferenceError: a field is not finite somewhere.
            ValueError: an array has not the shape or type that it should have.
        """
        mixed = _alone(fields)
        planes = np.empty((CHANNELS, PICTURE_SIZE, PICTURE_SIZE), np.float32)
        _refuse_not_finite(_compositor.signals(mixed, planes, PICTURE_SIZE, 0, PICTURE_SIZE))
        return planes

    def _draw(self, mixed: MixedFields, faces: Sequence[F32Array], out: U8Array) -> None:
        if out.shape != (self._size, self._size, CHANNELS) or out.dtype != np.uint8:
            raise ValueError(
                f"a frame is uint8 [{self._size}, {self._size}, 4], not {out.dtype} {out.shape}"
            )
        if self._enlarger is not None:
            _refuse_not_finite(self._enlarger.draw(mixed, faces, out, self._bands.run))
            return
        target = out if self._size == PICTURE_SIZE else self._full
        _refuse_not_finite(
            self._bands.run(
                lambda row, end: _compositor.shown(mixed, target, PICTURE_SIZE, row, end),
                PICTURE_SIZE,
            )
        )
        if target is not out:
            # Premultiplied, so that what is transparent lends no colour to what is not.
            cv2.resize(target, (self._size, self._size), dst=out, interpolation=cv2.INTER_AREA)


class _Between:
    """The picture with a face that lies between two."""

    def __init__(self, morphed: F32Array) -> None:
        # Outside the face every pose shows the picture itself.
        self._morphed = morphed.copy()
        self._face = np.empty((CHANNELS, FACE_CROP.size, FACE_CROP.size), np.float32)

    def morphed(self, older: F32Array, newer: F32Array, share: float) -> F32Array:
        """Return the picture whose face is mixed of two; valid until the next call."""
        crop = self._morphed[:, FACE_CROP.rows, FACE_CROP.columns]
        np.multiply(older, np.float32(1.0 - share), out=self._face)
        np.multiply(newer, np.float32(share), out=crop)
        np.add(crop, self._face, out=crop)
        return self._morphed


class _Bands:
    """Rows of a frame shared by threads."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._helpers = ThreadPoolExecutor(threads - 1, "compositor") if threads > 1 else None

    def run(self, rows: Callable[[int, int], int | None], count: int) -> int:
        """Call ``rows`` with ranges that make up ``count`` rows; return the sum."""
        if self._helpers is None:
            return rows(0, count) or 0
        edges = [count * band // self._threads for band in range(self._threads + 1)]
        others = [
            self._helpers.submit(rows, edges[band], edges[band + 1])
            for band in range(1, self._threads)
        ]
        own = rows(0, edges[1]) or 0
        return own + sum(other.result() or 0 for other in others)


def _arrays(fields: FrameFields) -> Fields:
    return fields.grid_change, fields.alpha, fields.color


def _alone(fields: FrameFields) -> MixedFields:
    """Return ``fields`` with nothing mixed in."""
    _check(fields)
    return fields.morphed, _arrays(fields), None, 0.0, fields.premultiplied


def _check(fields: FrameFields) -> None:
    """Refuse arrays of another shape or type than C takes for granted."""
    shapes = {
        "morphed": (CHANNELS, PICTURE_SIZE, PICTURE_SIZE),
        "grid_change": (2, PICTURE_SIZE, PICTURE_SIZE),
        "alpha": (CHANNELS, PICTURE_SIZE, PICTURE_SIZE),
        "color": (CHANNELS, PICTURE_SIZE, PICTURE_SIZE),
        "face": (CHANNELS, FACE_CROP.size, FACE_CROP.size),
    }
    for name, shape in shapes.items():
        array = getattr(fields, name)
        if array.shape != shape or array.dtype != np.float32 or not array.flags.c_contiguous:
            raise ValueError(
                f"{name} is float32 {shape}, C-contiguous, not {array.dtype} {array.shape}"
            )


def _refuse_not_finite(count: int) -> None:
    if count:
        raise InferenceError(
            f"the networks gave {count} values that are not finite; the frame is dropped. "
            "If this repeats, try --precision f32 or another runtime"
        )
