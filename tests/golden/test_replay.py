"""A recording gives the same poses, bit for bit, on every run, at any speed and in any format."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.cli.replay import schema_line, write_poses
from vtbridge.config.schema import Config
from vtbridge.pose_params import POSE_MAX, POSE_MIN, PoseParam
from vtbridge.tracking.recordings.open import open_recording
from vtbridge.tracking.recordings.session import (
    RecordedDatagram,
    SessionHeader,
    encode_header,
    encode_record,
)

CAPTURES = {
    "ifacialmocap_v1_ExpressionAppBridge.udpcap": (
        "capture of ifacialmocap",
        {PoseParam.NECK_Z, PoseParam.HEAD_Y, PoseParam.IRIS_ROTATION_X},
    ),
    "livelinkface_iphone_40s.csv.gz": (
        "Live Link CSV",
        {PoseParam.MOUTH_AAA, PoseParam.EYE_WINK_LEFT, PoseParam.IRIS_ROTATION_Y},
    ),
    "livelinkface_pylivelinkface.udpcap": ("capture of livelink", {PoseParam.HEAD_X}),
    "openseeface_model0.udpcap": (
        "capture of openseeface",
        {PoseParam.IRIS_ROTATION_X, PoseParam.HEAD_Y, PoseParam.NECK_Z},
    ),
    "osc_MediaPipe-OSC_8888.udpcap": (
        "capture of mediapipe_osc",
        {PoseParam.IRIS_ROTATION_X, PoseParam.EYEBROW_RAISED_LEFT, PoseParam.HEAD_Y},
    ),
    "vmc_node-osc.udpcap": ("capture of vmc", {PoseParam.MOUTH_AAA, PoseParam.EYE_WINK_LEFT}),
    "vmc_osc-js_xranimator-layout.udpcap": (
        "capture of vmc",
        {PoseParam.MOUTH_OOO, PoseParam.HEAD_X},
    ),
    "vmc_vmcp-pypi.udpcap": ("capture of vmc", {PoseParam.MOUTH_AAA, PoseParam.HEAD_X}),
}
"""What each file is, and what of the face surely moves in it."""

SAMPLED = (0.3, 0.5, 0.7)
POSES = {
    "ifacialmocap_v1_ExpressionAppBridge.udpcap": {
        PoseParam.HEAD_Y: (-0.35, -0.21, -0.20),
        PoseParam.NECK_Z: (0.30, 1.0, -1.0),
    },
    "livelinkface_iphone_40s.csv.gz": {
        PoseParam.IRIS_ROTATION_X: (-0.60, -0.65, -0.60),
        PoseParam.IRIS_ROTATION_Y: (0.04, 0.02, 0.04),
    },
    "livelinkface_pylivelinkface.udpcap": {
        PoseParam.HEAD_X: (-0.47, -0.92, 0.77),
        PoseParam.NECK_Z: (-1.0, -0.72, 0.56),
    },
    "openseeface_model0.udpcap": {
        PoseParam.HEAD_X: (0.77, 0.68, 0.71),
        PoseParam.HEAD_Y: (-1.0, -0.93, -1.0),
        PoseParam.NECK_Z: (-1.0, -0.47, 0.51),
    },
    "osc_MediaPipe-OSC_8888.udpcap": {PoseParam.IRIS_ROTATION_X: (0.10, 0.22, 0.03)},
    "vmc_node-osc.udpcap": {
        PoseParam.MOUTH_AAA: (0.78, 0.65, 0.12),
        PoseParam.HEAD_Y: (0.80, 1.0, 1.0),
    },
    "vmc_osc-js_xranimator-layout.udpcap": {
        PoseParam.MOUTH_OOO: (1.0, 0.83, 0.01),
        PoseParam.IRIS_ROTATION_X: (-0.70, 0.33, 1.0),
    },
    "vmc_vmcp-pypi.udpcap": {
        PoseParam.MOUTH_AAA: (0.99, 0.27, 0.78),
        PoseParam.HEAD_X: (-0.38, -0.60, -0.73),
    },
}
"""Values at these shares of each file, so that a changed meaning of a face is noticed."""

FAST = 1000.0
FPS = 30.0
AT_30 = Config.model_validate({"avatar": {"fps": FPS}})


@cache
def replayed(path: Path) -> str:
    """Return what the first replay of a file wrote."""
    return replayed_again(path)


def replayed_again(path: Path, *, speed: float = 0.0, config: Config | None = None) -> str:
    stream = io.StringIO()
    write_poses(open_recording(path), config or AT_30, stream, speed)
    return stream.getvalue()


def poses_of(text: str) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float64]]:
    """Return the times, poses and presences of a replay."""
    rows = [json.loads(line) for line in text.splitlines()[1:]]
    return (
        np.array([row["t_s"] for row in rows]),
        np.array([row["pose"] for row in rows], np.float32),
        np.array([row["presence"] for row in rows]),
    )


@pytest.fixture(params=CAPTURES)
def capture(request: pytest.FixtureRequest, captures: Path) -> Path:
    return captures / str(request.param)


def test_what_a_capture_holds_is_recognised(capture: Path) -> None:
    assert open_recording(capture).kind == CAPTURES[capture.name][0]


def test_replay_is_the_same_on_every_run_and_at_any_speed(capture: Path) -> None:
    first = replayed(capture)
    assert replayed_again(capture) == first
    assert replayed_again(capture, speed=FAST) == first


def test_recording_of_a_capture_gives_the_captures_poses(capture: Path, tmp_path: Path) -> None:
    start_ns = 987_654_321_012_345
    records = list(open_recording(capture).records())
    path = tmp_path / "same.vtbrec"
    content = encode_header(SessionHeader("1"))
    for record in records:
        if isinstance(record, RecordedDatagram):
            shifted = start_ns + record.t_ns - records[0].t_ns
            record = RecordedDatagram(shifted, record.source, record.protocol, record.data)
        content += encode_record(record)
    path.write_bytes(content)
    assert replayed(path) == replayed(capture)


def test_poses_are_on_the_beat_in_range_and_alive(capture: Path) -> None:
    text = replayed(capture)
    assert text.splitlines()[0] == schema_line(FPS)
    t_s, poses, presence = poses_of(text)
    records = list(open_recording(capture).records())
    lasts_s = (records[-1].t_ns - records[0].t_ns) / 1e9
    assert t_s == pytest.approx(np.arange(len(t_s)) / FPS, abs=1e-6)
    assert abs(t_s[-1] - lasts_s) < 0.06
    assert (poses >= np.array(POSE_MIN, np.float32)).all()
    assert (poses <= np.array(POSE_MAX, np.float32)).all()
    assert ((presence >= 0) & (presence <= 1)).all()
    assert presence.max() == 1.0 or t_s[-1] < 0.5
    steps = np.abs(np.diff(poses, axis=0))
    assert steps.max(initial=0.0) < 0.9, "nothing jumps from one end to the other in a beat"
    moved = {param for param in PoseParam if np.ptp(poses[:, param]) > 0.1}
    assert CAPTURES[capture.name][1] <= moved


def test_poses_are_those_of_before(capture: Path) -> None:
    t_s, poses, _ = poses_of(replayed(capture))
    for param, wanted in POSES[capture.name].items():
        found = [np.interp(share * t_s[-1], t_s, poses[:, param]) for share in SAMPLED]
        assert found == pytest.approx(wanted, abs=0.05), param.name


def test_every_number_names_its_float32_exactly(captures: Path) -> None:
    path = captures / "vmc_vmcp-pypi.udpcap"
    for line in replayed(path).splitlines()[1:]:
        values = np.array(json.loads(line)["pose"], np.float32)
        assert ", ".join(map(str, values)) in line


def test_gap_in_the_tracking_is_in_the_poses(captures: Path) -> None:
    _, _, presence = poses_of(replayed(captures / "openseeface_model0.udpcap"))
    assert (presence > 0.9).mean() > 0.9


def test_beat_and_settings_can_be_others(captures: Path) -> None:
    path = captures / "vmc_vmcp-pypi.udpcap"
    twice = Config.model_validate({"avatar": {"fps": 2 * FPS}, "retarget": {"mirror": False}})
    usual_t_s, usual, _ = poses_of(replayed(path))
    t_s, _, _ = poses_of(replayed_again(path, config=twice))
    assert len(t_s) == pytest.approx(2 * len(usual_t_s), abs=2)
    turned = Config.model_validate({"avatar": {"fps": FPS}, "retarget": {"mirror": True}})
    mirrored = poses_of(replayed_again(path, config=turned))[1]
    assert not np.array_equal(usual, mirrored)


def test_schema_names_the_parameters() -> None:
    schema = json.loads(schema_line(30.0))
    assert schema["parameters"][PoseParam.MOUTH_AAA] == "mouth_aaa"
    assert len(schema["parameters"]) == 45
