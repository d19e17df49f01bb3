"""A posed face is traced back to the drawing, or not believed."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.characters import find_picture
from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.face_flow import FaceFlow
from vtbridge.render.models.crops import FACE_CROP

PICTURE = find_picture("michi")


def face_of(rgba: np.ndarray) -> F32Array:
    crop = rgba[FACE_CROP.rows, FACE_CROP.columns]
    return network_from_straight(np.ascontiguousarray(crop))


def test_the_face_as_drawn_is_where_it_is() -> None:
    flow = FaceFlow(PICTURE).to_drawing(face_of(PICTURE.rgba))
    assert not flow[..., :2].any()
    assert (flow[..., 2] == 1).all()


@pytest.mark.parametrize("pixels", [-3, 2, 5])
def test_a_face_that_moved_is_found_where_it_was(pixels: int) -> None:
    flow = FaceFlow(PICTURE).to_drawing(face_of(np.roll(PICTURE.rgba, pixels, axis=1)))
    eye = flow[90:120, 62:86]
    assert abs(float(np.median(eye[..., 0])) + pixels) < 0.5
    assert abs(float(np.median(eye[..., 1]))) < 0.5
    assert eye[..., 2].mean() > 0.8


def test_the_edge_of_the_crop_stays_where_it_is() -> None:
    flow = FaceFlow(PICTURE).to_drawing(face_of(np.roll(PICTURE.rgba, 4, axis=1)))
    for edge in (flow[0], flow[-1], flow[:, 0], flow[:, -1]):
        assert not edge[..., :2].any()


@pytest.mark.parametrize("seed", range(3))
def test_no_way_is_longer_than_can_be(seed: int) -> None:
    rgba = PICTURE.rgba.copy()
    noise = np.random.default_rng(seed).integers(0, 256, (192, 192, 3))
    rgba[FACE_CROP.rows, FACE_CROP.columns, :3] = noise
    flow = FaceFlow(PICTURE).to_drawing(face_of(rgba))
    assert np.isfinite(flow).all()
    assert np.abs(flow[..., :2]).max() <= 24
    assert flow[..., 2].min() >= 0
    assert flow[..., 2].max() <= 1


def test_a_face_seen_before_is_not_searched_again() -> None:
    search = FaceFlow(PICTURE)
    first = search.to_drawing(face_of(np.roll(PICTURE.rgba, 2, axis=1)))
    search.to_drawing(face_of(PICTURE.rgba))
    assert search.to_drawing(face_of(np.roll(PICTURE.rgba, 2, axis=1))) is first


def test_a_face_written_over_is_searched_again() -> None:
    search = FaceFlow(PICTURE)
    face = face_of(PICTURE.rgba)
    first = search.to_drawing(face)
    face[:] = face_of(np.roll(PICTURE.rgba, 3, axis=1))
    assert np.abs(search.to_drawing(face) - first).max() > 1


def test_a_face_that_is_not_finite_is_refused() -> None:
    face = face_of(PICTURE.rgba)
    face[3, 7, 7] = np.nan
    with pytest.raises(InferenceError, match="not finite"):
        FaceFlow(PICTURE).to_drawing(face)
