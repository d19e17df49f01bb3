"""The 478 landmarks of one face in a picture.

Numbers are those of MediaPipe's Face Mesh; "left" and "right" are the subject's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import U8Array
from vtbridge.tracking.webcam.networks import LANDMARKS_SIDE, FaceNetworks
from vtbridge.tracking.webcam.region import Region, cut_out, region_around_landmarks

F64Array = NDArray[np.float64]

LOWEST_PRESENCE = 0.5

RIGHT_OUTER_CORNER = 33
LEFT_OUTER_CORNER = 263

_LARGEST_LOGIT = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class FaceLandmarks:
    """A face where it is in the picture.

    Attributes:
        points: float64 [478, 3], x and y in pixels of the picture, z on the same scale,
            smaller is nearer; see the module for the numbering.
        presence: how sure the network is that this is a face, 0..1.
    """

    points: F64Array
    presence: float

    @property
    def region(self) -> Region:
        """Return where to look for the face in the next picture."""
        return region_around_landmarks(self.points, RIGHT_OUTER_CORNER, LEFT_OUTER_CORNER)


def find_landmarks(networks: FaceNetworks, rgb: U8Array, region: Region) -> FaceLandmarks | None:
    """Return the face in ``region`` of a picture, None if the network sees none there."""
    crop = cut_out(rgb, region, LANDMARKS_SIDE, beyond=cv2.BORDER_REPLICATE)
    points, logit = networks.find_landmarks(crop.astype(np.float32) / np.float32(255))
    if not (math.isfinite(logit) and np.isfinite(points).all()):
        return None
    presence = 1 / (1 + math.exp(-min(max(logit, -_LARGEST_LOGIT), _LARGEST_LOGIT)))
    if presence <= LOWEST_PRESENCE:
        return None
    picture_from_crop = region.picture_from_crop(LANDMARKS_SIDE)
    placed = np.empty(points.shape, np.float64)
    placed[:, :2] = points[:, :2] @ picture_from_crop[:, :2].T + picture_from_crop[:, 2]
    placed[:, 2] = points[:, 2] * (region.side / LANDMARKS_SIDE)
    return FaceLandmarks(placed, presence)
