"""What is recorded replays as it was, and says nothing about you that it need not."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.app.recorder import open_recorder
from vtbridge.app.replay import moments
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame, HeadPose
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.fusion import Fusion
from vtbridge.tracking.recordings.open import open_recording

T0 = 5_000 * NS_PER_S
MS = NS_PER_S // 1000


@pytest.fixture(autouse=True)
def no_calibration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("vtbridge.app.calibration_file._state_folder", lambda: tmp_path / "state")


def picture(t_ns: int) -> FaceFrame:
    return FaceFrame(t_ns, "webcam:0", blendshapes={"jawOpen": 0.5}, head=HeadPose(0.0, 0.1))


def sound(t_ns: int, opening: float) -> FaceFrame:
    return FaceFrame(
        t_ns, "microphone:x", presets={"aa": opening}, blendshapes={"jawOpen": opening}
    )


@pytest.mark.parametrize(
    ("fps", "late_ms"), [(30, 40), (10, 100), (8, 120)], ids=lambda value: str(value)
)
def test_slow_webcam_beside_a_voice_replays_as_it_was(
    tmp_path: Path, fps: int, late_ms: int
) -> None:
    config, clock, path = Config(), ManualClock(T0), tmp_path / "voice.vtbrec"
    arrivals = [(n * 1000 // fps + late_ms, picture(T0 + n * 1000 * MS // fps)) for n in range(40)]
    arrivals += [(n * 20, sound(T0 + n * 20 * MS, n % 5 / 5)) for n in range(200)]
    writer = open_recorder(path, config, 1, clock)
    takeover_ns = round(config.tracking.takeover_s * NS_PER_S)
    fusion = Fusion(config.tracking.fusion, takeover_ns, Telemetry())
    live: list[tuple[int, FaceFrame]] = []
    for at_ms, face in sorted(arrivals, key=lambda arrival: arrival[0]):
        clock.sleep_until(T0 + at_ms * MS)
        writer.face(face)
        fused = fusion.offer(face)
        if fused is not None:
            live.append((clock.now_ns(), fused))
    writer.start()
    assert writer.stop(timeout_s=30)
    assert writer.lost == 0
    found = moments(open_recording(path), config.tracking, Telemetry())
    assert [(m.t_ns, m.face) for m in found if m.face is not None] == live
    assert {face.source for _, face in live} >= {"webcam:0", "microphone:x"}


def test_file_names_no_person_path_or_address_of_the_settings(tmp_path: Path) -> None:
    private = {
        "avatar": {"picture": "/home/alice/me.png"},
        "tracking": {
            "allow": ["10.1.2.0/24"],
            "webcam": {"device": "/home/alice/holiday/me.mp4"},
            "fmv3": {"phone": "192.168.1.20"},
        },
        "retarget": {"calibration": {"person": "Alice Smith"}},
        "obs": {"host": "10.0.0.9"},
    }
    path = tmp_path / "bug.vtbrec"
    writer = open_recorder(path, Config.model_validate(private), 1, ManualClock(T0))
    writer.datagram("vmc:127.0.0.1", b"x", T0)
    writer.start()
    assert writer.stop(timeout_s=30)
    content = path.read_bytes()
    assert b"takeover_s" in content
    for secret in (b"/home/alice", b"10.1.2.0", b"192.168.1.20", b"Alice", b"10.0.0.9"):
        assert secret not in content
