from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.figures import EYE_X, a_figure, vertices_of
from vtbridge.datatypes import F32Array
from vtbridge.pose_params import POSE_SIZE, PoseParam, pose_param_from_label
from vtbridge.training.figures.binding import bind
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.posing import EYE_TURN_DEG, posed
from vtbridge.training.figures.skeleton import Turning
from vtbridge.training.sources.subject import HEAD_TURN_DEG

FIGURE = a_figure(triangles=900)
BINDING = bind(FIGURE)
P = PoseParam


def moved(**values: float) -> Figure:
    """Return the figure as it is in a pose."""
    return moved_of(FIGURE, values)


def moved_of(figure: Figure, values: Mapping[str, float]) -> Figure:
    """Return any figure as it is in a pose."""
    pose = np.zeros(POSE_SIZE, np.float32)
    for label, value in values.items():
        pose[pose_param_from_label(label)] = value
    positions, normals = posed(figure, bind(figure), pose)
    return replace(figure, positions=positions, normals=normals)


def shift(material: str, **values: float) -> F32Array:
    """Return how far the middle of a material's vertices goes."""
    gone: F32Array = vertices_of(moved(**values), material).mean(0) - vertices_of(
        FIGURE, material
    ).mean(0)
    return gone


def test_at_rest_nothing_moves() -> None:
    still = moved()
    np.testing.assert_array_equal(still.positions, FIGURE.positions)
    np.testing.assert_array_equal(still.normals, FIGURE.normals)


def test_positive_pitch_looks_up() -> None:
    assert shift("口", head_x=1.0)[1] > 0.1
    assert shift("口", head_x=-1.0)[1] < -0.1


def test_positive_yaw_looks_to_the_characters_own_right() -> None:
    assert shift("口", head_y=1.0)[0] < -0.1
    assert shift("口", head_y=-1.0)[0] > 0.1


def test_positive_roll_leans_to_the_characters_own_right_shoulder() -> None:
    assert shift("髪", neck_z=1.0)[0] < -0.1
    assert shift("髪", neck_z=-1.0)[0] > 0.1


def test_irises_look_up_and_to_the_own_right_with_the_same_signs() -> None:
    assert shift("瞳", iris_rotation_x=1.0)[1] > 0.05
    assert shift("瞳", iris_rotation_y=1.0)[0] < -0.05
    assert not shift("白目", iris_rotation_x=1.0, iris_rotation_y=1.0).any()


@pytest.mark.parametrize("name", ["head_x", "head_y", "neck_z"])
def test_a_turn_of_1_is_15_degrees_of_a_rigid_head(name: str) -> None:
    face = vertices_of(FIGURE, "顔").astype(np.float64)
    turned = vertices_of(moved(**{name: 1.0}), "顔").astype(np.float64)
    rotation = best_rotation(face, turned)
    degrees = np.degrees(np.arccos((np.trace(rotation) - 1) / 2))
    assert degrees == pytest.approx(HEAD_TURN_DEG, abs=1e-3)
    centred = (face - face.mean(0)) @ rotation.T + turned.mean(0)
    np.testing.assert_allclose(turned, centred, atol=1e-5)


