"""A real avatar with a canary for each secret: no output, log or report repeats one."""

from __future__ import annotations

import json
import socket
import zipfile
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.daemon import free_udp_port, run_vtbridge, running, wait_until
from vtbridge.obs.password import ENVIRONMENT_VARIABLE as OBS_VARIABLE
from vtbridge.remote.key import ENVIRONMENT_VARIABLE as KEY_VARIABLE
from vtbridge.remote.key import new_key

pytestmark = pytest.mark.usefixtures("weight_store")

PASSWORD = "canary-obs-passphrase"


def test_no_canary_leaves_a_running_avatar(
    tmp_path: Path, prepared_michi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key().text
    monkeypatch.setenv(OBS_VARIABLE, PASSWORD)
    monkeypatch.setenv(KEY_VARIABLE, key)
    obs = f"[obs]\nenabled = true\nport = {free_udp_port()}\n"  # nobody listens there
    with running(tmp_path, "run", "-v", package=prepared_michi, extra=obs) as daemon:
        address, token = daemon.url.removeprefix("http://").split("/#token=")
        _ask_with_wrong_tokens(address, token)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for secret in (PASSWORD, token, key):
                sender.sendto(secret.encode(), ("127.0.0.1", daemon.ports["vmc"]))
        config = ("--config", str(tmp_path / "config.toml"))
        bundle = tmp_path / "bug.zip"
        told = [run_vtbridge(tmp_path, "doctor", "--json", *config)]
        told.append(run_vtbridge(tmp_path, "report", "-o", str(bundle), *config))
        assert told[-1].returncode == 0, told[-1].stderr
        logs = tmp_path / "state" / "vtbridge" / "logs"
        wait_until(lambda: bool(list(logs.glob("*-renderer.log"))), 10, "a log is kept")
    with zipfile.ZipFile(bundle) as members:
        texts = {name: members.read(name).decode() for name in members.namelist()}
    assert {"status.json", "metrics.txt", "doctor.json", "config.json"} <= texts.keys()
    health = json.loads(texts["status.json"])["health"]
    assert {"obs_unreachable", "tracker_lost"} <= set(health["degraded"])
    texts |= {path.name: path.read_text(encoding="utf-8") for path in logs.iterdir()}
    for result in told:
        texts[str(result.args)] = result.stdout + result.stderr
    # The page's address is shown on purpose, once, to who has to open it.
    texts["terminal"] = "\n".join([*daemon.told, *daemon.log]).replace(daemon.url, "")
    for name, text in texts.items():
        for canary in (PASSWORD, token, key, key.replace("-", "")):
            assert canary not in text, name


def _ask_with_wrong_tokens(address: str, token: str) -> None:
    connection = HTTPConnection(address, timeout=10)
    for given in (token[:-1] + "x", PASSWORD):
        connection.request("GET", "/api/v1/status", headers={"Authorization": f"Bearer {given}"})
        answer = connection.getresponse()
        assert answer.status == 401
        answer.read()
    connection.request("GET", f"/nothing?token={token}")
    connection.getresponse().read()
    connection.close()
