"""What was recorded replays to the same: real sockets, processes and files."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

from tests.support.daemon import run_vtbridge, unique_name, write_config
from tests.support.recorder import CAPTURES, INPUTS, recorder, wait_until_still
from tests.support.recordings import (
    LEAST_HEARD,
    as_sent,
    data_of,
    faces_of,
    is_subsequence,
    of_one_source,
)
from vtbridge.app.recorder import open_recorded_trackers
from vtbridge.app.replay import moments
from vtbridge.clock import MonotonicClock
from vtbridge.config.load import load_config
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.recordings.open import open_recording
from vtbridge.tracking.senders.playback import bursts_of_capture, play


class AllFaces(LatestSlot[FaceFrame]):
    """Keeps every face that the inputs showed."""

    def __init__(self) -> None:
        super().__init__()
        self.faces: list[FaceFrame] = []

    def put(self, value: FaceFrame) -> int:
        self.faces.append(value)
        return super().put(value)


def test_replay_shows_each_face_that_was_shown_live_at_its_time(
    captures: Path, tmp_path: Path
) -> None:
    ports = write_config(tmp_path, unique_name(), inputs=INPUTS)
    config = load_config(tmp_path / "config.toml")
    shown, path = AllFaces(), tmp_path / "live.vtbrec"
    clock, telemetry = MonotonicClock(), Telemetry()
    writer, inputs = open_recorded_trackers(path, config, 1, shown, telemetry, clock)
    for service in inputs.services:
        service.start()

    def send(protocol: str) -> None:
        to = ("127.0.0.1", ports[protocol])
        play(bursts_of_capture(captures / CAPTURES[protocol]), to, clock, speed=3.0)

    together = [threading.Thread(target=send, args=(protocol,)) for protocol in CAPTURES]
    for sender in together:
        sender.start()
    for sender in together:
        sender.join()
    wait_until_still(lambda: writer.records)
    for service in reversed(inputs.services):
        assert service.stop(timeout_s=30)
        assert service.failure is None
    assert writer.lost == 0
    found = moments(open_recording(path), config.tracking, Telemetry())
    replayed = [moment.face for moment in found if moment.face is not None]
    assert len(shown.faces) >= 80
    assert replayed == shown.faces


def test_what_was_recorded_live_replays_to_the_same_faces(captures: Path, tmp_path: Path) -> None:
    with recorder(tmp_path) as live:
        sent = {
            protocol: live.send(captures / capture, protocol)
            for protocol, capture in CAPTURES.items()
        }
        live.wait_until_quiet()
        assert live.end() == 0, live.told
    recording = open_recording(live.path)
    for protocol, capture in CAPTURES.items():
        original = data_of(open_recording(captures / capture))
        kept = of_one_source(recording, protocol)
        assert len(original) == sent[protocol]
        assert is_subsequence(data_of(kept), original), "nothing is changed, added or moved"
        share = len(data_of(kept)) / len(original)
        assert share >= LEAST_HEARD, f"{protocol}: {1 - share:.0%} got lost on the loopback"
        if protocol != "vmc":  # a sender that is held up within a frame of VMC makes two
            assert faces_of(kept) == faces_of(as_sent(data_of(kept), protocol))
    assert recording.header is not None
    assert set(recording.header.settings) == {"avatar", "tracking", "retarget", "idle"}


def test_poses_of_a_live_recording_are_the_same_on_every_run(
    captures: Path, tmp_path: Path
) -> None:
    with recorder(tmp_path, file="bug.vtbrec.gz") as live:
        live.send(captures / CAPTURES["vmc"], "vmc")
        live.wait_until_quiet()
        assert live.end(signal.SIGTERM) == 0, live.told
    assert live.path.read_bytes().startswith(b"\x1f\x8b")
    first = run_vtbridge(tmp_path, "replay", str(live.path), "--poses-out", "-")
    assert first.returncode == 0, first.stderr
    rows = [json.loads(line) for line in first.stdout.splitlines()]
    assert rows[0]["fps"] == 30.0, "as in the recorded settings"
    assert len(rows) > 5
    assert all(len(row["pose"]) == 45 for row in rows[1:])
    for speed in ("0", "10"):
        out = tmp_path / f"{speed}.jsonl"
        again = run_vtbridge(
            tmp_path, "replay", str(live.path), "--poses-out", str(out), "--speed", speed
        )
        assert again.returncode == 0, again.stderr
        assert out.read_text("utf-8") == first.stdout
