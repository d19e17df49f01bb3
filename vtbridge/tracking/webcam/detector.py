"""Finding faces in a whole picture or a part of it: anchors, decoding, merging.

Source: BlazeFace (Bazarevsky et al. 2019) and MediaPipe's face_detection_short_range:
two anchors per cell of a 16x16 grid and six per cell of an 8x8 grid, all of size 1;
detections that overlap are averaged, weighted by score, instead of suppressed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.tracking.webcam.networks import DETECTOR_SIDE, FaceNetworks
from vtbridge.tracking.webcam.region import Region, cut_out, region_around_eyes

F64Array = NDArray[np.float64]

LOWEST_SCORE = 0.5
SAME_FACE_OVERLAP = 0.3
"""Intersection over union above which two boxes are one face."""

_GRIDS = ((16, 2), (8, 6))
_RIGHT_EYE, _LEFT_EYE = 0, 1
_LARGEST_LOGIT = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face that was found.

    Attributes:
        score: 0.5..1.
        box: float64 [4], left, top, right, bottom.
        key_points: float64 [6, 2]: own right eye, own left eye, nose, mouth, own right
            ear, own left ear.
    """

    score: float
    box: F64Array
    key_points: F64Array

    @property
    def side(self) -> float:
        """Return the longer side of the box."""
        left, top, right, bottom = self.box
        return float(max(right - left, bottom - top))


def anchor_centres() -> F64Array:
    """Return float64 [896, 2]: where each anchor is centred, 0..1 of the picture."""
    centres = []
    for cells, per_cell in _GRIDS:
        along = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(along, along)
        centres.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), per_cell, axis=0))
    return np.concatenate(centres)


_ANCHORS = anchor_centres()


def decode(offsets: F32Array, logits: F32Array) -> list[Detection]:
    """Return the faces in the detector's output, the best first, in 0..1 of its input.

    Args:
        offsets: float32 [896, 16], see ``FaceNetworks.detect``.
        logits: float32 [896].
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -_LARGEST_LOGIT, _LARGEST_LOGIT)))
    chosen = np.flatnonzero(scores >= LOWEST_SCORE)
    numbers = offsets[chosen].astype(np.float64).reshape(-1, 8, 2) / DETECTOR_SIDE
    finite = np.isfinite(numbers).all(axis=(1, 2))
    chosen, numbers = chosen[finite], numbers[finite]
    centres = numbers[:, 0] + _ANCHORS[chosen]
    halves = numbers[:, 1] / 2
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    key_points = numbers[:, 2:] + _ANCHORS[chosen, None]
    return merge_overlapping(scores[chosen], boxes, key_points)


def merge_overlapping(scores: F64Array, boxes: F64Array, key_points: F64Array) -> list[Detection]:
    """Return one detection per face: those that overlap the best one, averaged by score.

    Args:
        scores: [N].
        boxes: [N, 4], left, top, right, bottom.
        key_points: [N, K, 2].
    """
    merged = []
    left = np.argsort(-scores, kind="stable")
    while left.size:
        best = left[0]
        same = _overlap(boxes[best], boxes[left]) > SAME_FACE_OVERLAP
        same[0] = True  # an empty box does not overlap even itself
        group = left[same]
        share = scores[group] / scores[group].sum()
        merged.append(
            Detection(
                score=float(scores[best]),
                box=share @ boxes[group],
                key_points=np.einsum("n,nkc->kc", share, key_points[group]),
            )
        )
        left = left[~same]
    return merged


def find_faces(networks: FaceNetworks, rgb: U8Array, window: Region) -> list[Region]:
    """Return where faces are in the upright ``window`` of a picture, the largest first."""
    crop = cut_out(rgb, window, DETECTOR_SIDE, beyond=cv2.BORDER_CONSTANT)
    detections = decode(*networks.detect(crop.astype(np.float32) / np.float32(127.5) - 1))
    detections.sort(key=lambda detection: detection.side, reverse=True)
    corner = np.array([window.x, window.y]) - window.side / 2
    regions = []
    for detection in detections:
        box = detection.box.reshape(2, 2)
        eyes = detection.key_points[[_RIGHT_EYE, _LEFT_EYE]] * window.side + corner
        side = detection.side * window.side
        if side >= 1:
            centre = box.mean(axis=0) * window.side + corner
            regions.append(region_around_eyes(centre, side, eyes[0], eyes[1]))
    return regions


def _overlap(box: F64Array, boxes: F64Array) -> F64Array:
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - shared
    overlap: F64Array = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap
