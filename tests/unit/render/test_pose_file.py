"""Files of recorded poses."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from vtbridge.errors import ConfigError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.pose_file import read_poses

GOOD = [0.25] * POSE_SIZE


def test_plain_and_gzipped_files_hold_the_same_poses(tmp_path: Path) -> None:
    text = json.dumps([GOOD, [1] * POSE_SIZE])
    plain, packed = tmp_path / "poses.json", tmp_path / "poses.json.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    poses = read_poses(plain)
    assert poses.dtype == np.float32
    assert poses.shape == (2, POSE_SIZE)
    assert poses[0, 7] == 0.25
    np.testing.assert_array_equal(read_poses(packed), poses)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[]", "must hold a list of poses"),
        ('{"poses": []}', "must hold a list of poses"),
        ("[[1, 2]", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        (json.dumps([GOOD, GOOD[:-1]]), "pose 1 has 44 entries instead of 45"),
        (json.dumps([GOOD, 7]), "pose 1 is 7 instead of 45"),
        (json.dumps([[*GOOD[:-1], "x"]]), "pose 0, number 44 is 'x'"),
        (json.dumps([[True, *GOOD[1:]]]), "pose 0, number 0 is True"),
        (json.dumps([[*GOOD[:3], float("nan"), *GOOD[4:]]]), "pose 0, number 3 is nan"),
        (json.dumps([[*GOOD[:3], float("-inf"), *GOOD[4:]]]), "pose 0, number 3 is -inf"),
        (json.dumps([[1e39, *GOOD[1:]]]), "pose 0, number 0 is 1e[+]39"),
        (json.dumps([[10**400, *GOOD[1:]]]), "pose 0, number 0 is 1000"),
    ],
)
def test_a_file_that_holds_no_poses_is_refused_by_name_and_index(
    content: str, complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "poses.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_poses(file)
    assert str(file) in str(caught.value)


def test_a_missing_or_damaged_file_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.json cannot be read"):
        read_poses(tmp_path / "absent.json")
    packed = tmp_path / "poses.json.gz"
    whole = gzip.compress(json.dumps([GOOD] * 50).encode())
    packed.write_bytes(whole[:-20])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_poses(packed)
    packed.write_bytes(b"no gzip at all")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_poses(packed)


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vtbridge.render.pose_file._SIZE_LIMIT", 1 << 20)
    packed = tmp_path / "poses.json.gz"
    packed.write_bytes(gzip.compress(b" " * (1 << 21)))
    with pytest.raises(ConfigError, match="holds more than 1 MiB"):
        read_poses(packed)


def test_a_plain_file_that_is_too_large_is_never_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vtbridge.render.pose_file._SIZE_LIMIT", 1 << 20)
    large = tmp_path / "poses.json"
    with large.open("wb") as file:
        file.truncate(1 << 28)
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="holds more than 1 MiB"):
            read_poses(large)
        assert tracemalloc.get_traced_memory()[1] < 1 << 23
    finally:
        tracemalloc.stop()
