"""The basis of faces: as near as principal components come, in 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vtbridge.datatypes import F32Array, Picture
from vtbridge.render.alpha import network_from_straight
from vtbridge.training.distill.face_basis import FaceBasis, fit_basis, moving_places
from vtbridge.training.distill.face_samples import POSE_SIZE, SHAPE, FaceSamples


def moving_edges(count: int, places: int = 400) -> F32Array:
    """Return pictures of two edges that move by themselves, which no few rows hold exactly."""
    rng = np.random.default_rng(0)
    x = np.arange(places, dtype=np.float32)
    at = rng.uniform(0, places, (2, count, 1)).astype(np.float32)
    edges: F32Array = 90 * np.tanh((x - at[0]) / 9) + 30 * np.tanh((x - at[1]) / 5)
    return edges


def summed(basis: FaceBasis, coordinates: F32Array) -> F32Array:
    weights = np.linalg.solve(basis.isometry.T, coordinates.T).T
    faces: F32Array = weights @ (basis.rows * basis.scales[:, None])
    return faces


def rms(values: F32Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("rows", [4, 40, 70])
def test_faces_are_sums_of_the_rows_as_nearly_as_unrounded_components_come(rows: int) -> None:
    faces = moving_edges(300)
    basis = fit_basis(faces, rows)
    assert basis.rows.dtype == np.int8
    assert basis.rows.shape == (rows, 400)
    singular = np.linalg.svd(faces, compute_uv=False)
    best = float(np.sqrt(np.square(singular[rows:]).sum() / faces.size))
    ours = rms(faces - summed(basis, basis.coordinates(faces)))
    assert ours < 1.15 * best + 0.05


def test_rows_make_up_for_the_rounding_of_those_before_them() -> None:
    faces = moving_edges(300)
    basis = fit_basis(faces, 70)
    ours = rms(faces - summed(basis, basis.coordinates(faces)))
    exact = np.linalg.svd(faces, full_matrices=False)[2][:70]
    step = np.abs(exact).max(axis=1, keepdims=True) / 127
    rounded = np.rint(exact / step) * step
    weights = np.linalg.lstsq(rounded.T, faces.T, rcond=None)[0].T
    assert ours < 0.5 * rms(faces - weights @ rounded)


def test_distances_of_coordinates_are_distances_of_faces() -> None:
    faces = moving_edges(200)
    basis = fit_basis(faces, 32)
    coordinates = basis.coordinates(faces)
    between = np.linalg.norm(coordinates[1:] - coordinates[:-1], axis=1)
    shown = summed(basis, coordinates)
    np.testing.assert_allclose(between, np.linalg.norm(shown[1:] - shown[:-1], axis=1), rtol=1e-3)


@pytest.mark.parametrize(("count", "places"), [(1, 400), (5, 400), (50, 7)])
def test_there_are_no_more_rows_than_faces_or_places(count: int, places: int) -> None:
    basis = fit_basis(moving_edges(count, places), 64)
    assert len(basis.rows) == min(count, places)


def test_faces_that_are_all_at_rest_have_a_basis_too() -> None:
    basis = fit_basis(np.zeros((3, 20), np.float32), 8)
    coordinates = basis.coordinates(np.zeros((3, 20), np.float32))
    assert np.isfinite(coordinates).all()
    assert not coordinates.any()


def test_the_same_faces_give_the_same_basis() -> None:
    one, other = fit_basis(moving_edges(50), 16), fit_basis(moving_edges(50), 16)
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.isometry, other.isometry)


def test_only_what_is_seen_to_move_is_a_moving_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rgba = rng.integers(60, 200, (512, 512, 4), np.uint8)
    samples = FaceSamples(
        tmp_path / "faces.log", Picture(rgba=rgba, name="test", digest=f"{0:064x}")
    )
    levels = rng.integers(60, 200, SHAPE, np.uint8)
    levels[..., 3] = 255
    levels[7, 7, 3] = 2  # all but transparent
    samples.add(np.zeros(POSE_SIZE, np.float32), network_from_straight(levels))
    levels[5, 6, 1] += 3
    levels[5, 7, 1] += 2
    levels[7, 7, 0] ^= 90
    levels[9, 9, 3] -= 9
    samples.add(np.ones(POSE_SIZE, np.float32), network_from_straight(levels))
    places = np.unravel_index(moving_places(samples), SHAPE)
    assert np.transpose(places).tolist() == [[5, 6, 1], [9, 9, 3]]
