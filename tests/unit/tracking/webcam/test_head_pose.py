"""The head's angles come out of the landmarks with this program's signs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.tracking.rotation import head_pose_from_unity, unity_from_euler
from vtbridge.tracking.webcam.canonical_face import VERTICES, CanonicalFace
from vtbridge.tracking.webcam.head_pose import head_pose_from_rotation, rotation_from_face

F64Array = NDArray[np.float64]

BASIS = np.arange(0, VERTICES, 14)


def a_face() -> CanonicalFace:
    rng = np.random.default_rng(5)
    weights = rng.uniform(0.1, 1.0, BASIS.size)
    return CanonicalFace(BASIS, rng.normal(0, 6, (BASIS.size, 3)), weights / weights.sum())


def landmarks(face: CanonicalFace, rotation: F64Array) -> F64Array:
    """Return landmarks of the face turned by ``rotation``, 9 pixels a unit, in a picture."""
    points = np.zeros((478, 3))
    points[face.basis] = (face.points @ rotation.T) * 9 * (1, -1, -1) + (320, 240, 55)
    return points


def about(axis: int, degrees: float) -> F64Array:
    """Return the right-handed rotation about x (own left), y (up) or z (to the viewer)."""
    angle = math.radians(degrees)
    rotation = np.eye(3)
    first, second = ((1, 2), (2, 0), (0, 1))[axis]
    rotation[first, first] = rotation[second, second] = math.cos(angle)
    rotation[first, second], rotation[second, first] = -math.sin(angle), math.sin(angle)
    return rotation


@pytest.mark.parametrize("degrees", [-50.0, -8.0, 0.0, 20.0, 60.0])
def test_each_axis_has_its_own_sign(degrees: float) -> None:
    face, angle = a_face(), math.radians(degrees)
    # About x the nose goes down; about y it goes to the own left; about z, seen by the
    # viewer, the top of the head goes left, which is the own right shoulder.
    for axis, expected in ((0, (-angle, 0, 0)), (1, (0, -angle, 0)), (2, (0, 0, angle))):
        pose = head_pose_from_rotation(
            rotation_from_face(landmarks(face, about(axis, degrees)), face)
        )
        assert (pose.pitch_rad, pose.yaw_rad, pose.roll_rad) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("angles", [(10, 20, 30), (-15, 35, -20), (25, -40, 12)])
def test_angles_are_those_of_other_trackers(angles: tuple[float, float, float]) -> None:
    pitch, yaw, roll = angles
    face = a_face()
    turned = about(1, -yaw) @ about(0, -pitch) @ about(2, roll)
    ours = head_pose_from_rotation(rotation_from_face(landmarks(face, turned), face))
    unity = unity_from_euler(*(math.radians(a) for a in (-pitch, yaw, -roll)))
    theirs = head_pose_from_unity(unity)
    assert (ours.pitch_rad, ours.yaw_rad, ours.roll_rad) == pytest.approx(
        (theirs.pitch_rad, theirs.yaw_rad, theirs.roll_rad)
    )
    assert math.degrees(ours.yaw_rad) == pytest.approx(yaw)


def test_rotation_is_never_a_reflection() -> None:
    face = a_face()
    mirrored = landmarks(face, np.eye(3))
    mirrored[:, 0] *= -1
    rotation = rotation_from_face(mirrored, face)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_heavy_landmarks_count_more() -> None:
    face = a_face()
    points = landmarks(face, np.eye(3))
    lightest, heaviest = face.basis[face.weights.argmin()], face.basis[face.weights.argmax()]

    def turned_by_moving(landmark: int) -> float:
        moved = points.copy()
        moved[landmark] += (40, 30, 20)
        return float(np.linalg.norm(rotation_from_face(moved, face) - np.eye(3)))

    assert turned_by_moving(int(heaviest)) > 2 * turned_by_moving(int(lightest))


def test_collapsed_landmarks_give_finite_angles() -> None:
    face = a_face()
    pose = head_pose_from_rotation(rotation_from_face(np.zeros((478, 3)), face))
    assert all(math.isfinite(a) for a in (pose.pitch_rad, pose.yaw_rad, pose.roll_rad))
