"""Whatever a camera shows, faces are finite and in range, and nothing crashes."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import videos
from tests.support.face_model import face_model
from vtbridge.datatypes import FaceFrame, U8Array
from vtbridge.tracking.webcam.tracker import LONGEST_SIDE, FaceTracker

EXAMPLES = 40


@functools.cache
def tracker() -> FaceTracker:
    return FaceTracker(face_model())


def check(face: FaceFrame) -> None:
    if not face.tracked:
        assert not face.blendshapes
        return
    assert all(0.0 <= weight <= 1.0 for weight in face.blendshapes.values())
    assert face.head is not None
    assert face.left_eye is not None
    angles = (
        *(face.head.pitch_rad, face.head.yaw_rad, face.head.roll_rad),
        *(face.left_eye.pitch_rad, face.left_eye.yaw_rad),
    )
    assert all(math.isfinite(angle) and abs(angle) <= math.pi for angle in angles)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    height=st.integers(0, 300),
    width=st.integers(0, 300),
    kind=st.sampled_from(["noise", "flat", "stripes"]),
    seed=st.integers(0, 2**32 - 1),
    t_ns=st.integers(0, 2**63 - 1),
)
def test_any_picture_of_any_size(height: int, width: int, kind: str, seed: int, t_ns: int) -> None:
    rng = np.random.default_rng(seed)
    picture: U8Array = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    if kind == "noise":
        picture = rng.integers(0, 256, (height, width, 3), np.uint8)
    elif kind == "stripes":
        picture[:: int(rng.integers(1, 9))] = 255
    check(tracker().track(picture, t_ns))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    scale=st.floats(0.05, 3.0),
    stretch=st.floats(0.3, 3.0),
    degrees=st.floats(-180, 180),
    shift=st.tuples(st.integers(-300, 300), st.integers(-300, 300)),
    gain=st.floats(0.0, 4.0),
)
def test_any_view_of_a_face(
    scale: float, stretch: float, degrees: float, shift: tuple[int, int], gain: float
) -> None:
    view = cv2.getRotationMatrix2D((224, 110), degrees, scale)
    view[0] *= stretch
    view[:, 2] += shift
    picture = cv2.warpAffine(videos.astronaut(), view, (400, 300))
    bright = np.clip(picture * gain, 0, 255).astype(np.uint8)
    for _ in range(2):
        check(tracker().track(bright, 0))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((LONGEST_SIDE + 1, 1, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(picture: U8Array) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        tracker().track(picture, 0)


def test_views_and_read_only_pictures_are_taken() -> None:
    picture = videos.astronaut()
    picture.flags.writeable = False
    assert tracker().track(picture[:, ::-1], 0).tracked
    assert tracker().track(picture[::2, ::2], 1).tracked
    assert tracker().track(picture[..., ::-1], 2).tracked
