"""Processes that draw a data set end with who started them, and their end is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from vtbridge.errors import DatasetError
from vtbridge.training.dataset.manifest import read_manifest

RECIPE = """
name = "slow"
poses = 20
size = 256
shard = 1000
[shares]
train = 0.5
test = 0.5
[source]
kind = "procedural"
subjects = 2000
"""
STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 30.0  # a shard takes minutes


@contextmanager
def drawing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a job whose two processes are in the middle of a shard each."""
    recipe = folder / "slow.toml"
    recipe.write_text(RECIPE)
    asked = ("dataset", "render", str(recipe), "-o", str(folder / "data"), "--processes", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "vtbridge", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + STARTS_WITHIN_S
        while not begun(folder) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert begun(folder), process.poll()
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def begun(folder: Path) -> bool:
    return len(list((folder / "data").glob("*/.*.tar.part"))) == 2


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_ctrl_c_ends_all_processes_at_once_and_leaves_no_half_shard(tmp_path: Path) -> None:
    with drawing(tmp_path) as process:
        workers = workers_of(process)
        assert len(workers) == 2
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=ENDS_WITHIN_S)
        assert process.returncode == 130
        assert "Traceback" not in told
        psutil.wait_procs(workers, timeout=ENDS_WITHIN_S)
        assert not any(worker.is_running() for worker in workers)
    assert not list((tmp_path / "data").glob("*/*tar*"))
    assert not list((tmp_path / "data").glob("*/.*"))


def test_a_killed_process_is_told_and_a_second_job_is_refused(tmp_path: Path) -> None:
    with drawing(tmp_path) as process:
        second = subprocess.run(
            process.args, capture_output=True, text=True, check=False, timeout=STARTS_WITHIN_S
        )
        assert second.returncode == 12
        assert f"(pid {process.pid}) is rendering into" in second.stderr
        workers_of(process)[0].kill()
        _, told = process.communicate(timeout=ENDS_WITHIN_S)
        assert process.returncode == 12
        assert "a process that draws was killed" in told
        assert "--processes" in told
        with pytest.raises(DatasetError, match="no finished data set"):
            read_manifest(tmp_path / "data")
