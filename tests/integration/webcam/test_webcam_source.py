"""A video file as a webcam, with the real tracker; and what a user gets told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support import videos
from tests.support.face_model import face_model
from vtbridge.app.face_tracker import open_face_tracker
from vtbridge.clock import ManualClock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import WeightsError
from vtbridge.render.weights.store import ROOT_VARIABLE
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.settings import WebcamSettings
from vtbridge.tracking.source_status import SourceState
from vtbridge.tracking.webcam.source import WebcamSource
from vtbridge.tracking.webcam.tracker import FaceTracker


def test_video_file_gives_its_faces_at_its_own_rate(face_tracker: FaceTracker) -> None:
    clock, faces = ManualClock(), list[FaceFrame]()
    settings = WebcamSettings(device=str(videos.single_face()), loop=False)
    source = WebcamSource(settings, lambda: face_tracker, faces.append, Telemetry(clock), clock)
    start_ns = clock.now_ns()
    source.serve()
    assert len(faces) == 72
    assert all(face.tracked and face.source == "webcam:single_face.mp4" for face in faces)
    assert (faces[-1].t_ns - start_ns) / 1e9 == pytest.approx(71 / 30, abs=1e-3)
    assert max(face.blendshapes["mouthSmileLeft"] for face in faces) > 0.7
    status = source.status()
    assert status.state is SourceState.LIVE
    assert status.fps == pytest.approx(30, rel=0.01)


def test_webcam_that_does_not_exist_is_told_and_tried_again(face_tracker: FaceTracker) -> None:
    clock, faces, told = ManualClock(), list[FaceFrame](), list[str | None]()

    def open_tracker() -> FaceTracker:
        return face_tracker

    class Watched(WebcamSource):
        def _ready_tracker(self) -> FaceTracker:
            told.append(self.status().trouble)
            if len(told) == 3:
                self.stop()
            return super()._ready_tracker()

    settings = WebcamSettings(device=987)
    source = Watched(
        settings, open_tracker, faces.append, Telemetry(clock), clock, first_retry_s=0.0
    )
    source.serve()
    assert told[0] is None
    assert "webcam 987" in str(told[1])
    assert told[1] == told[2]
    assert source.status().state is SourceState.BLOCKED
    assert faces == []


def test_pulled_model_opens() -> None:
    face_model()
    assert open_face_tracker(threads=2).track(videos.astronaut(), 0).tracked


def test_missing_model_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match="run `vtbridge weights pull face-landmarker`"):
        open_face_tracker()


def test_damaged_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_face_tracker: FaceTracker
) -> None:
    folder = tmp_path / "face-landmarker"
    folder.mkdir()
    for path in face_model().parent.iterdir():
        content = bytearray(path.read_bytes())
        if path.suffix == ".task":
            content[len(content) // 2] ^= 1
        (folder / path.name).write_bytes(content)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsError, match=r"damaged.*vtbridge weights pull face-landmarker"):
        open_face_tracker()


def test_tracking_tells_nobody(tmp_path: Path) -> None:
    """OpenVINO reports its import to Google Analytics, with a number kept in ~/intel."""
    program = """
import socket, sys
def refuse(*arguments, **more):
    print("NETWORK", arguments, file=sys.stderr)
    raise OSError("no network")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
from pathlib import Path
import numpy as np
from vtbridge.tracking.webcam.tracker import FaceTracker
tracker = FaceTracker(Path(sys.argv[1]))
print(tracker.track(np.zeros((64, 64, 3), np.uint8), 0).tracked)
"""
    outside_ci = {name: value for name, value in os.environ.items() if name != "CI"}
    home = {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(face_model())],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=REPOSITORY,
        env=outside_ci | home,
    )
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr
    assert "NETWORK" not in done.stderr
    assert [path.name for path in tmp_path.iterdir() if "intel" in path.name.lower()] == []
