"""``vtbridge watch`` against a writer that is really there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.vtbf import REPOSITORY, unused_name
from vtbridge.cli.watch import _health_text
from vtbridge.datatypes import Frame, FrameFlag
from vtbridge.errors import FrameTransportError
from vtbridge.publish.vtbf import FrameWriter, HealthFlag, segment_path


def run_watch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vtbridge", "watch", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"},
    )


@pytest.fixture
def name() -> Iterator[str]:
    with unused_name() as unused:
        yield unused


@pytest.fixture
def half_green(name: str) -> Iterator[str]:
    """Publish half-transparent green 100 times a second, and yield the avatar's name."""
    rgba = np.zeros((24, 32, 4), np.uint8)
    rgba[...] = (0, 100, 0, 128)
    rgba[0, 0] = 0
    stop = threading.Event()

    def publish() -> None:
        while not stop.wait(0.01):
            writer.write(Frame(rgba, 1, FrameFlag.TRACKER_LOST))

    with FrameWriter.open(name, max_width=32, max_height=32, nominal_fps=100) as writer:
        writer.set_health(HealthFlag.READY | HealthFlag.TRACKER_LOST)
        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield name
        finally:
            stop.set()
            thread.join()


def test_reports_are_json_alone(half_green: str) -> None:
    result = run_watch(half_green, "--seconds", "1", "--json")
    assert result.returncode == 0, result.stderr
    reports = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(reports) >= 2
    last = reports[-1]
    assert last["liveness"] == "live"
    assert last["frames"] > reports[0]["frames"] > 0
    assert last["fps"] > 0
    assert (last["width"], last["height"]) == (32, 24)
    assert last["nominal_fps"] == 100
    assert last["flags"] == ["tracker_lost"]
    assert last["health"] == ["ready", "tracker_lost"]
    assert last["writer_pid"] == os.getpid()
    assert last["epoch"] == 1


def test_line_for_people_goes_to_the_terminal(half_green: str) -> None:
    result = run_watch(half_green, "--seconds", "0.5")
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert "32x24" in result.stderr
    assert "live" in result.stderr
    assert "torn" in result.stderr
    assert "health tracker_lost" in result.stderr


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["ready"], "fine"),
        ([], "not ready"),
        (["ready", "tracker_lost", "slow"], "tracker_lost, slow"),
        (["inference_failed"], "not ready, inference_failed"),
    ],
)
def test_health_names_what_is_wrong_and_nothing_else(flags: list[str], text: str) -> None:
    assert _health_text(flags) == text


def test_png_has_straight_alpha(half_green: str, tmp_path: Path) -> None:
    png = tmp_path / "avatar.png"
    result = run_watch(half_green, "--png", str(png))
    assert result.returncode == 0, result.stderr
    with Image.open(png) as picture:
        assert picture.mode == "RGBA"
        rgba = np.asarray(picture)
    assert rgba.shape == (24, 32, 4)
    assert rgba[0, 0].tolist() == [0, 0, 0, 0]
    assert rgba[5, 5].tolist() == [0, 199, 0, 128]  # 100 * 255 / 128


def test_nothing_to_watch_is_told_with_the_remedy(name: str) -> None:
    result = run_watch(name)
    assert result.returncode == FrameTransportError.exit_code
    assert f"{segment_path(name)} does not exist" in result.stderr
    assert "vtbridge run" in result.stderr


def test_writer_without_a_frame_is_told(name: str, tmp_path: Path) -> None:
    with FrameWriter.open(name):
        result = run_watch(name, "--png", str(tmp_path / "none.png"), "--seconds", "0.1")
    assert result.returncode == FrameTransportError.exit_code
    assert "held no frame" in result.stderr
    assert not (tmp_path / "none.png").exists()
