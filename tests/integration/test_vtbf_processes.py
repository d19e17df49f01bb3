"""Writers and readers in processes of their own: at full speed, killed, and racing to start."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import random
import re
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.vtbf import script, shaded_frames, unused_name
from vtbridge.publish.vtbf import (
    FrameReader,
    FrameWriter,
    Liveness,
    segment_path,
)

SCRIPT = Path(__file__).with_name("vtbf_processes.py")
PATIENCE_S = 200.0

Answer = dict[str, Any]


class Processes:
    """Children forked by the script, and what they say."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        assert server.stdout is not None
        self._server = server
        self._heard: list[Answer] = []
        self._incoming: queue.Queue[Answer] = queue.Queue()
        self._ear = threading.Thread(target=self._listen, args=[server.stdout], daemon=True)
        self._ear.start()

    def start(self, *command: object) -> int:
        """Fork a child and return its process number."""
        assert self._server.stdin is not None
        self._server.stdin.write(" ".join(map(str, command)) + "\n")
        return int(self.answer("forked")["forked"])

    def answer(self, key: str, value: object = None) -> Answer:
        """Return the next answer that has ``key`` (of ``value``); others wait for their turn."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for heard in self._heard:
                if key in heard and value in (None, heard[key]):
                    self._heard.remove(heard)
                    return heard
            self._heard.append(self._incoming.get(timeout=deadline - time.monotonic()))

    def finish(self) -> None:
        """Let the server end and the listener with it."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(PATIENCE_S)
        self._ear.join(PATIENCE_S)

    def _listen(self, lines: Iterator[str]) -> None:
        for line in lines:
            self._incoming.put(json.loads(line))


@pytest.fixture
def processes() -> Iterator[Processes]:
    with script(SCRIPT) as server:
        started = Processes(server)
        try:
            yield started
        finally:
            started.finish()


@pytest.fixture
def name() -> Iterator[str]:
    with unused_name() as unused:
        yield unused


