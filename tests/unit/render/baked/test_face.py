"""The baked face: what its tensors say, and nothing at all from tensors that are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.errors import WeightsError
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.baked import _face
from vtbridge.render.baked.face import BakedFace

SIDE = 192
PLANE = SIDE * SIDE
PARTS, WIDTH, BENDS, POINTS, ROWS, PLACES = 3, 7, 5, 40, 13, 1000

Tensors = dict[str, NDArray[Any]]


def tensors(*, rows: int = ROWS) -> Tensors:
    rng = np.random.default_rng(4)

    def normal(*shape: int) -> F32Array:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    places = np.sort(rng.permutation(4 * PLANE)[:PLACES]).astype(np.int32)
    return {
        "face.neutral": rng.integers(1, 256, (SIDE, SIDE, 4), dtype=np.uint8),
        "face.places": places,
        "face.basis": rng.integers(-127, 128, (rows, PLACES), dtype=np.int8),
        "face.linear": normal(PARTS, WIDTH, 39),
        "face.bend": normal(PARTS, BENDS, 39),
        "face.bend_bias": normal(PARTS, BENDS),
        "face.bent": normal(PARTS, WIDTH, BENDS),
        "face.shares": rng.uniform(0.5, 2, PARTS).astype(np.float32),
        "face.points": normal(PARTS, POINTS, WIDTH),
        "face.weights": normal(rows, POINTS),
    }


def pose(seed: int) -> F32Array:
    return np.random.default_rng(seed).uniform(0, 1, 39).astype(np.float32)


def expected(held: Tensors, values: F32Array) -> NDArray[np.float64]:
    """Return the face as the definition says it, in double precision."""
    exact = {name.removeprefix("face."): array.astype(np.float64) for name, array in held.items()}
    alike = np.zeros(POINTS)
    for part in range(PARTS):
        bends = np.tanh(exact["bend"][part] @ values + exact["bend_bias"][part])
        placed = exact["linear"][part] @ values + exact["bent"][part] @ bends
        root = np.sqrt(3) * np.linalg.norm(exact["points"][part] - placed, axis=1)
        alike += exact["shares"][part] * (1 + root) * np.exp(-root)
    weights = exact["weights"] @ alike
    face = network_from_straight(held["face.neutral"]).astype(np.float64).reshape(-1)
    neutral = exact["neutral"].transpose(2, 0, 1).reshape(-1)
    places = held["face.places"]
    unit = np.clip(neutral[places] + weights @ exact["basis"], 0, 255) / 255
    linear = np.where(unit <= 0.04045, unit / 12.92, ((unit + 0.055) / 1.055) ** 2.4)
    face[places] = 2 * np.where(places < 3 * PLANE, linear, unit) - 1
    return face.reshape(4, SIDE, SIDE)


@pytest.mark.parametrize("rows", [1, 3, 4, ROWS])
def test_a_face_is_what_its_tensors_say(rows: int) -> None:
    held = tensors(rows=rows)
    baked = BakedFace(held)
    for seed in range(3):
        wanted = expected(held, pose(seed))
        assert wanted.std() > 0.1
        np.testing.assert_allclose(baked.face(pose(seed)), wanted, atol=2e-5)


def test_what_does_not_move_is_the_face_at_rest_to_the_bit() -> None:
    held = tensors()
    face = BakedFace(held).face(pose(0)).reshape(-1)
    still = np.setdiff1d(np.arange(4 * PLANE), held["face.places"])
    np.testing.assert_array_equal(
        face[still], network_from_straight(held["face.neutral"]).reshape(-1)[still]
    )


def test_a_face_depends_on_its_pose_alone() -> None:
    one, other = BakedFace(tensors()), BakedFace(tensors())
    other.face(pose(7))
    np.testing.assert_array_equal(one.face(pose(1)), other.face(pose(1)))


def test_the_same_pose_again_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    baked = BakedFace(tensors())
    first = baked.face(pose(1)).copy()
    asked: list[object] = []
    monkeypatch.setattr(_face, "expand", lambda *args: asked.append(args))
    np.testing.assert_array_equal(baked.face(pose(1)), first)
    assert asked == []
    baked.face(pose(2))
    assert len(asked) == 1


def test_the_face_handed_out_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        BakedFace(tensors()).face(pose(1))[0, 0, 0] = 0


def test_tensors_may_change_after_a_face_was_made_of_them() -> None:
    held = tensors()
    baked = BakedFace(held)
    wanted = expected(held, pose(1))
    for array in held.values():
        array[...] = 1
    np.testing.assert_allclose(baked.face(pose(1)), wanted, atol=2e-5)


def test_tensors_of_the_body_are_not_looked_at() -> None:
    BakedFace({**tensors(), "body.anything": np.zeros(3)})


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(38, np.float32),
        np.zeros(39, np.float64),
        np.full(39, np.nan, np.float32),
        np.full(39, np.inf, np.float32),
    ],
)
def test_a_pose_that_is_none_is_refused_and_the_next_is_shown(wrong: NDArray[Any]) -> None:
    baked = BakedFace(tensors())
    with pytest.raises(ValueError, match="pose"):
        baked.face(wrong)
    np.testing.assert_allclose(baked.face(pose(1)), expected(tensors(), pose(1)), atol=2e-5)


def test_numbers_that_overflow_give_a_face_all_the_same() -> None:
    held = tensors()
    for name in ("face.linear", "face.points", "face.weights"):
        held[name][...] = np.float32(3e38)
    face = BakedFace(held).face(pose(1))
    assert np.isfinite(face).all()
    assert face.min() >= -1
    assert face.max() <= 1


def with_value(name: str, value: float) -> Tensors:
    held = tensors()
    held[name].reshape(-1)[3] = value
    return held


def replaced(name: str, array: NDArray[Any]) -> Tensors:
    return {**tensors(), name: array}


def with_places(change: dict[int, int]) -> Tensors:
    held = tensors()
    for index, place in change.items():
        held["face.places"][index] = place
    return held


HOSTILE = {
    "absent": {k: v for k, v in tensors().items() if k != "face.weights"},
    "nothing": {},
    "unknown": {**tensors(), "face.code": np.zeros(1)},
    "not finite": with_value("face.bent", np.nan),
    "infinite": with_value("face.weights", -np.inf),
    "wrong type": replaced("face.basis", tensors()["face.basis"].astype(np.int16)),
    "other endianness": replaced("face.linear", tensors()["face.linear"].astype(">f4")),
    "objects": replaced("face.shares", np.array([None] * PARTS)),
    "wrong rank": replaced("face.shares", tensors()["face.shares"][None]),
    "other picture": replaced("face.neutral", np.zeros((SIDE, SIDE, 3), np.uint8)),
    "other pose": replaced("face.linear", np.zeros((PARTS, WIDTH, 45), np.float32)),
    "other rows": replaced("face.basis", tensors()["face.basis"][:-1]),
    "other places": replaced("face.basis", tensors()["face.basis"][:, :-1].copy()),
    "other points": replaced("face.weights", np.zeros((ROWS, POINTS + 1), np.float32)),
    "other bends": replaced("face.bent", np.zeros((PARTS, WIDTH, BENDS + 1), np.float32)),
    "other parts": replaced("face.points", np.zeros((PARTS + 1, POINTS, WIDTH), np.float32)),
    "no points": {
        **tensors(),
        "face.points": np.zeros((PARTS, 0, WIDTH), np.float32),
        "face.weights": np.zeros((ROWS, 0), np.float32),
    },
    "no rows": {
        **tensors(),
        "face.basis": np.zeros((0, PLACES), np.int8),
        "face.weights": np.zeros((0, POINTS), np.float32),
    },
    "no places": {
        **tensors(),
        "face.basis": np.zeros((ROWS, 0), np.int8),
        "face.places": np.zeros(0, np.int32),
    },
    "too many rows": {
        **tensors(),
        "face.basis": np.zeros((1025, PLACES), np.int8),
        "face.weights": np.zeros((1025, POINTS), np.float32),
    },
    "place below": with_places({0: -1}),
    "place beyond": with_places({PLACES - 1: 4 * PLANE}),
    "place twice": with_places({5: int(tensors()["face.places"][4])}),
    "places that fall": with_places({500: 0}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_wrong_tensors_are_refused_with_the_remedy(name: str) -> None:
    with pytest.raises(WeightsError, match="vtbridge character bake"):
        BakedFace(HOSTILE[name])


def test_the_native_part_refuses_arrays_that_do_not_fit() -> None:
    words = np.zeros((1, 2, _face.BLOCK // 4), np.uint32)
    weights, start = np.zeros(2, np.float32), np.zeros(9, np.float32)
    places, face = np.arange(9, dtype=np.int32), np.zeros((4, 8, 8), np.float32)
    _face.expand(words, weights, start, places, 9, face)
    wrong: list[tuple[Any, ...]] = [
        (words[:, :1].copy(), weights, start, places, 9, face),
        (words, weights[:1].copy(), start, places, 9, face),
        (words, weights[:0].copy(), start, places, 9, face),
        (words, weights, start[:-1].copy(), places, 9, face),
        (words, weights, np.zeros(_face.BLOCK + 1, np.float32), places, 9, face),
        (words, weights, start, places[:-1].copy(), 9, face),
        (words, weights, start, places + np.int32(248), 9, face),
        (words, weights, start, places - np.int32(1), 9, face),
    ]
    for args in wrong:
        with pytest.raises(ValueError, match=r"sizes|place"):
            _face.expand(*args)
    with pytest.raises((ValueError, BufferError)):
        _face.expand(words, weights, start, places, 9, face[:, ::2])
