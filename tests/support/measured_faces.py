"""Where the faces of pictures that nobody learnt from are, measured by eye, and how far off one is.

Left, top, right and bottom in a picture of 512 pixels: head, left eye, right eye, mouth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.characters.face_landmarks import FaceLandmarks
from vtbridge.datatypes import U8Array
from vtbridge.training.synthetic.scene import draw_background

F64Array = NDArray[np.float64]
Corners = tuple[float, float, float, float]

MEASURED: Mapping[str, tuple[Corners, Corners, Corners, Corners]] = {
    "michi": (
        (199, 61, 313, 190),
        (264, 136.5, 292.5, 160),
        (219.5, 136.5, 248, 160),
        (249, 172.5, 263, 176),
    ),
    "momo": (
        (199, 59.5, 313, 191),
        (265.5, 137.5, 292, 160),
        (220.5, 137.5, 246, 160),
        (249, 172, 262.5, 175.5),
    ),
    "ren": (
        (200, 58, 312, 192),
        (265.5, 140.5, 292, 159.5),
        (219.5, 140.5, 246.5, 159.5),
        (249, 173.5, 263, 176.5),
    ),
    "sumi": (
        (196, 58, 316, 191),
        (265.5, 137.5, 291, 160),
        (221, 137.5, 246.5, 160),
        (249, 172, 263, 175),
    ),
    "yuki": (
        (196.5, 58, 315, 191),
        (265.5, 138.5, 291, 160),
        (220.5, 138.5, 246, 160),
        (249, 172, 262.5, 175),
    ),
    "lambda": (
        (186, 65, 326, 191),
        (266, 137.5, 296, 153),
        (216, 137.5, 244, 153),
        (248, 170, 264, 178),
    ),
}


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far what was found lies from what was measured.

    Attributes:
        head_iou: intersection of both head boxes over their union.
        eyes_percent: the mean distance of the eyes' middles, % of the head's width.
        mouth_percent: the same of the mouth.
        eyes_iou: the mean of both eyes' boxes.
    """

    head_iou: float
    eyes_percent: float
    mouth_percent: float
    eyes_iou: float


def deviation(found: FaceLandmarks, corners: F64Array) -> Deviation:
    """Return how far ``found`` is from 4 x (left, top, right, bottom)."""
    sized = np.array([found.head_box, found.left_eye, found.right_eye, found.mouth])
    boxes = np.concatenate([sized[:, :2], sized[:, :2] + sized[:, 2:]], axis=1)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 - (corners[:, :2] + corners[:, 2:]) / 2
    apart = 100 * np.hypot(*middles.T) / (corners[0, 2] - corners[0, 0])
    ious = [iou(box, right) for box, right in zip(boxes, corners, strict=True)]
    return Deviation(
        head_iou=ious[0],
        eyes_percent=float(apart[1:3].mean()),
        mouth_percent=float(apart[3]),
        eyes_iou=float(np.mean(ious[1:3])),
    )


def iou(first: F64Array, second: F64Array) -> float:
    """Return the intersection of two boxes over their union."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (first, second)]
    return shared / (sum(areas) - shared)


@dataclass(frozen=True, slots=True)
class Pasted:
    """A character somewhere in a picture: what there is to search, and where its face is."""

    rgba: U8Array
    corners: F64Array


def pasted(rgba: U8Array, corners: F64Array, random: np.random.Generator) -> Pasted:
    """Return a character of 512 pixels moved, turned and scaled, on a background or on none.

    Its head is 15 to 85 % of the picture's shorter side; the whole head is in the picture.
    """
    width, height = (int(side) for side in random.integers(200, 900, 2))
    head = corners[0]
    scale = random.uniform(0.15, 0.85) * min(width, height) / (head[2:] - head[:2]).max()
    half = 0.55 * scale * (head[2:] - head[:2])
    x = random.uniform(half[0], width - half[0])
    y = random.uniform(half[1], height - half[1])
    turn = random.normal(0, 0.1)
    cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    matrix = np.column_stack([linear, [x, y] - linear @ ((head[:2] + head[2:]) / 2)])
    soft = rgba if scale > 0.8 else cv2.GaussianBlur(rgba, (0, 0), 0.35 / scale)
    moved = np.asarray(cv2.warpAffine(soft, matrix, (width, height)), np.uint8)
    if random.random() < 0.7:
        behind = draw_background(int(random.integers(9_000_000, 9_900_000)))
        large = cv2.resize(behind, (width, height), interpolation=cv2.INTER_CUBIC)
        alpha = moved[..., 3:] / 255
        flat = moved[..., :3] * alpha + large * (1 - alpha)
        moved = np.dstack([flat, np.full(alpha.shape, 255)]).astype(np.uint8)
    middles = (corners[:, :2] + corners[:, 2:]) / 2 @ linear.T + matrix[:, 2]
    sides = (corners[:, 2:] - corners[:, :2]) * scale
    return Pasted(moved, np.concatenate([middles - sides / 2, middles + sides / 2], axis=1))
