"""Square, turned regions of a picture, and cutting them out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array, U8Array

F64Array = NDArray[np.float64]

_GROWTH = 1.5
"""Side of a region against the face in it; the networks were trained with it."""


@dataclass(frozen=True, slots=True)
class Region:
    """A square in a picture.

    Attributes:
        x: of its centre, pixels of the picture.
        y: of its centre, downwards.
        side: its length, pixels.
        angle_rad: direction of its own x axis, clockwise in the picture.
    """

    x: float
    y: float
    side: float
    angle_rad: float = 0.0

    def picture_from_crop(self, size: int) -> F64Array:
        """Return [2, 3]: from pixels of a ``size`` x ``size`` crop to pixels of the picture."""
        scale = self.side / size
        cos, sin = math.cos(self.angle_rad) * scale, math.sin(self.angle_rad) * scale
        half = size / 2
        return np.array(
            [
                [cos, -sin, self.x - half * (cos - sin)],
                [sin, cos, self.y - half * (sin + cos)],
            ]
        )


def whole_picture(rgb: U8Array) -> Region:
    """Return the smallest upright square that holds all of uint8 [H, W, 3] ``rgb``."""
    height, width = rgb.shape[:2]
    return Region(width / 2, height / 2, float(max(height, width)))


def cut_out(rgb: U8Array, region: Region, size: int, *, beyond: int) -> U8Array:
    """Return the region as uint8 [size, size, 3].

    Args:
        rgb: uint8 [H, W, 3].
        region: what to cut out; it may reach over the edge.
        size: side of the result.
        beyond: what lies over the edge, ``cv2.BORDER_REPLICATE`` or ``cv2.BORDER_CONSTANT``.
    """
    crop = cv2.warpAffine(
        rgb,
        region.picture_from_crop(size),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=beyond,
    )
    return np.asarray(crop, np.uint8)


def region_around_eyes(
    box_centre: F64Array, box_side: float, right_eye: F64Array, left_eye: F64Array
) -> Region:
    """Return the region of a detected face: its box, grown, upright by the line of its eyes."""
    across = left_eye - right_eye
    return Region(
        x=float(box_centre[0]),
        y=float(box_centre[1]),
        side=box_side * _GROWTH,
        angle_rad=math.atan2(across[1], across[0]),
    )


def region_around_landmarks(
    points: F32Array | F64Array, right_corner: int, left_corner: int
) -> Region:
    """Return where to look for the same face in the next picture.

    Args:
        points: [N, >=2], x and y in pixels of the picture.
        right_corner: index of the outer corner of the own right eye.
        left_corner: index of the outer corner of the own left eye.
    """
    flat = points[:, :2].astype(np.float64)
    across = flat[left_corner] - flat[right_corner]
    angle_rad = math.atan2(across[1], across[0])
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    upright_from_picture = np.array([[cos, sin], [-sin, cos]])
    upright = flat @ upright_from_picture.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = upright_from_picture.T @ ((low + high) / 2)
    side = float((high - low).max()) * _GROWTH
    return Region(float(centre[0]), float(centre[1]), side, angle_rad)
