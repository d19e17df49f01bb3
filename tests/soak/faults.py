"""What a soak does to an avatar on purpose, and how long each takes to be mended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.soak.stage import Stage

PATIENCE_S: Final = 60.0
FROZEN_S: Final = 1.0
SILENT_S: Final = 3.0
OBS_AWAY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault: its kind, when it began (seconds of the soak) and how long until it was mended.

    ``recovered_s`` is None if it never was, within ``PATIENCE_S``.
    """

    kind: str
    at_s: float
    recovered_s: float | None


def kill(stage: Stage) -> Callable[[], bool]:
    """Kill the renderer; mended when another one's first new frame can be read."""
    epoch = stage.epoch()
    os.kill(stage.daemon.renderer_pid, signal.SIGKILL)
    return lambda: stage.epoch() > epoch and stage.age_s() < 1.0


def hang(stage: Stage) -> Callable[[], bool]:
    """Stop the renderer for good, as a hanging driver does; the supervisor has to notice."""
    epoch = stage.epoch()
    os.kill(stage.daemon.renderer_pid, signal.SIGSTOP)
    return lambda: stage.epoch() > epoch and stage.age_s() < 1.0


def freeze(stage: Stage) -> Callable[[], bool]:
    """Stop the renderer for a second, as a machine that swaps does."""
    pid = stage.daemon.renderer_pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    os.kill(pid, signal.SIGCONT)
    latest = stage.latest()
    return lambda: stage.latest() > latest + 1


def lose_packets(stage: Stage) -> Callable[[], bool]:
    """Lose every packet for some seconds; mended when a face is tracked again."""
    stage.relay.loss = 1.0
    time.sleep(SILENT_S)
    stage.relay.loss = stage.usual_loss
    return lambda: bool(stage.status().get("tracked"))


def restart_obs(stage: Stage) -> Callable[[], bool]:
    """Quit OBS and start it again; mended when the daemon is connected anew."""
    before = stage.obs.connections
    stage.obs.shut()
    time.sleep(OBS_AWAY_S)
    stage.obs.open()
    return lambda: stage.obs.connections > before


ANY_TIME: Final[dict[str, Callable[[Stage], Callable[[], bool]]]] = {
    "frozen for a second": freeze,
    "packets lost for 3 s": lose_packets,
    "OBS restarted": restart_obs,
}
DEADLY: Final[dict[str, Callable[[Stage], Callable[[], bool]]]] = {
    "renderer killed": kill,
    "renderer hangs": hang,
}


def inject(kind: str, stage: Stage, at_s: float) -> Injected:
    """Do it, and wait until it is mended."""
    mended = (ANY_TIME | DEADLY)[kind](stage)
    began = time.monotonic()
    while not mended():
        if time.monotonic() - began > PATIENCE_S:
            return Injected(kind, at_s, None)
        time.sleep(0.02)
    return Injected(kind, at_s, time.monotonic() - began)
