"""The real daemon on networks that are slow, and on some that hang: frames never stop."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess, running, status_of, wait_until
from tests.support.faulty_daemon import FRESH_AT_MOST_PER_S
from vtbridge.datatypes import FrameFlag
from vtbridge.publish.vtbf import FrameReader, HealthFlag, Liveness, ReceivedFrame

pytestmark = pytest.mark.usefixtures("weight_store")

FPS = 30.0
EXACT = '[render]\nquality = "exact"\n'
PATIENCE_S = 60.0


def frames_during(reader: FrameReader, seconds: float) -> list[ReceivedFrame]:
    """Return every frame that a reader got."""
    frames: list[ReceivedFrame] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        frame = reader.read_newer(frames[-1].frame_no if frames else 0, timeout_s=1)
        if frame is not None:
            frames.append(frame)
    return frames


def fresh_so_far(daemon: DaemonProcess) -> int:
    """Return how many poses the networks began."""
    counters = status_of(daemon)["counters"]
    return sum(n for name, n in counters.items() if name.startswith("render.cache.face."))


def test_slow_networks_still_give_a_new_frame_at_nearly_every_beat(tmp_path: Path) -> None:
    program = ("tests.support.faulty_daemon", str(tmp_path / "never"))
    with (
        running(tmp_path, "demo", "--headless", fps=FPS, extra=EXACT, program=program) as daemon,
        FrameReader.attach(daemon.name) as reader,
    ):
        wait_until(lambda: status_of(daemon)["live"]["fresh_fps"] > 0, PATIENCE_S, "fields come")
        frames_during(reader, 3.0)  # the delay settles
        before, published = fresh_so_far(daemon), status_of(daemon)
        frames = frames_during(reader, 4.0)
        fresh, after = fresh_so_far(daemon) - before, status_of(daemon)
    new = [frame for frame in frames if not frame.flags & FrameFlag.REPEAT]
    beats = after["beats"] - published["beats"]
    assert after["frames"] - published["frames"] > 0.5 * beats, "about the rate of the settings"
    assert len(new) > 2 * fresh > 0, "most of what is shown lies between what was computed"
    assert len({frame.rgba.tobytes() for frame in new}) > 2 * fresh, "and really differs"
    captured = [frame.t_capture_ns for frame in frames]
    assert captured == sorted(captured), "motion never runs backwards"
    assert len(set(captured)) > 2 * fresh
    assert after["live"]["added_delay_ms"] > 0
    assert after["live"]["fresh_fps"] <= FRESH_AT_MOST_PER_S + 1


def test_hanging_runtime_is_replaced_and_the_stream_goes_on(tmp_path: Path) -> None:
    hang = tmp_path / "hang"
    program = ("tests.support.faulty_daemon", str(hang))
    with (
        running(tmp_path, "demo", "--headless", fps=FPS, extra=EXACT, program=program) as daemon,
        FrameReader.attach(daemon.name) as reader,
    ):
        assert status_of(daemon)["runtime"].startswith("native")
        wait_until(lambda: status_of(daemon)["live"]["fresh_fps"] > 0, PATIENCE_S, "fields come")
        epoch = reader.status()
        hang.touch()
        states = set()
        deadline = time.monotonic() + PATIENCE_S
        while not status_of(daemon)["runtime"].startswith("openvino"):
            assert time.monotonic() < deadline, daemon.log
            assert reader.read_newer(0, timeout_s=PATIENCE_S) is not None
            states.add(reader.liveness())
            time.sleep(0.02)  # who asks without a pause is refused
        wait_until(lambda: not status_of(daemon)["live"]["failing"], PATIENCE_S, "it goes on")
        new = [f for f in frames_during(reader, 2.0) if not f.flags & FrameFlag.REPEAT]
        status = reader.status()
        assert states == {Liveness.LIVE}, "not for a moment did it look dead"
        assert new, "and it moves again"
        assert epoch is not None
        assert status is not None
        assert status.uuid == epoch.uuid, "in the same segment"
        assert status.health & HealthFlag.RUNTIME_FALLBACK
        assert status.health & HealthFlag.READY
        assert any("has not answered for" in line for line in daemon.log)
        assert daemon.terminate() == 0, "a thread that hangs holds nothing up"
