"""Find where a posed face shows what the drawing shows, so that moved eyes stay sharp.

The face morpher gives pixels and no flow, but most of a posed face is the drawing, moved by
a few pixels: irises that look aside, lids that sink. Dense inverse search (Kroeger et al.,
"Fast Optical Flow using Dense Inverse Search", ECCV 2016) finds that movement between the
posed face and the picture's own. Where it is wrong the pictures do not look alike, and the
enlarger takes the networks' pixels as it would have done without.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.render.alpha import premultiplied_from_network
from vtbridge.render.models.crops import FACE_CROP

_REMEMBERED = 3
"""Faces whose flow is kept: the two between which frames lie, and the next one."""
_CHANGED_FROM, _CHANGED_BY = 1.0, 4.0
"""Difference from the picture in 8-bit levels, averaged nearby: not followed to followed."""
_NEARBY = 9
_MARGIN = 8
"""Pixels over which the flow fades towards the edge of the crop."""
_LARGEST = 24.0
"""Longest way that is taken, in pixels."""
_WHOLE, _TORN = 0.5, 1.2
"""Change of the flow from a pixel to the next, in pixels: believed to not believed."""


class FaceFlow:
    """Flow from posed faces to the face of a picture."""

    def __init__(self, picture: Picture) -> None:
        rgba = picture.rgba[FACE_CROP.rows, FACE_CROP.columns].astype(np.float32)
        rgba[..., :3] *= rgba[..., 3:] / np.float32(255.0)
        self._drawn = _grey(np.rint(rgba).astype(np.uint8))
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        # Refinement takes most of the time and invents ways where there are none.
        self._search.setVariationalRefinementIterations(0)
        self._search.setFinestScale(1)
        self._posed = np.empty((FACE_CROP.size, FACE_CROP.size, 4), np.uint8)
        self._known: deque[tuple[F32Array, F32Array]] = deque(maxlen=_REMEMBERED)
        ramp = np.minimum(np.arange(FACE_CROP.size) / _MARGIN, 1.0)
        ramp = np.minimum(ramp, ramp[::-1])
        self._fade = np.minimum.outer(ramp, ramp).astype(np.float32)

    def to_drawing(self, face: F32Array) -> F32Array:
        """Return where each pixel of ``face`` is found in the picture.

        Args:
            face: float32 [4, 192, 192], a network signal.

        Returns:
            float32 [192, 192, 3]: x and y in pixels from where it is, and how far that is
            to be believed, 0..1; read-only.

        Raises:
            InferenceError: ``face`` is not finite somewhere.
        """
        for known, flow in self._known:
            if np.array_equal(known, face):
                return flow
        flow = self._found(face)
        flow.flags.writeable = False
        self._known.append((face.copy(), flow))
        return flow

    def _found(self, face: F32Array) -> F32Array:
        premultiplied_from_network(face, self._posed)
        posed = _grey(self._posed)
        flow = np.asarray(self._search.calc(posed, self._drawn, None), np.float32)  # type: ignore[call-overload]
        # What did not change is where it was.
        change = cv2.blur(cv2.absdiff(posed, self._drawn).astype(np.float32), (_NEARBY, _NEARBY))
        weight = np.clip((change - _CHANGED_FROM) / (_CHANGED_BY - _CHANGED_FROM), 0.0, 1.0)
        weight *= self._fade
        flow = np.clip(flow, -_LARGEST, _LARGEST) * weight[..., None]
        torn = np.clip((_stretch(flow) - _WHOLE) / (_TORN - _WHOLE), 0.0, 1.0)
        return np.dstack([flow, 1.0 - torn]).astype(np.float32)


def _stretch(flow: F32Array) -> F32Array:
    """Return how much ``flow`` [H, W, 2] changes at most between neighbours, [H, W]."""
    largest = np.zeros(flow.shape[:2], np.float32)
    for axis in (0, 1):
        change = np.abs(np.diff(flow, axis=axis)).max(axis=2)
        for side in (np.s_[:-1], np.s_[1:]):
            part = largest[side] if axis == 0 else largest[:, side]
            np.maximum(part, change, out=part)
    return largest


def _grey(rgba: U8Array) -> U8Array:
    """Return premultiplied ``rgba`` [H, W, 4] over grey, as brightness [H, W]."""
    luma = cv2.cvtColor(rgba, cv2.COLOR_RGBA2GRAY)
    behind = 127.5
    return np.asarray(cv2.addWeighted(luma, 1.0, rgba[..., 3], -behind / 255.0, behind), np.uint8)
