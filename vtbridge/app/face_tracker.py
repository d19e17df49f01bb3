"""The face tracker with the model that ``vtbridge weights pull face-landmarker`` fetched."""

from __future__ import annotations

from vtbridge.render.weights import FACE_LANDMARKER, WeightStore
from vtbridge.tracking.webcam.tracker import FaceTracker


def open_face_tracker(threads: int = 1) -> FaceTracker:
    """Return a tracker of faces in pictures.

    Args:
        threads: of its networks.

    Raises:
        WeightsError: the model is not in the store or damaged; the message tells the remedy.
    """
    return FaceTracker(WeightStore().face_model(FACE_LANDMARKER), threads=threads)
