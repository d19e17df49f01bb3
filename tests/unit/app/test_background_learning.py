"""Learning hears what is shown, tells what it made, and waits while frames come late."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from vtbridge.app import background_learning
from vtbridge.app.background_learning import (
    BackgroundLearning,
    Courtesy,
    LearnProgress,
    feed,
    learn_command,
)
from vtbridge.clock import ManualClock
from vtbridge.datatypes import F32Array
from vtbridge.pose_params import POSE_SIZE
from vtbridge.telemetry import Telemetry

_END_S = 30.0

ECHO = """
import json, sys
for number, line in enumerate(sys.stdin, 1):
    first = json.loads(line)["pose"][0]
    news = {"phase": str(first), "turns": number, "written": number // 2, "psnr_db": None}
    print(json.dumps({"news": news}), flush=True)
"""


def learning_by(script: str) -> BackgroundLearning:
    return BackgroundLearning([sys.executable, "-c", script])


def wait_for(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _END_S
    while not happened() and time.monotonic() < give_up:
        time.sleep(0.005)
    assert happened()


def pose(first: float) -> F32Array:
    values = np.zeros(POSE_SIZE, np.float32)
    values[0] = first
    return values


class Stream:
    """A live avatar with learning beside it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, script: str = ECHO) -> None:
        monkeypatch.setattr(background_learning, "_FEED_EVERY_S", 0.005)
        self.learning = learning_by(script)
        self.allowed = True
        self.pose: F32Array | None = None
        self.written = 0
        self.stopping = threading.Event()
        self.learning.start()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def allows(self) -> bool:
        return self.allowed

    def end(self) -> None:
        self.stopping.set()
        self._thread.join(_END_S)
        assert not self._thread.is_alive()
        assert self.learning.stop(timeout_s=_END_S)

    def _feed(self) -> None:
        def written() -> None:
            self.written += 1

        feed(
            self.learning,
            newest=lambda: self.pose,
            courtesy=self,  # type: ignore[arg-type]
            written=written,
            stopping=self.stopping,
        )


def test_each_pose_is_told_once_and_each_new_model_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Stream(monkeypatch)
    for number in (1, 2, 3, 4):
        stream.pose = pose(number / 8)
        wait_for(
            lambda number=number: (
                stream.learning.progress is not None  # type: ignore[misc]
                and stream.learning.progress.turns == number
            )
        )
    wait_for(lambda: stream.written == 2)
    stream.end()
    assert stream.learning.progress == LearnProgress("0.5", 4, 2, None)
    assert stream.learning.trouble == ""


def test_while_frames_come_late_it_stands_still_and_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Stream(monkeypatch)
    stream.pose = pose(0.1)
    wait_for(lambda: stream.learning.progress is not None)
    process = psutil.Process(stream.learning._process.pid)  # type: ignore[union-attr]
    stream.allowed = False
    wait_for(lambda: process.status() == psutil.STATUS_STOPPED)
    assert stream.learning.paused
    stream.pose = pose(0.2)
    time.sleep(0.05)  # were it told, that would show as a third turn
    stream.pose = pose(0.3)
    stream.allowed = True
    wait_for(lambda: stream.learning.progress == LearnProgress("0.3", 2, 1, None))
    stream.end()


def test_one_that_stands_still_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch)
    stream.pose = pose(0.1)
    wait_for(lambda: stream.learning.progress is not None)
    stream.allowed = False
    wait_for(lambda: stream.learning.paused)
    stream.end()
    assert stream.learning.trouble == ""


def test_one_that_dies_is_told_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch, "import sys; sys.exit('vtbridge: the disk is full')")
    wait_for(lambda: not stream.learning.alive)
    stream.pose = pose(0.5)
    stream.end()
    assert stream.learning.trouble == "the disk is full"


class Counting:
    """A telemetry in which a test makes beats."""

    def __init__(self) -> None:
        self.telemetry, self.clock = Telemetry(), ManualClock()
        self.courtesy = Courtesy(self.telemetry, self.clock)

    def pass_by(self, seconds: float, late: float = 0.0) -> list[bool]:
        """Let time pass at 60 beats a second, asking 5 times a second."""
        answers = []
        for _ in range(round(seconds * 5)):
            self.clock.advance(0.2)
            self.telemetry.count("pace.beats", 12)
            self.telemetry.count("pace.missed", round(12 * late))
            answers.append(self.courtesy.allows())
        return answers


def test_learning_may_go_on_while_frames_are_in_time() -> None:
    counting = Counting()
    assert all(counting.pass_by(60.0))


def test_late_frames_make_it_wait_and_longer_each_time() -> None:
    counting = Counting()
    waits = []
    for _ in range(3):
        answers = counting.pass_by(120.0, late=0.25)
        waits.append(answers)
    first = waits[0]
    began = first.index(False)
    assert began <= 5 * 5 + 1
    pauses = "".join("01"[answer] for answers in waits for answer in answers).split("1")
    lengths = [len(pause) / 5 for pause in pauses if pause]
    assert lengths[0] == pytest.approx(20.0, abs=1.0)
    assert lengths[1] == pytest.approx(40.0, abs=1.0)
    assert lengths[2] == pytest.approx(80.0, abs=1.0)


def test_after_a_calm_minute_it_is_patient_again() -> None:
    counting = Counting()
    counting.pass_by(30.0, late=0.25)
    counting.pass_by(120.0)
    answers = counting.pass_by(26.0, late=0.25)
    assert answers.count(False) / 5 <= 21.0


def test_a_display_that_stands_still_says_nothing() -> None:
    counting = Counting()
    counting.clock.advance(60.0)
    assert counting.courtesy.allows()
    counting.telemetry.count("pace.beats", 10)
    counting.telemetry.count("pace.missed", 10)
    counting.clock.advance(60.0)
    assert counting.courtesy.allows()


def test_the_command_is_one_that_this_vtbridge_knows(tmp_path: Path) -> None:
    import subprocess

    words = learn_command(tmp_path / "nobody")
    done = subprocess.run(words, input="", capture_output=True, text=True, check=False, timeout=120)
    assert "nobody" in done.stderr
    assert done.returncode == 3


def test_what_is_told_is_a_line_that_is_understood() -> None:
    from vtbridge.cli.character_learn import pose_in

    said: list[bytes] = []
    learning = learning_by("")

    def say(line: bytes) -> bool:
        said.append(line)
        return True

    learning.say = say  # type: ignore[method-assign]
    values = np.linspace(-1, 1, POSE_SIZE).astype(np.float32)
    learning.show(values)
    heard = pose_in(said[0].decode())
    assert heard is not None
    np.testing.assert_allclose(heard, values, atol=1e-5)
    assert json.loads(said[0]).keys() == {"pose"}
    assert len(said[0]) < 1024
    for line in ("", "{}", "[", '{"pose": "x"}', '{"pose": [1e999, []]}', "7"):
        assert pose_in(line) is None
