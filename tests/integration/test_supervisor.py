"""Whatever becomes of a renderer, its supervisor deals with it: real processes, no networks."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import wait_until
from vtbridge.errors import KeepsFailing
from vtbridge.supervise.settings import SupervisorSettings
from vtbridge.supervise.supervisor import Supervisor
from vtbridge.supervise.systemd import Systemd

PATIENCE_S = 30.0
PARENT = """
import sys
from vtbridge.supervise.settings import SupervisorSettings
from vtbridge.supervise.supervisor import Supervisor
from vtbridge.supervise.systemd import Systemd
supervisor = Supervisor(sys.argv[1:], SupervisorSettings(), systemd=Systemd.of())
supervisor.catch_signals()
print("ready", flush=True)
sys.exit(supervisor.run())
"""


class Supervised:
    """A supervisor in this process with a fake renderer."""

    def __init__(self, folder: Path, way: str, **settings: float) -> None:
        self.log = folder / "log"
        self.log.touch()
        chosen = SupervisorSettings.model_validate({"hung_after_s": 1} | settings)
        self.supervisor = Supervisor(command(way, self.log), chosen, systemd=Systemd(""))

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def starts(self) -> list[int]:
        return [int(line.split()[1]) for line in self.lines() if line.startswith("start")]

    def run_until(self, what: str, seen: int = 1) -> int:
        """Stop it once ``what`` was noted so often, and return its exit code."""

        def stop() -> None:
            wait_until(
                lambda: sum(line.startswith(what) for line in self.lines()) >= seen,
                PATIENCE_S,
                what,
            )
            time.sleep(0.2)
            self.supervisor.stop()

        stopper = threading.Thread(target=stop)
        stopper.start()
        try:
            return self.supervisor.run()
        finally:
            stopper.join()


def command(way: str, log: Path) -> list[str]:
    return [sys.executable, "-m", "tests.support.fake_renderer", way, str(log)]


def renderers(log: Path) -> list[int]:
    return [int(line.split()[2]) for line in log.read_text().splitlines() if "start" in line]


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_one_that_is_well_is_left_alone_and_ends_when_asked(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "well")
    assert supervised.run_until("start") == 0
    assert supervised.lines()[1:] == ["stop"]
    assert gone(renderers(supervised.log)[0])


@pytest.mark.parametrize("way", ["dies once", "hang", "stand still"])
def test_one_that_dies_or_hangs_is_started_again(tmp_path: Path, way: str) -> None:
    supervised = Supervised(tmp_path, way)
    assert supervised.run_until("start", 2) == 0
    assert supervised.starts()[:2] == [0, 1]
    assert all(gone(pid) for pid in renderers(supervised.log))


def test_one_that_is_stopped_from_outside_is_started_again(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "well")

    def freeze() -> None:
        wait_until(lambda: bool(supervised.lines()), PATIENCE_S, "it started")
        time.sleep(0.3)
        os.kill(renderers(supervised.log)[0], signal.SIGSTOP)

    threading.Thread(target=freeze).start()
    assert supervised.run_until("start", 2) == 0
    assert gone(renderers(supervised.log)[0])


def test_one_that_fails_again_and_again_is_given_up_with_the_cause(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "die", restarts=3)
    with pytest.raises(KeepsFailing, match=r"killed by SIGKILL.*3 times within a minute"):
        supervised.supervisor.run()
    assert supervised.starts() == [0, 1, 2, 3]


def test_a_mistake_of_the_user_is_not_tried_again(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "refuse")
    assert supervised.supervisor.run() == 3
    assert supervised.starts() == [0]


def test_one_that_is_never_ready_is_killed(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "never ready", restarts=0, start_within_s=5)
    with pytest.raises(KeepsFailing, match="was not ready after 5 s"):
        supervised.supervisor.run()
    assert gone(renderers(supervised.log)[0])


def test_an_order_to_reload_reaches_it(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "well")
    supervised.supervisor.reload()
    assert supervised.run_until("reload") == 0
    assert supervised.lines().count("reload") == 1


def test_a_second_signal_ends_one_that_is_deaf_at_once(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "deaf")
    threading.Timer(2.0, supervised.supervisor.stop).start()
    start = time.monotonic()
    assert supervised.run_until("start") == -signal.SIGKILL
    assert time.monotonic() - start < 8
    assert gone(renderers(supervised.log)[0])


def test_no_renderer_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *command("well", log)])
    wait_until(lambda: log.exists() and bool(renderers(log)), PATIENCE_S, "it started")
    parent.kill()
    parent.wait()
    wait_until(lambda: gone(renderers(log)[0]), PATIENCE_S, "the renderer ended")
    assert "stop" in log.read_text()


def test_signals_at_any_moment_leave_nothing(tmp_path: Path) -> None:
    chance = random.Random(9)
    for number in range(12):
        log = tmp_path / f"log-{number}"
        log.touch()
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, *command("well", log)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.6))
        parent.send_signal(chance.choice([signal.SIGTERM, signal.SIGINT]))
        # Before it is ready, a renderer may be gone before it could be told.
        assert parent.wait(PATIENCE_S) == 0
        parent.stdout.close()
        assert all(gone(pid) for pid in renderers(log))
