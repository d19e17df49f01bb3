"""Whatever a streamer presses, the same expression is seen; how long that takes is told."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.support.daemon import DaemonProcess, running, wait_until
from tests.support.expressions import QUICK, STILL
from tests.support.midi import jack_server, pad
from tests.support.triggers import Button, Eye, expression_of
from vtbridge.control.vts.plugins import PluginBook
from vtbridge.publish.vtbf import FrameReader

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("weight_store")]

PATIENCE_S = 60.0
PRESSES = int(os.environ.get("VTBRIDGE_TEST_PRESSES", "2"))
"""Each costs a second or two on a slow machine; more make a better median."""
# What comes first is still in [control].
SETTINGS = f"""
midi = "PAD"
{STILL}
[control.vts]
port = 0
discovery = false
"""

Switch = Callable[[bool], None]
"""Presses a key or lets go of it."""


@contextmanager
def over_osc(daemon: DaemonProcess, _folder: Path) -> Iterator[Switch]:
    button = Button(daemon.ports["osc"])
    with button.socket:
        yield lambda on: button.press("cat", float(on))


@contextmanager
def over_http(daemon: DaemonProcess, _folder: Path) -> Iterator[Switch]:
    address, token = daemon.url.removeprefix("http://").split("/#token=")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def switch(on: bool) -> None:
        body = json.dumps({"action": "on" if on else "off"})
        connection.request("POST", "/api/v1/expressions/cat", body, headers)
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)) == (202, {"accepted": True})

    with closing(HTTPConnection(address, timeout=PATIENCE_S)) as connection:
        yield switch


@contextmanager
def over_websocket(daemon: DaemonProcess, _folder: Path) -> Iterator[Switch]:
    address, token = daemon.url.removeprefix("http://").split("/#token=")

    def switch(on: bool) -> None:
        action = "on" if on else "off"
        asked = {"command": "expression", "name": "cat", "action": action, "id": action}
        connection.send(json.dumps(asked))
        while "id" not in (answer := json.loads(connection.recv())):
            pass
        assert (answer["id"], answer["ok"]) == (action, True)

    with closing(
        websocket.create_connection(
            f"ws://{address}/api/v1/events",
            timeout=PATIENCE_S,
            header=[f"Authorization: Bearer {token}"],
            suppress_origin=True,
        )
    ) as connection:
        yield switch


@contextmanager
def over_vts(daemon: DaemonProcess, folder: Path) -> Iterator[Switch]:
    """Speak VTube Studio's API as a plugin that the user has allowed beforehand."""
    (url,) = (f"ws{line.split('ws', 1)[1]}" for line in daemon.log if " ws://127.0.0.1:" in line)
    me = {"pluginName": "Deck", "pluginDeveloper": "tests"}
    PluginBook(folder / "state" / "vtbridge" / "vts-plugins.json").answer("Deck", allowed=True)

    def ask(kind: str, **data: object) -> dict[str, Any]:
        message = {
            "apiName": "VTubeStudioPublicAPI",
            "apiVersion": "1.0",
            "requestID": kind,
            "messageType": f"{kind}Request",
            "data": data,
        }
        connection.send(json.dumps(message))
        answer: dict[str, Any] = json.loads(connection.recv())
        assert answer["messageType"] == f"{kind}Response", answer
        return dict(answer["data"])

    def switch(on: bool) -> None:
        ask("ExpressionActivation", expressionFile="cat.exp3.json", active=on)

    with closing(websocket.create_connection(url, timeout=PATIENCE_S)) as connection:
        token = ask("AuthenticationToken", **me)["authenticationToken"]
        assert ask("Authentication", **me, authenticationToken=token)["authenticated"]
        yield switch


@contextmanager
def over_midi(daemon: DaemonProcess, _folder: Path) -> Iterator[Switch]:
    with pad("pad") as send:
        wait_until(
            lambda: any("hearing MIDI device" in line for line in daemon.log),
            PATIENCE_S,
            "the device is found",
        )
        yield lambda on: send("note_on" if on else "note_off", note=60, channel=2)


def kept_on(daemon: DaemonProcess, by: str) -> bool:
    return bool(expression_of(daemon, "cat")["triggers"] == [by])


TRIGGERS = {
    "osc": over_osc,
    "http": over_http,
    "websocket": over_websocket,
    "vts": over_vts,
    "midi": over_midi,
}


def test_same_expression_by_every_trigger_is_seen_and_told(
    tmp_path: Path,
    prepared_michi: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    own = tmp_path / "expressions.toml"
    own.write_text(QUICK + 'mode = "hold"\nmidi = "note:60@3"\n', encoding="utf-8")
    with (
        jack_server(monkeypatch),
        running(
            *(tmp_path, "run", "--vts"), inputs=("vmc",), extra=SETTINGS, package=prepared_michi
        ) as daemon,
        FrameReader.attach(daemon.name) as reader,
    ):
        eye = Eye(reader)
        resting = eye.at_rest()
        for by, trigger in TRIGGERS.items():
            delays_s = []
            with trigger(daemon, tmp_path) as switch:
                for _ in range(PRESSES):
                    begun = time.monotonic()
                    switch(True)
                    eye.seconds_until_changed(resting)
                    delays_s.append(time.monotonic() - begun)
                    wait_until(
                        partial(kept_on, daemon, by),
                        PATIENCE_S,
                        f"it is told that {by} keeps it on",
                    )
                    switch(False)
                    eye.until_like(resting)
            middle_s = statistics.median(delays_s)
            record_property(f"{by}_to_published_frame_p50_s", middle_s)
            print(f"{by} to published frame: p50 {middle_s:.3f} s of {PRESSES}")
        assert daemon.terminate() == 0
        assert not [line for line in daemon.log if "Traceback" in line]
