"""Samples of a body outlive a kill, and are only taken for what they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.body_teacher import drawn_picture, taught
from vtbridge.errors import InferenceError
from vtbridge.training.distill.body_samples import BodySamples

ROTATION = np.array([0.4, -0.6, 0.1, 0.2, -0.3, 0.5], np.float32)
PICTURE = drawn_picture()


def held(folder: Path) -> BodySamples:
    return BodySamples(folder, PICTURE.digest)


def test_a_sample_is_what_the_teacher_said_where_something_is_seen(tmp_path: Path) -> None:
    fields = taught(ROTATION, PICTURE)
    assert held(tmp_path).add(ROTATION, fields)
    sample = held(tmp_path).sample(0)
    assert np.array_equal(sample.rotation, ROTATION)
    here = sample.places
    assert 20_000 < len(here) < 200_000
    moved = fields.grid_change.reshape(2, -1)[:, here] * 256
    assert np.abs(sample.grid_change - moved).max() <= 0.51 / 128
    alpha = fields.alpha[0].reshape(-1)[here]
    assert np.abs(sample.alpha - alpha).max() <= 0.51 / 255
    paint = alpha * (fields.color.reshape(4, -1)[:, here] + 1)
    assert np.abs(np.sqrt(sample.paint / 2) - np.sqrt(paint / 2)).max() <= 0.51 / 255 + 1e-3


def test_a_sample_does_not_depend_on_the_face(tmp_path: Path) -> None:
    held(tmp_path / "a").add(ROTATION, taught(ROTATION, PICTURE))
    held(tmp_path / "b").add(ROTATION, taught(ROTATION, PICTURE, face=0.3))
    one, other = held(tmp_path / "a").sample(0), held(tmp_path / "b").sample(0)
    assert np.array_equal(one.places, other.places)
    assert np.abs(one.paint - other.paint).max() < 0.01


def test_samples_come_in_their_order_and_once(tmp_path: Path) -> None:
    samples = held(tmp_path)
    rotations = np.stack([ROTATION * share for share in (1.0, -0.5, 0.25)]).astype(np.float32)
    for rotation in rotations:
        assert samples.add(rotation, taught(rotation, PICTURE))
    assert not samples.add(rotations[1], taught(rotations[1], PICTURE))
    assert np.array_equal(samples.rotations, rotations)
    assert np.array_equal(held(tmp_path).rotations, rotations)


def test_a_torn_sample_is_left_out_and_the_rest_goes_on(tmp_path: Path) -> None:
    samples = held(tmp_path)
    for share in (1.0, 0.5):
        rotation = (ROTATION * share).astype(np.float32)
        samples.add(rotation, taught(rotation, PICTURE))
    first = tmp_path / "00000.npz"
    whole = first.read_bytes()
    for torn in (whole[: len(whole) // 2], whole[:1000] + b"x" + whole[1001:], b""):
        first.write_bytes(torn)
        (tmp_path / "00009.part").write_bytes(whole[:500])
        again = held(tmp_path)
        assert np.array_equal(again.rotations, (ROTATION * 0.5)[None])
        assert not first.exists()
        assert not (tmp_path / "00009.part").exists()
    again.add(ROTATION, taught(ROTATION, PICTURE))
    assert len(held(tmp_path)) == 2


def test_samples_of_another_picture_are_deleted(tmp_path: Path) -> None:
    held(tmp_path).add(ROTATION, taught(ROTATION, PICTURE))
    assert len(BodySamples(tmp_path, "ff" * 32)) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_rotation_or_not_finite_is_refused_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    samples, fields = held(tmp_path), taught(ROTATION, PICTURE)
    with pytest.raises(ValueError, match="float32"):
        samples.add(ROTATION[:5], fields)
    with pytest.raises(ValueError, match="not finite"):
        samples.add(np.full(6, np.inf, np.float32), fields)
    broken = fields.color.copy()
    broken[0, 200, 200] = np.nan
    with pytest.raises(InferenceError):
        samples.add(ROTATION, replace(fields, color=broken))
    assert len(samples) == 0
    assert list(tmp_path.iterdir()) == []
