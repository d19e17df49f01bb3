"""A real daemon: an expression saved over the API moves the avatar, and goes again."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.daemon import DaemonProcess, running, wait_until
from tests.support.expressions import QUICK, STILL
from tests.support.triggers import Eye
from vtbridge.publish.vtbf import FrameReader

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("weight_store")]

WIDE = {"fade_in_s": 0, "fade_out_s": 0, "values": {"mouth_aaa": 1, "eye_wink": 1}}
PATIENCE_S = 30.0


def asked(daemon: DaemonProcess, method: str, path: str, order: object = None) -> tuple[int, Any]:
    """Return the status and the answer of a request."""
    address, token = daemon.url.removeprefix("http://").split("/#token=")
    connection = HTTPConnection(address, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        body = None if order is None else json.dumps(order)
        connection.request(method, f"/api/v1/expressions/{path}", body, headers)
        answer = connection.getresponse()
        return answer.status, json.load(answer)
    finally:
        connection.close()


def test_saved_expression_moves_the_avatar_until_it_is_removed(
    tmp_path: Path, prepared_michi: Path
) -> None:
    own = tmp_path / "expressions.toml"
    own.write_text(QUICK, encoding="utf-8")
    with (
        running(tmp_path, "run", inputs=("vmc",), extra=STILL, package=prepared_michi) as daemon,
        FrameReader.attach(daemon.name) as reader,
    ):
        eye = Eye(reader)
        resting = eye.at_rest()

        assert asked(daemon, "POST", "wide/preview", {"definition": WIDE})[0] == 202
        eye.seconds_until_changed(resting)
        wait_until(
            lambda: np.abs(eye.at_rest() - resting).max() <= 6, PATIENCE_S, "it plays but once"
        )
        assert own.read_text(encoding="utf-8") == QUICK

        assert asked(daemon, "PUT", "wide/definition", WIDE)[0] == 202
        assert asked(daemon, "POST", "wide", {"action": "on"})[0] == 202
        eye.seconds_until_changed(resting)
        status, told = asked(daemon, "GET", "wide/definition")
        assert (status, told["own"], told["definition"]["values"]) == (200, True, WIDE["values"])

        assert asked(daemon, "DELETE", "wide/definition")[0] == 202
        assert own.read_text(encoding="utf-8") == QUICK
        wait_until(
            lambda: np.abs(eye.at_rest() - resting).max() <= 6, PATIENCE_S, "the face's own again"
        )
        assert asked(daemon, "POST", "wide", {"action": "on"})[0] == 404

        own.write_text(QUICK + "easing = 'soon'\n", encoding="utf-8")
        status, told = asked(daemon, "PUT", "wide/definition", WIDE)
        assert (status, f"{own}:6: " in told["detail"]) == (409, True)
        assert daemon.terminate() == 0
