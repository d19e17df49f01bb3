"""Training of the face: it learns, and what happens to the process on the way costs little."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vtbridge.clock import ManualClock
from vtbridge.datatypes import F32Array, Picture
from vtbridge.pose_params import PoseParam
from vtbridge.render.alpha import network_from_straight
from vtbridge.render.baked.face import BakedFace
from vtbridge.training.distill.face import FaceTrainer

MOST_BYTES = 5_000_000
MOVED = np.s_[100:140, 80:120]


def picture() -> Picture:
    rng = np.random.default_rng(0)
    rgba = np.repeat(np.repeat(rng.integers(30, 220, (64, 64, 4), np.uint8), 8, 0), 8, 1)
    rgba[..., 3] = 255
    return Picture(rgba=rgba, name="test", digest=f"{1:064x}")


def posed_face(pose: F32Array) -> F32Array:
    """Return a face with a mouth that opens and an iris that turns, both softly edged."""
    levels = picture().rgba[32:224, 160:352].astype(np.float32)
    y, x = np.mgrid[0:40, 0:40].astype(np.float32)
    opened = 1 / (1 + np.exp(np.abs(y - 20) - 12 * pose[PoseParam.MOUTH_AAA]))
    iris = np.exp(-(((x - 20 - 8 * pose[PoseParam.IRIS_ROTATION_X]) / 6) ** 2))
    levels[100:140, 80:120, 0] *= 1 - 0.8 * opened
    levels[60:100, 80:120, 2] *= 1 - 0.7 * iris
    return network_from_straight(np.rint(levels).astype(np.uint8))


def poses(count: int, seed: int) -> F32Array:
    rng = np.random.default_rng(seed)
    result = np.zeros((count, 39), np.float32)
    result[:, PoseParam.MOUTH_AAA] = rng.uniform(0, 1, count)
    result[:, PoseParam.IRIS_ROTATION_X] = rng.uniform(-1, 1, count)
    result[0] = 0
    return result


def trainer(folder: Path, count: int = 40, seed: int = 1) -> FaceTrainer:
    learner = FaceTrainer(folder, picture(), ManualClock())
    for pose in poses(count, seed):
        learner.add(pose, posed_face(pose))
    return learner


def steps(count: int) -> Callable[[], bool]:
    """Return a ``stop`` that lets ``count`` steps pass."""
    asked = itertools.count()
    return lambda: next(asked) >= count


def error(baked: BakedFace, seed: int = 2) -> float:
    """Return the root mean square of the error on poses that nobody learnt, in signals."""
    squares = [np.square(baked.face(p) - posed_face(p)).mean() for p in poses(12, seed)[1:]]
    return float(np.sqrt(np.mean(squares)))


def neutral_error() -> float:
    rest = posed_face(np.zeros(39, np.float32))
    squares = [np.square(rest - posed_face(p)).mean() for p in poses(12, 2)[1:]]
    return float(np.sqrt(np.mean(squares)))


def test_faces_never_seen_come_out_right_after_a_short_training(tmp_path: Path) -> None:
    tensors = trainer(tmp_path).train(1.0, steps(40))
    assert error(BakedFace(tensors)) < 0.06 * neutral_error()
    assert sum(array.nbytes for array in tensors.values()) <= MOST_BYTES


def test_training_goes_on_from_where_a_killed_process_was(tmp_path: Path) -> None:
    first = trainer(tmp_path)
    before = error(BakedFace(first.train(1.0, steps(40))))
    (tmp_path / "face.part").write_bytes(b"half a checkpoint")
    again = FaceTrainer(tmp_path, picture(), ManualClock())
    assert len(again.poses) == 40
    assert error(BakedFace(again.train(1.0, steps(0)))) < 1.2 * before


def test_a_checkpoint_is_there_before_training_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    learner = FaceTrainer(tmp_path, picture(), clock)
    for pose in poses(8, 1):
        learner.add(pose, posed_face(pose))
    seen: list[bool] = []
    written: list[int] = []
    monkeypatch.setattr(np, "savez", lambda file, **arrays: written.append(file.write(b"whole")))

    def stop() -> bool:
        clock.advance(4.0)
        seen.append((tmp_path / "face.npz").is_file())
        return False

    learner.train(60.0, stop)
    assert not seen[0]
    assert any(seen)
    assert len(seen) <= 17
    assert 4 <= len(written) <= 7


@pytest.mark.parametrize("damage", ["cut", "junk", "empty", "pickle", "hostile"])
def test_a_damaged_checkpoint_costs_only_what_was_learnt(tmp_path: Path, damage: str) -> None:
    trainer(tmp_path).train(1.0, steps(3))
    path = tmp_path / "face.npz"
    match damage:
        case "cut":
            path.write_bytes(path.read_bytes()[:-1000])
        case "junk":
            path.write_bytes(b"PK\x03\x04 and nothing more")
        case "empty":
            path.write_bytes(b"")
        case "pickle":
            np.savez(path, steps=np.array({"a": 1}, dtype=object))
        case "hostile":
            with np.load(path) as file:
                held = dict(file)
            held["bent"][0, 0, 0] = np.nan
            np.savez(path, **held)
    learner = FaceTrainer(tmp_path, picture(), ManualClock())
    assert error(BakedFace(learner.train(1.0, steps(40)))) < 0.06 * neutral_error()


def test_new_faces_take_nothing_away_from_what_was_learnt(tmp_path: Path) -> None:
    learner = trainer(tmp_path)
    before = error(BakedFace(learner.train(1.0, steps(40))))
    for pose in poses(30, 3):
        learner.add(pose, posed_face(pose))
    assert error(BakedFace(learner.train(1.0, steps(0)))) < 1.2 * before


def test_a_few_new_faces_are_learnt_without_a_new_basis(tmp_path: Path) -> None:
    learner = trainer(tmp_path)
    basis = learner.train(1.0, steps(3))["face.basis"]
    for pose in poses(4, 3):
        learner.add(pose, posed_face(pose))
    np.testing.assert_array_equal(learner.train(1.0, steps(3))["face.basis"], basis)
    assert len(learner.poses) == 43


def test_training_is_the_same_for_the_same_faces(tmp_path: Path) -> None:
    one, other = (trainer(tmp_path / name).train(1.0, steps(5)) for name in ("one", "other"))
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_a_single_face_is_enough_to_show_it(tmp_path: Path) -> None:
    tensors = trainer(tmp_path, 1).train(1.0, steps(3))
    np.testing.assert_allclose(
        BakedFace(tensors).face(poses(2, 1)[1]), posed_face(poses(1, 1)[0]), atol=0.02
    )


def test_what_never_moved_stays_as_it_is(tmp_path: Path) -> None:
    face = BakedFace(trainer(tmp_path).train(1.0, steps(3))).face(poses(2, 5)[1])
    rest = posed_face(np.zeros(39, np.float32))
    np.testing.assert_array_equal(face[1], rest[1])
    np.testing.assert_array_equal(face[:, :60], rest[:, :60])


def test_without_faces_there_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="add some first"):
        FaceTrainer(tmp_path, picture(), ManualClock()).train(1.0, steps(3))
