"""The daemon as a user meets it: one of a name, told what to do, honest about mistakes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import run_isolated
from tests.support.daemon import (
    isolated_environment,
    run_vtbridge,
    running,
    sending,
    unique_name,
    wait_until,
    write_config,
)
from vtbridge.publish.vtbf import FrameReader, segment_path

pytestmark = pytest.mark.usefixtures("weight_store")


def test_second_daemon_of_a_name_is_told_who_holds_it(tmp_path: Path) -> None:
    config = str(tmp_path / "config.toml")
    with running(tmp_path, "demo", "--headless") as first:
        second = run_vtbridge(tmp_path, "demo", "--headless", "--config", config)
        assert second.returncode == 8
        assert str(first.process.pid) in second.stderr
        assert "Traceback" not in second.stderr
        with FrameReader.attach(first.name) as reader:
            assert reader.read_newer(0, timeout_s=10) is not None, "the first goes on"


def test_calibration_can_be_asked_for_and_is_kept(tmp_path: Path, prepared_michi: Path) -> None:
    config = str(tmp_path / "config.toml")
    with running(tmp_path, "run", package=prepared_michi) as daemon:
        with sending(daemon.ports["vmc"]):
            wait_until(
                lambda: any("face seen by vmc" in line for line in daemon.log), 60, "a face is seen"
            )
            assert run_isolated(tmp_path, "calibrate", "--config", config).returncode == 0
            wait_until(
                lambda: any("calibrating" in line for line in daemon.log), 20, "it was heard"
            )
            wait_until(lambda: any("calibrated" in line for line in daemon.log), 40, "it is done")
        daemon.kill()
    with running(tmp_path, "run", name=daemon.name, ports=daemon.ports) as again:
        assert any("neutral face is the one of last time" in line for line in again.log)
    refused = run_isolated(tmp_path, "calibrate", "--config", config)
    assert refused.returncode == 1
    assert daemon.name in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_daemon_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, "demo", "--headless") as daemon:
        daemon.process.send_signal(number)
        assert daemon.process.wait(20) == 0
    assert not segment_path(daemon.name).exists()


def test_signal_is_heard_while_the_networks_load(tmp_path: Path) -> None:
    write_config(tmp_path, unique_name())
    process = subprocess.Popen(
        [
            sys.executable,
            *("-m", "vtbridge", "run", "--verbose", "--config", str(tmp_path / "config.toml")),
        ],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=isolated_environment(tmp_path),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "loading the networks" in line:
            break
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 0, told
    assert "Traceback" not in told


def test_killed_daemons_name_is_free_at_once(tmp_path: Path) -> None:
    name = unique_name()
    ports = write_config(tmp_path, name)
    with running(tmp_path, "demo", "--headless", name=name, ports=ports) as daemon:
        daemon.kill()
    finished = run_vtbridge(
        tmp_path,
        *("demo", "--headless", "--seconds", "1", "--config", str(tmp_path / "config.toml")),
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("run", "--no-supervisor", "--picture", "nobody.png"), 3, "nobody.png"),
        (("run", "--config", "absent.toml"), 2, "absent.toml"),
        (("run", "--name", "a name with spaces"), 2, "name"),
        (("run", "--fps", "0"), 2, "fps"),
        (("pose", "michi", "--set", "mouth_aa=1"), 2, "mouth_aaa"),
        (("watch", "nobody"), 7, "nobody"),
    ],
)
def test_mistake_is_one_message_and_an_exit_code(
    tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    finished = run_isolated(tmp_path, *arguments)
    assert finished.returncode == code, finished.stderr
    assert told in finished.stderr
    assert "Traceback" not in finished.stderr