def kill(pid: int) -> None:
    """End a child that the script forked, and wait until the kernel has dropped its lock."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                continue
        return
    raise AssertionError(f"process {pid} does not die")


@pytest.mark.timeout(240)  # about 8 s on two idle cores, but this suite may share them
def test_a_million_frames_and_not_one_torn(processes: Processes, name: str) -> None:
    """The gate of the design: 10^6 small frames, 20 000 verified reads, by two other processes."""
    count = 1_000_000
    processes.start("write", name, 32, count, 2)
    processes.answer("ready")
    readers = [processes.start("read", name, 0) for _ in range(2)]
    assert processes.answer("written")["written"] == count
    reports = [processes.answer("good") for _ in readers]
    assert all(report["wrong"] == report["backwards"] == 0 for report in reports), reports
    assert sum(report["good"] for report in reports) >= 20_000, reports
    assert max(report["seen"] for report in reports) == count
    assert not segment_path(name).exists()


def test_frames_that_are_overtaken_all_the_time_are_never_torn(
    processes: Processes, name: str
) -> None:
    """Two slots, frames whose copy takes as long as their writing, nobody waits for anybody."""
    good = overtaken = 0
    for _ in range(8):  # on two busy cores writer and reader may hardly ever meet
        processes.start("write", name, 512, 6_000, 2)
        processes.answer("ready")
        readers = [processes.start("read", name, 0) for _ in range(2)]
        reports = [processes.answer("good") for _ in readers]
        processes.answer("written")
        assert all(report["wrong"] == report["backwards"] == 0 for report in reports), reports
        good += sum(report["good"] for report in reports)
        overtaken += sum(report["torn"] for report in reports)
        if good > 100 and overtaken > 1:
            return
    pytest.fail(f"{good} frames read, {overtaken} overtaken: proves nothing")


def test_control_one_naive_buffer_does_tear(processes: Processes, name: str) -> None:
    """The same frames, processes and check must find tearing where there is no protocol."""
    path = segment_path(name)
    path.touch(0o600)
    path.write_bytes(bytes(32 * 32 * 4))
    writer = processes.start("write-naively", path, 32, 1_000_000_000)
    processes.answer("ready")
    processes.start("read-naively", path, 32, 20)
    report = processes.answer("good")
    kill(writer)
    assert report["wrong"] == 10, report


def test_thirty_killed_writers_tear_nothing(processes: Processes, name: str) -> None:
    chance = random.Random(1)
    half_written = 0
    writer = processes.start("write", name, 256, 0, 4)
    processes.answer("ready")
    for _ in range(2):
        processes.start("read", name, 0)
    for _ in range(2):
        processes.answer("reading")
    with FrameReader.attach(name) as reader:
        for kills in range(1, 31):
            time.sleep(chance.uniform(0.01, 0.05))
            kill(writer)
            assert reader.liveness() is Liveness.GONE
            half_written += any(seq % 2 for seq in sequence_numbers(segment_path(name)))
            writer = processes.start("write", name, 256, 0 if kills < 30 else 200, 4)
            assert processes.answer("ready")["epoch"] == kills + 1
        processes.answer("written")
        assert reader.liveness() is Liveness.CLOSED
    for _ in range(2):
        report = processes.answer("good")
        assert report["wrong"] == report["backwards"] == report["reopened"] == 0, report
        assert report["good"] > 30
    assert half_written > 0, "no writer was killed inside a frame: the test proves nothing"
    assert not segment_path(name).exists()


def sequence_numbers(path: Path) -> list[int]:
    """Return seq of every slot, by nothing but the published layout."""
    content = path.read_bytes()
    (slots,) = struct.unpack_from("<I", content, 24)
    (stride,) = struct.unpack_from("<Q", content, 32)
    return [struct.unpack_from("<Q", content, 4096 + slot * stride)[0] for slot in range(slots)]


def test_forty_killed_readers_disturb_nobody(processes: Processes, name: str) -> None:
    chance = random.Random(2)
    frames = shaded_frames(64, 64)
    watcher_started = threading.Event()
    stop = threading.Event()
    numbers: list[int] = []

    def write_on() -> None:
        number = 0
        while not stop.is_set():
            number = writer.write(frames[(number + 1) % 16])
            watcher_started.set()
        numbers.append(number)

    with FrameWriter.open(name, max_width=64, max_height=64) as writer:
        thread = threading.Thread(target=write_on)
        thread.start()
        watcher_started.wait()
        try:
            processes.start("read", name, 0)
            survivor = processes.answer("reading")["reading"]
            for _ in range(20):
                pair = [processes.start("read", name, 0) for _ in range(2)]
                for pid in pair:
                    processes.answer("reading", pid)
                time.sleep(chance.uniform(0, 0.01))
                for pid in pair:
                    kill(pid)
        finally:
            stop.set()
            thread.join()
        status = FrameReader.attach(name).status()
        assert status is not None
        assert status.latest == numbers[0]
        assert status.epoch == 1
    report = processes.answer("good")
    assert survivor
    assert report["wrong"] == report["backwards"] == 0, report
    assert report["good"] > 0
    assert report["seen"] == numbers[0]


def test_of_two_that_start_at_once_one_wins(processes: Processes, name: str) -> None:
    """100 rounds, from nothing and from what a dead writer left, in turn."""
    path = segment_path(name)
    with FrameWriter.open(name, max_width=32, max_height=32) as writer:
        writer.write(shaded_frames(32, 32)[1])
        dead = path.read_bytes()
    for round_ in range(100):
        if round_ % 2:
            path.touch(0o600)
            path.write_bytes(dead)
        start_ns = time.monotonic_ns() + 15_000_000
        pids = {processes.start("race", name, start_ns) for _ in range(2)}
        answers = [processes.answer("raced", pid) for pid in pids]
        winners = [answer["raced"] for answer in answers if "won" in answer]
        losers = [answer for answer in answers if "lost" in answer]
        assert len(winners) == 1, answers
        named = re.search(r"process (\d+)", losers[0]["lost"])
        assert named, losers
        assert int(named[1]) == winners[0], "the message must name the winner"
        os.kill(winners[0], signal.SIGUSR1)
        processes.answer("closed")
        assert not path.exists()
