"""Learning beside the avatar: what it shows goes to a process that makes its model better."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from vtbridge.app.background_work import BackgroundWork
from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import F32Array

log = logging.getLogger(__name__)

LATE: Final = 0.05
"""Share of the beats missed from which learning waits."""

_FEED_EVERY_S: Final = 0.2
_JUDGED_OVER_S: Final = 5.0
_LEAST_BEATS: Final = 30
_FIRST_PAUSE_S: Final = 20.0
_LONGEST_PAUSE_S: Final = 300.0
_CALM_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class LearnProgress:
    """How far learning is, as ``vtbridge character learn`` tells.

    Attributes:
        phase: what it does, for people.
        turns: turns of head and body that it knows.
        written: models written since it began.
        psnr_db: of the best model, None before it was judged by what was shown.
    """

    phase: str
    turns: int
    written: int
    psnr_db: float | None


def learn_command(package: Path) -> list[str]:
    """Return the command that learns for the character of ``package``."""
    return [sys.executable, "-m", "vtbridge", "character", "learn", str(package)]


class BackgroundLearning(BackgroundWork[LearnProgress]):
    """Run a process that learns, and listen to it."""

    def __init__(self, command: list[str]) -> None:
        super().__init__("learning", command)

    def news_in(self, news: Any) -> LearnProgress:
        """Return how far it is."""
        psnr_db = news["psnr_db"]
        return LearnProgress(
            phase=str(news["phase"]),
            turns=int(news["turns"]),
            written=int(news["written"]),
            psnr_db=None if psnr_db is None else float(psnr_db),
        )

    def show(self, pose: F32Array) -> bool:
        """Tell it of a pose that was shown, [45]; return False if it cannot hear."""
        return self.say(json.dumps({"pose": [round(float(value), 5) for value in pose]}).encode())


class Beats(Protocol):
    """How well the display's beat is kept; ``Telemetry`` tells it."""

    def counters(self) -> dict[str, int]:
        """Return ``pace.beats`` and ``pace.missed``, if there were any."""


class Courtesy:
    """Have learning wait while frames come late, longer each time that it did not help.

    Args:
        beats: counts deadlines, and those that were missed.
        clock: the monotonic clock.
    """

    def __init__(self, beats: Beats, clock: Clock) -> None:
        self._beats = beats
        self._clock = clock
        self._pause_s = _FIRST_PAUSE_S
        self._paused_until_ns: int | None = None
        self._resumed_ns = clock.now_ns()
        self._window = self._counted()
        self._window_ns = clock.now_ns()

    def allows(self) -> bool:
        """Return False while learning should wait; to be asked a few times a second."""
        now_ns = self._clock.now_ns()
        if self._paused_until_ns is not None:
            if now_ns < self._paused_until_ns:
                return False
            self._paused_until_ns, self._resumed_ns = None, now_ns
            self._begin_window(now_ns)
            return True
        if now_ns - self._window_ns < _JUDGED_OVER_S * NS_PER_S:
            return True
        beats, missed = self._counted()
        beats, missed = beats - self._window[0], missed - self._window[1]
        self._begin_window(now_ns)
        if beats < _LEAST_BEATS or missed <= LATE * beats:
            if now_ns - self._resumed_ns >= _CALM_S * NS_PER_S:
                self._pause_s = _FIRST_PAUSE_S
            return True
        self._paused_until_ns = now_ns + round(self._pause_s * NS_PER_S)
        log.info("frames come late: learning waits for %.0f s", self._pause_s)
        self._pause_s = min(2.0 * self._pause_s, _LONGEST_PAUSE_S)
        return False

    def _begin_window(self, now_ns: int) -> None:
        self._window, self._window_ns = self._counted(), now_ns

    def _counted(self) -> tuple[int, int]:
        counters = self._beats.counters()
        return counters.get("pace.beats", 0), counters.get("pace.missed", 0)


def feed(
    learning: BackgroundLearning,
    *,
    newest: Callable[[], F32Array | None],
    courtesy: Courtesy,
    written: Callable[[], None],
    stopping: threading.Event,
) -> None:
    """Tell ``learning`` what is shown, until it ends or ``stopping`` is set.

    Args:
        learning: was started.
        newest: returns the pose that is shown now, None before the first.
        courtesy: says when it has to wait.
        written: called when there is a new model.
        stopping: ends this.
    """
    known, told = 0, None
    while learning.alive and not stopping.wait(_FEED_EVERY_S):
        if courtesy.allows():
            learning.resume()
        elif not learning.paused:
            learning.pause()
        pose = newest()
        news = pose is not None and pose is not told and not learning.paused
        if pose is not None and news and learning.show(pose):
            told = pose
        progress = learning.progress
        if progress is not None and progress.written > known:
            known = progress.written
            written()
