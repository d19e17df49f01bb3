"""``vtbridge doctor`` tells what is wrong and leaves with how bad it is."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from tests.support.daemon import run_vtbridge, running, unique_name, write_config

Findings = dict[str, dict[str, str]]


def examine(folder: Path, **environment: str) -> tuple[int, Findings]:
    config = str(folder / "config.toml")
    finished = run_vtbridge(folder, "doctor", "--json", "--config", config, **environment)
    assert "Traceback" not in finished.stderr
    return finished.returncode, {found["check"]: found for found in json.loads(finished.stdout)}


@pytest.mark.usefixtures("weight_store")
def test_running_daemon_holds_its_ports_rightly(tmp_path: Path) -> None:
    with running(tmp_path, "run") as daemon:
        _, found = examine(tmp_path)
        assert found["vmc port"]["verdict"] == "ok"
        assert "running daemon" in found["vmc port"]["seen"]
        assert found["frame transport"]["verdict"] == "ok"
        assert found["weights"]["verdict"] == "ok"
        assert found["runtime openvino"]["verdict"] == "ok"
        assert daemon.terminate() == 0


def test_missing_weights_and_a_stranger_on_a_port_are_told_with_their_remedies(
    tmp_path: Path,
) -> None:
    ports = write_config(tmp_path, unique_name())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", ports["vmc"]))
        code, found = examine(tmp_path, VTBRIDGE_WEIGHTS_DIR=str(tmp_path / "nothing"))
    assert found["vmc port"]["verdict"] == "warning"
    assert f"pid {os.getpid()}" in found["vmc port"]["seen"]
    assert code == 2
    assert found["weights"]["verdict"] == "failure"
    assert "vtbridge weights pull" in found["weights"]["remedy"]
    assert found["runtimes"]["verdict"] == "failure"
