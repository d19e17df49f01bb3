"""A real ``vtbridge record`` and what is sent to it."""

from __future__ import annotations

import contextlib
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.daemon import isolated_environment, unique_name, wait_until, write_config
from vtbridge.clock import MonotonicClock
from vtbridge.tracking.recordings.session import iter_session
from vtbridge.tracking.senders.playback import bursts_of_capture, play

INPUTS = ("vmc", "ifacialmocap", "livelink", "openseeface")
CAPTURES = {
    "vmc": "vmc_osc-js_xranimator-layout.udpcap",
    "ifacialmocap": "ifacialmocap_v1_ExpressionAppBridge.udpcap",
    "openseeface": "openseeface_model0.udpcap",
}
PATIENCE_S = 60.0
QUIET_S = 2.0
"""Some turns of the writer without a record: what is still missing was lost."""


@dataclass
class Recorder:
    """A running ``vtbridge record``."""

    process: subprocess.Popen[str]
    path: Path
    ports: dict[str, int]
    log: list[str] = field(default_factory=list)

    def send(self, capture: Path, protocol: str, speed: float = 5.0) -> int:
        """Send a capture to the input of ``protocol`` and return how many datagrams it was."""
        to = ("127.0.0.1", self.ports[protocol])
        return play(bursts_of_capture(capture), to, MonotonicClock(), speed=speed).datagrams

    def wait_until_quiet(self) -> None:
        """Return once the file holds something and nothing more is added to it."""
        wait_until_still(lambda: count_of(self.path))

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send it a signal and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    @property
    def told(self) -> str:
        """All that it wrote for its user."""
        return "\n".join(self.log)


def count_of(path: Path) -> int:
    """Return how many records a session holds so far."""
    return sum(1 for _ in iter_session(path))


def wait_until_still(count: Callable[[], int], least: int = 1) -> None:
    """Return once ``count()`` is at least ``least`` and, for a while, grows no more."""
    newest, since_s = 0, 0.0

    def is_still() -> bool:
        nonlocal newest, since_s
        now_s, before = time.monotonic(), newest
        newest = count()
        since_s = since_s if newest == before else now_s
        return newest >= least and now_s - since_s >= QUIET_S

    wait_until(is_still, PATIENCE_S, f"{least} records and then no more")


@contextlib.contextmanager
def recorder(
    folder: Path, *options: str, file: str = "bug.vtbrec", code: str = ""
) -> Iterator[Recorder]:
    """Start ``vtbridge record`` and wait until it records."""
    ports = write_config(folder, unique_name(), inputs=INPUTS)
    path = folder / file
    program = ["-c", code] if code else ["-m", "vtbridge"]
    arguments = ["record", str(path), "--config", str(folder / "config.toml"), *options]
    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=isolated_environment(folder),
    )
    made = Recorder(process, path, ports)
    ready: queue.Queue[bool] = queue.Queue()

    def follow() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            made.log.append(line.rstrip())
            if "Ctrl-C to stop" in line:
                ready.put(True)
        ready.put(False)

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        assert ready.get(timeout=PATIENCE_S), made.told
        yield made
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)
        follower.join(PATIENCE_S)
        assert process.stderr is not None
        process.stderr.close()
