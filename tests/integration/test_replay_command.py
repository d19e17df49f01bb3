"""``vtbridge replay`` as a user meets it: on the avatar, into a pipe, and mistaken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import run_isolated
from tests.support.daemon import (
    isolated_environment,
    run_vtbridge,
    running,
    unique_name,
    wait_until,
    write_config,
)
from tests.support.recorder import CAPTURES, PATIENCE_S
from vtbridge.publish.vtbf import FrameReader


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("absent.vtbrec",), 2, "there is no recording absent.vtbrec"),
        (("config.toml", "--poses-out", "-"), 1, "is no recording"),
        (("CAPTURE", "--poses-out", "-", "--loop"), 2, "leave out --loop"),
        (("CAPTURE", "--speed", "0"), 2, "--speed 0 is for --poses-out"),
        (("CAPTURE", "--poses-out", "absent/poses.jsonl"), 2, "cannot be written"),
        (("CAPTURE", "--poses-out", "-", "--config", "absent.toml"), 2, "absent.toml"),
    ],
)
def test_mistake_is_one_message_and_an_exit_code(
    captures: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    write_config(tmp_path, unique_name())
    capture = str(captures / "vmc_node-osc.udpcap")
    names = {"CAPTURE": capture, "config.toml": str(tmp_path / "config.toml")}
    finished = run_isolated(tmp_path, "replay", *(names.get(a, a) for a in arguments))
    assert finished.returncode == code, finished.stderr
    assert told in " ".join(finished.stderr.split())
    assert "Traceback" not in finished.stderr


def test_reader_of_the_poses_may_leave_early(captures: Path, tmp_path: Path) -> None:
    capture = captures / CAPTURES["ifacialmocap"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vtbridge", "replay", str(capture), "--poses-out", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=isolated_environment(tmp_path),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE_S) == 0, told
    assert "Traceback" not in told
    assert "Exception" not in told


def test_replay_shows_the_avatar_like_a_tracker_and_ends(
    captures: Path, tmp_path: Path, prepared_michi: Path
) -> None:
    capture = str(captures / CAPTURES["vmc"])
    with running(tmp_path, "replay", capture, "--loop", package=prepared_michi) as daemon:
        with FrameReader.attach(daemon.name) as reader:
            seen = 0
            for _ in range(3):
                received = reader.read_newer(seen, timeout_s=20)
                assert received is not None
                seen = received.frame_no
        wait_until(lambda: any("face seen by vmc" in line for line in daemon.log), 60, "a face")
        assert daemon.terminate() == 0
    finished = run_vtbridge(
        tmp_path,
        *("replay", capture, "--speed", "4", "--config", str(tmp_path / "config.toml")),
    )
    assert finished.returncode == 0, finished.stderr
