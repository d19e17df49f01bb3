"""Poses for baking out of whatever the user has recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vtbridge.app.recorded_poses import poses_of_recording, recorded_poses
from vtbridge.clock import NS_PER_S
from vtbridge.errors import ConfigError, VtbridgeError
from vtbridge.pose_params import PoseParam
from vtbridge.tracking.recordings.open import Recording
from vtbridge.tracking.recordings.session import Record, RecordedDatagram
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.vmc import encode_vmc


def performed(seconds: float) -> Recording:
    records: list[Record] = []
    for index in range(round(seconds * 60)):
        t_ns = 5 * NS_PER_S + index * NS_PER_S // 60
        (bundle,) = encode_vmc(face_at(index / 60, t_ns))
        records.append(RecordedDatagram(t_ns, "vmc:127.0.0.1", "vmc", bundle))
    return Recording(Path("mine.vtbrec"), "recording", lambda: iter(records), None)


def test_faces_of_a_recording_become_poses_at_the_rate_asked_for() -> None:
    poses = poses_of_recording(performed(4.0), 20)
    assert poses.dtype == np.float32
    assert 78 <= len(poses) <= 81
    assert poses.shape[1] == 45
    assert np.ptp(poses[:, PoseParam.HEAD_Y]) > 0.05


def test_a_list_of_poses_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "poses.JSON"
    path.write_text(json.dumps([[0.25] * 45] * 3))
    assert (recorded_poses(path, 20) == 0.25).all()


def test_a_recording_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="holds no poses"):
        poses_of_recording(performed(0.0), 20)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.vtbrec"
    path.write_bytes(b"not a recording")
    with pytest.raises(VtbridgeError, match=r"mine\.vtbrec"):
        recorded_poses(path, 20)