def best_rotation(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the rotation that takes one cloud to the other (Kabsch)."""
    u, _, vt = np.linalg.svd((before - before.mean(0)).T @ (after - after.mean(0)))
    rotation: NDArray[np.float64] = vt.T @ np.diag([1, 1, np.linalg.det(vt.T @ u.T)]) @ u.T
    return rotation


def test_eyes_turn_about_their_own_bones_in_a_turned_head() -> None:
    pose = {"head_y": 0.7, "neck_z": -0.4}
    head, both = moved(**pose), moved(**pose, iris_rotation_y=1.0)
    for side in (1, -1):
        iris = vertices_of(FIGURE, "瞳")[:, 0] * side > 0
        before = vertices_of(head, "瞳")[iris].astype(np.float64)
        after = vertices_of(both, "瞳")[iris].astype(np.float64)
        degrees = np.degrees(np.arccos((np.trace(best_rotation(before, after)) - 1) / 2))
        assert degrees == pytest.approx(EYE_TURN_DEG, abs=0.01)
        assert np.abs(after - before).max() < 0.2
    assert EYE_X > 0.2  # the eyes are apart, so that one pivot for both would move them far


def test_the_body_stays_and_the_neck_bends_between() -> None:
    tilted = moved(head_x=1.0, head_y=-1.0, neck_z=1.0)
    at_rest = FIGURE.weights[np.arange(len(FIGURE.joints)), 0] == 1.0
    body = at_rest & (FIGURE.joints[:, 0] == 1)
    np.testing.assert_array_equal(tilted.positions[body], FIGURE.positions[body])
    mixed = BINDING.skeleton.mixed
    assert len(mixed)
    went = np.linalg.norm(tilted.positions[mixed] - FIGURE.positions[mixed], axis=1)
    whole = np.linalg.norm(
        moved(neck_z=1.0).positions[BINDING.skeleton.whole[Turning.NECK]]
        - FIGURE.positions[BINDING.skeleton.whole[Turning.NECK]],
        axis=1,
    )
    assert 0 < went.max() < whole.max()


def test_skinning_agrees_with_the_plain_sum_over_bones() -> None:
    pose = np.zeros(POSE_SIZE, np.float32)
    pose[[P.HEAD_X, P.HEAD_Y, P.NECK_Z, P.IRIS_ROTATION_X]] = 0.5, -0.8, 0.3, 1.0
    positions, normals = posed(FIGURE, BINDING, pose)
    worlds = [np.eye(4) for _ in FIGURE.bones]
    for i, bone in enumerate(FIGURE.bones):
        turn = np.eye(4)
        if bone.role == "neck":
            turn[:3, :3] = about("z", 15 * 0.3)
        elif bone.role == "head":
            turn[:3, :3] = about("y", 15 * 0.8) @ about("x", -15 * 0.5)
        elif bone.role.endswith("eye"):
            turn[:3, :3] = about("x", -EYE_TURN_DEG)
        to, back = np.eye(4), np.eye(4)
        to[:3, 3], back[:3, 3] = bone.head, -np.array(bone.head)
        above = worlds[bone.parent] if bone.parent >= 0 else np.eye(4)
        worlds[i] = above @ to @ turn @ back
    stacked = np.array(worlds)[FIGURE.joints]
    blended = np.einsum("vk,vkij->vij", FIGURE.weights, stacked)
    wanted = np.einsum("vij,vj->vi", blended[:, :3, :3], FIGURE.positions) + blended[:, :3, 3]
    np.testing.assert_allclose(positions, wanted, atol=2e-5)
    lengths = np.linalg.norm(normals, axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-5)


def about(axis: str, degrees: float) -> NDArray[np.float64]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def test_morphs_add_up_before_the_head_turns() -> None:
    both = moved(mouth_aaa=0.5, eye_wink_left=1.0, eyebrow_angry_right=0.25)
    wanted = FIGURE.positions.copy()
    for param, weight in (
        (P.MOUTH_AAA, 0.5),
        (P.EYE_WINK_LEFT, 1.0),
        (P.EYEBROW_ANGRY_RIGHT, 0.25),
    ):
        morph = BINDING.morphs[param]
        wanted[morph.vertices] += morph.offsets * np.float32(weight)
    np.testing.assert_allclose(both.positions, wanted, atol=1e-6)
    face = {"mouth_aaa": 0.5, "eye_wink_left": 1.0, "eyebrow_angry_right": 0.25}
    turned = moved(head_y=1.0, **face)
    of_posed = replace(FIGURE, positions=both.positions)
    np.testing.assert_allclose(
        turned.positions, moved_of(of_posed, {"head_y": 1.0}).positions, atol=1e-5
    )


@pytest.mark.parametrize("param", [param for param in P if param in BINDING.shows])
def test_what_it_shows_moves_something(param: PoseParam) -> None:
    assert np.abs(moved(**{param.label: 1.0}).positions - FIGURE.positions).max() > 1e-3


@pytest.mark.parametrize("param", [param for param in P if param not in BINDING.shows])
def test_what_it_does_not_show_moves_nothing(param: PoseParam) -> None:
    np.testing.assert_array_equal(moved(**{param.label: 1.0}).positions, FIGURE.positions)


def test_the_figure_itself_is_left_as_it_is() -> None:
    before = FIGURE.positions.copy(), FIGURE.normals.copy()
    moved(head_x=1.0, mouth_aaa=1.0)
    np.testing.assert_array_equal(FIGURE.positions, before[0])
    np.testing.assert_array_equal(FIGURE.normals, before[1])


@pytest.mark.parametrize("name", ["head_x", "head_y", "neck_z"])
def test_normals_turn_with_the_surface(name: str) -> None:
    part = FIGURE.materials[0]
    used = np.unique(FIGURE.triangles[part.first : part.first + part.count])
    turned = moved(**{name: 1.0})
    rotation = best_rotation(
        FIGURE.positions[used].astype(np.float64), turned.positions[used].astype(np.float64)
    )
    np.testing.assert_allclose(turned.normals[used], FIGURE.normals[used] @ rotation.T, atol=1e-5)
