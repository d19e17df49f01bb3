"""The face tracker with its real model."""

from __future__ import annotations

import pytest

from tests.support.face_model import face_model
from vtbridge.tracking.webcam.tracker import FaceTracker


@pytest.fixture(scope="session")
def shared_face_tracker() -> FaceTracker:
    """Return one tracker for all tests; loading it takes longer than most of them."""
    return FaceTracker(face_model())


@pytest.fixture
def face_tracker(shared_face_tracker: FaceTracker) -> FaceTracker:
    """Return a tracker that has seen nobody yet."""
    shared_face_tracker.reset()
    return shared_face_tracker
