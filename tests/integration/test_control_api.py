"""The control API keeps what its OpenAPI document promises, whatever it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cli import run_isolated
from tests.support.control_avatar import FakeAvatar
from tests.support.control_server import TOKEN, served
from tests.support.daemon import running

DOCUMENT = "/api/v1/openapi.json"
CHECKED_S = 200


def got(address: str, token: str, path: str) -> bytes:
    """Return what ``GET path`` answers to who has the token."""
    connection = HTTPConnection(address, timeout=CHECKED_S)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        return answer.read()
    finally:
        connection.close()


def schemathesis(folder: Path, address: str, token: str, *options: str) -> str:
    """Check the API against its own description; return what was found, in words."""
    document = folder / "openapi.json"
    document.write_bytes(got(address, token, DOCUMENT))
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis as st; st()"),
            *("run", str(document), "--url", f"http://{address}"),
            *("-H", f"Authorization: Bearer {token}"),
            # A built-in expression is there without being made, and when the user's own is removed.
            *("--exclude-checks", "use_after_free,ensure_resource_availability"),
            *("--checks", "all", "--seed", "1", "--generation-database", "none"),
            *("--continue-on-failure", "--exclude-operation-id", "events"),
            *options,
        ],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "PYTHONWARNINGS": ""},
        capture_output=True,
        text=True,
        timeout=CHECKED_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_hostile_clients_get_only_what_is_described(tmp_path: Path) -> None:
    avatar = FakeAvatar()
    with served(avatar, orders_per_s=100_000) as address:
        described = json.loads(got(address, TOKEN, DOCUMENT))
        found = schemathesis(tmp_path, address, TOKEN, "--max-examples", "25")
    operations = sum(len(methods) for methods in described["paths"].values())
    assert f"Tested: {operations - 1}" in found, "all but the WebSocket"
    assert {order.split()[0] for order in avatar.orders} >= {
        "calibrate",
        "clear",
        "look",
        "quality",
        "save",
        "remove",
        "preview",
    }


def test_a_check_that_must_fail_fails(tmp_path: Path) -> None:
    avatar = FakeAvatar()
    avatar.calibrate = lambda: 1 / 0  # type: ignore[assignment]
    with (
        served(avatar, orders_per_s=100_000) as address,
        pytest.raises(AssertionError, match="POST /api/v1/calibrate"),
    ):
        schemathesis(
            *(tmp_path, address, TOKEN, "--include-operation-id", "calibrate"),
            *("--phases", "coverage"),
        )


def test_a_real_avatar_answers_as_described(tmp_path: Path, prepared_michi: Path) -> None:
    with running(tmp_path, "run", inputs=("vmc",), package=prepared_michi) as daemon:
        address, token = daemon.url.removeprefix("http://").split("/#token=")
        schemathesis(
            *(tmp_path, address, token, "--include-method", "GET"),
            *("--phases", "coverage,fuzzing", "--max-examples", "3", "--mode", "positive"),
        )
        told = run_isolated(tmp_path, "api", "-n", daemon.name).stdout
        assert f"http://{address}/api/v1/" in told
        (private,) = (tmp_path / "state").rglob(f"{daemon.name}.token")
        if os.name == "posix":
            assert private.stat().st_mode & 0o777 == 0o600
        assert str(private) in told
        figures = got(address, private.read_text(), "/api/v1/metrics").decode()
        names = {family.name for family in text_string_to_metric_families(figures)}
        assert {"vtbridge_frames", "vtbridge_stage_seconds", "process_threads"} <= names
        config = json.loads(got(address, token, "/api/v1/config"))
        assert config["publish"]["name"] == daemon.name
        assert daemon.terminate() == 0
        assert not [line for line in daemon.log if "Traceback" in line]
        assert not private.exists()
