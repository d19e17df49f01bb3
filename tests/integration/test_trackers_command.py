"""``vtbridge trackers`` as a user runs it: alone, beside an avatar, and into a pipe."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import (
    isolated_environment,
    run_vtbridge,
    running,
    sending,
    unique_name,
    write_config,
)
from vtbridge.control.address import ControlAddress


def trackers(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    config = str(folder / "config.toml")
    return run_vtbridge(folder, "trackers", "--config", config, *arguments)


def snapshots(finished: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


@contextmanager
def looking(folder: Path) -> Iterator[Callable[[Callable[[dict[str, Any]], bool]], None]]:
    """Run `vtbridge trackers --json` and give a function that reads on until one look fits."""
    looker = subprocess.Popen(
        [
            sys.executable,
            *("-m", "vtbridge", "trackers", "--json", "--config", str(folder / "config.toml")),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=isolated_environment(folder),
    )
    assert looker.stdout is not None
    lines = iter(looker.stdout.readline, "")

    def see(fits: Callable[[dict[str, Any]], bool]) -> None:
        assert any(fits(json.loads(line)) for line in lines), "it ended"

    try:
        yield see
    finally:
        looker.terminate()
        looker.wait(10)
        looker.stdout.close()


def test_alone_it_listens_itself_and_shows_rate_and_face(tmp_path: Path) -> None:
    ports = write_config(tmp_path, unique_name(), inputs=("vmc", "livelink"))
    names = {"vmc:127.0.0.1", "livelink:127.0.0.1"}

    def both_are_live(told: dict[str, Any]) -> bool:
        live = {source["source"]: source for source in told["sources"] if source["fps"] > 1}
        return (
            set(live) == names
            and all(source["state"] == "live" for source in live.values())
            and all(source["face"]["blendshapes"]["jawOpen"] >= 0 for source in live.values())
            and told["face"]["source"] in names
            and told["face"]["head_deg"] is not None
        )

    with (
        sending(ports["vmc"], "--protocol", "vmc"),
        sending(ports["livelink"], "--protocol", "livelink"),
        looking(tmp_path) as see,
    ):
        see(both_are_live)


def test_beside_an_avatar_it_asks_the_avatar(tmp_path: Path, prepared_michi: Path) -> None:
    with (
        running(tmp_path, "run", package=prepared_michi) as daemon,
        sending(daemon.ports["vmc"], "--protocol", "vmc"),
    ):
        for _ in range(20):
            (told,) = snapshots(trackers(tmp_path, "--json", "--once"))
            if told["face"] is not None:
                break
        assert told["name"] == daemon.name
        states = {source["source"]: source["state"] for source in told["sources"]}
        assert states == {"vmc:127.0.0.1": "live", "ifacialmocap": "waiting"}
        assert told["movers"]["head"] == "vmc:127.0.0.1"
        assert len(told["face"]["blendshapes"]) == 52


def test_into_a_pipe_it_prints_one_table_without_control_codes(tmp_path: Path) -> None:
    write_config(tmp_path, unique_name())
    finished = trackers(tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "\x1b" not in finished.stdout
    assert "Nothing yet for: vmc" in finished.stdout
    assert "127.0.0.1" in finished.stdout
    assert str(tmp_path / "config.toml") in finished.stdout.replace("\n", "")


def test_address_that_a_crash_left_behind_is_not_believed(tmp_path: Path) -> None:
    name = unique_name()
    write_config(tmp_path, name)
    left = tmp_path / "state" / "vtbridge" / f"{name}.control.json"
    left.parent.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    left.write_text(json.dumps({"port": ControlAddress(port, "x").port, "token": "x"}))
    (told,) = snapshots(trackers(tmp_path, "--json", "--once", "--seconds", "0"))
    assert [source["state"] for source in told["sources"]] == ["waiting", "waiting"]


def test_addresses_need_no_port(tmp_path: Path) -> None:
    ports = write_config(tmp_path, unique_name())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", ports["vmc"]))
        (told,) = snapshots(trackers(tmp_path, "--addresses", "--json"))
    assert told["addresses"][-1]["name"] == "this computer"
    assert set(told["instructions"]) == {"vmc", "ifacialmocap"}
    assert str(ports["vmc"]) in told["instructions"]["vmc"]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_ports_of_another_program_are_told_in_one_message(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ports = write_config(tmp_path, unique_name(), inputs=("vmc",))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", ports["vmc"]))
        finished = trackers(tmp_path, *arguments)
    assert finished.returncode == 10
    message = finished.stderr.splitlines()[-1]
    assert f"UDP port {ports['vmc']} is taken by" in message
    assert f"pid {os.getpid()}" in message
    assert "Traceback" not in finished.stderr


def test_it_leaves_the_ports_to_an_avatar_and_outlives_it(
    tmp_path: Path, prepared_michi: Path
) -> None:
    name = unique_name()
    ports = write_config(tmp_path, name, package=prepared_michi)
    with looking(tmp_path) as see:
        see(lambda told: [source["state"] for source in told["sources"]] == ["waiting"] * 2)
        for _ in range(2):
            with (
                running(tmp_path, "run", name=name, ports=ports) as daemon,
                sending(ports["vmc"], "--protocol", "vmc"),
            ):
                see(lambda told: "live" in {source["state"] for source in told["sources"]})
                assert not any("is taken" in line for line in daemon.log), daemon.log
                assert daemon.terminate() == 0
                see(lambda told: told["sources"] == [])


def test_a_terminal_is_told_at_once_that_it_listens(tmp_path: Path) -> None:
    write_config(tmp_path, unique_name(), inputs=("vmc",))
    finished = trackers(tmp_path, "--once", "--seconds", "0")
    assert finished.stderr.startswith("listening")


def test_devices_are_listed_or_their_absence_told(tmp_path: Path) -> None:
    finished = trackers(tmp_path, "--devices")
    assert finished.returncode == 0, finished.stderr
    assert "[tracking.webcam]" in finished.stdout
    assert "[tracking.microphone]" in finished.stdout
    (told,) = snapshots(trackers(tmp_path, "--devices", "--json"))
    assert set(told) == {"webcams", "microphones", "trouble"}
