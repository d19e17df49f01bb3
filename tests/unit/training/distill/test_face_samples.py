"""The file of posed faces: what was added is there again, whatever happened to the process."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from vtbridge.datatypes import F32Array, Picture, U8Array
from vtbridge.errors import InferenceError
from vtbridge.render.alpha import network_from_straight, straight_from_network
from vtbridge.training.distill.face_samples import POSE_SIZE, SHAPE, FaceSamples


def picture(seed: int = 0) -> Picture:
    rgba = np.random.default_rng(seed).integers(0, 256, (512, 512, 4), dtype=np.uint8)
    rgba[..., 3] |= 1
    return Picture(rgba=rgba, name="test", digest=f"{seed:064x}")


def pose(value: float) -> F32Array:
    return np.full(POSE_SIZE, value, np.float32)


def face(seed: int) -> tuple[F32Array, U8Array]:
    """Return a face as network signal, and the same as levels."""
    levels = np.random.default_rng(seed).integers(1, 256, SHAPE, dtype=np.uint8)
    return network_from_straight(levels), levels


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "faces.log"


def filled(path: Path, count: int) -> FaceSamples:
    samples = FaceSamples(path, picture())
    for seed in range(count):
        assert samples.add(pose(seed / 8), face(seed)[0])
    return samples


def test_faces_are_there_again_after_the_process_ended(path: Path) -> None:
    filled(path, 3)
    again = FaceSamples(path, picture())
    assert len(again) == 3
    np.testing.assert_array_equal(again.poses, [pose(0), pose(1 / 8), pose(2 / 8)])
    for seed in range(3):
        np.testing.assert_array_equal(again.face(seed), face(seed)[1])


def test_faces_are_held_as_the_frames_that_are_shown(path: Path) -> None:
    samples = FaceSamples(path, picture())
    signals = np.random.default_rng(5).uniform(-1.2, 1.2, (4, *SHAPE[:2])).astype(np.float32)
    samples.add(pose(0), signals)
    shown = np.empty(SHAPE, np.uint8)
    straight_from_network(signals, shown)
    np.testing.assert_array_equal(samples.face(0), shown)


def test_levels_are_the_values_of_every_face_at_the_places_asked_for(path: Path) -> None:
    samples = filled(path, 3)
    places = np.array([0, 5, 147_455])
    expected = [face(seed)[1].reshape(-1)[places] for seed in range(3)]
    np.testing.assert_array_equal(samples.levels(places), expected)


def test_span_tells_what_differs_among_faces_only(path: Path) -> None:
    samples = FaceSamples(path, picture())
    levels = face(0)[1]
    samples.add(pose(0), network_from_straight(levels))
    assert not samples.span.any()
    levels[3, 4, 1] ^= 64
    samples.add(pose(1), network_from_straight(levels))
    assert np.flatnonzero(samples.span).tolist() == [(3 * SHAPE[1] + 4) * 4 + 1]
    assert samples.span.max() == 64
    again = FaceSamples(path, picture())
    np.testing.assert_array_equal(again.span, samples.span)


@pytest.mark.parametrize("lost", [1, 7, 5000])
def test_a_face_cut_off_by_a_kill_is_left_out_and_the_next_is_kept(path: Path, lost: int) -> None:
    filled(path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    samples = FaceSamples(path, picture())
    assert len(samples) == 2
    assert samples.add(pose(0.75), face(9)[0])
    again = FaceSamples(path, picture())
    np.testing.assert_array_equal(again.poses, [pose(0), pose(1 / 8), pose(0.75)])
    np.testing.assert_array_equal(again.face(2), face(9)[1])


def test_what_follows_a_damaged_face_is_not_trusted(path: Path) -> None:
    filled(path, 3)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    samples = FaceSamples(path, picture())
    assert len(samples) == 1
    np.testing.assert_array_equal(samples.face(0), face(0)[1])


def test_a_pose_that_was_damaged_is_told_from_a_whole_one(path: Path) -> None:
    filled(path, 1)
    data = bytearray(path.read_bytes())
    data[-len(data) + 8 + 32 + 8 + 20] ^= 1
    path.write_bytes(data)
    assert len(FaceSamples(path, picture())) == 0


@pytest.mark.parametrize("size", [4, 147_455, 147_457, 4_000_000])
def test_a_record_that_unpacks_to_no_face_is_left_out(path: Path, size: int) -> None:
    filled(path, 1)
    payload = pose(0.5).tobytes() + zlib.compress(bytes(size))
    with path.open("ab") as file:
        file.write(len(payload).to_bytes(4, "little"))
        file.write(zlib.crc32(payload).to_bytes(4, "little"))
        file.write(payload)
    assert len(FaceSamples(path, picture())) == 1


def test_faces_of_another_picture_are_not_taken(path: Path) -> None:
    filled(path, 2)
    other = FaceSamples(path, picture(1))
    assert len(other) == 0
    other.add(pose(0.5), face(7)[0])
    assert len(FaceSamples(path, picture(1))) == 1
    assert len(FaceSamples(path, picture())) == 0


def test_a_pose_is_held_once(path: Path) -> None:
    samples = filled(path, 2)
    size = path.stat().st_size
    assert not samples.add(pose(1 / 8), face(5)[0])
    assert not samples.add(pose(-0.0), face(5)[0])
    assert len(samples) == 2
    assert path.stat().st_size == size
    assert samples.index_of(pose(-0.0)) == 0
    assert samples.index_of(pose(0.5)) is None


def test_a_wrong_face_is_refused_and_nothing_is_written(path: Path) -> None:
    samples = filled(path, 1)
    size = path.stat().st_size
    broken = face(1)[0]
    broken[1, 2, 3] = np.nan
    with pytest.raises(InferenceError):
        samples.add(pose(0.5), broken)
    with pytest.raises(ValueError, match="float32"):
        samples.add(pose(0.5)[:-1], face(1)[0])
    with pytest.raises(ValueError, match="float32"):
        samples.add(pose(0.5), face(1)[0][:, :-1])
    with pytest.raises(ValueError, match="not finite"):
        samples.add(pose(np.nan), face(1)[0])
    assert len(samples) == 1
    assert path.stat().st_size == size


def test_an_empty_file_of_faces_has_no_poses(path: Path) -> None:
    samples = FaceSamples(path, picture())
    assert samples.poses.shape == (0, POSE_SIZE)
    assert not samples.span.any()
    assert not path.exists()
