"""A real daemon: an OSC button, the command line and a saved file change what is seen."""

from __future__ import annotations

import shutil
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.integration.test_live_daemon import status_of
from tests.support.daemon import DaemonProcess, run_vtbridge, running, wait_until
from tests.support.expressions import QUICK, STILL
from vtbridge.characters import BUILTIN
from vtbridge.osc import decode_packet
from vtbridge.publish.vtbf import FrameReader

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("weight_store")]

PATIENCE_S = 60.0


def expression_of(daemon: DaemonProcess, name: str) -> dict[str, Any]:
    """Return the state of one expression, empty if there is none of that name."""
    states = status_of(daemon)["expressions"]
    return next((state for state in states if state["name"] == name), {})


class Button:
    """A controller that sends to the daemon and hears its state."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE_S)

    def press(self, name: str, *position: float) -> None:
        builder = OscMessageBuilder(f"/vtbridge/expression/{name}")
        for value in position:
            builder.add_arg(value)
        self.socket.sendto(builder.build().dgram, self._address)

    def wait_told(self, name: str, on: float) -> None:
        while True:
            (message,) = decode_packet(self.socket.recv(4096))
            if (message.address, message.arguments) == (f"/vtbridge/expression/{name}", (on,)):
                return


def face_in(rgba: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.int16]]:
    return rgba[64:192, 192:320].astype(np.int16)


class Eye:
    """Looks at the frames in the segment."""

    def __init__(self, reader: FrameReader) -> None:
        self._reader = reader
        self._seen = 0

    def newest(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        frame = self._reader.read_newer(self._seen, timeout_s=PATIENCE_S)
        assert frame is not None
        self._seen = frame.frame_no
        return face_in(frame.rgba)

    def at_rest(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        """Return the face once it has not moved for a while."""
        deadline = time.monotonic() + PATIENCE_S
        face, same = self.newest(), 0
        while same < 40:
            assert time.monotonic() < deadline, "it never comes to rest"
            before, face = face, self.newest()
            same = same + 1 if np.abs(face - before).max() <= 2 else 0
        return face

    def seconds_until_changed(self, from_: np.ndarray[Any, np.dtype[np.int16]]) -> float:
        begun = time.monotonic()
        while np.abs(self.newest() - from_).max() <= 24:
            assert time.monotonic() < begun + PATIENCE_S, "it never changes"
        return time.monotonic() - begun


def test_expression_is_triggered_seen_told_and_reloaded(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    shutil.copyfile(BUILTIN["michi"], tmp_path / "me.png")
    own = tmp_path / "expressions.toml"
    own.write_text(QUICK, encoding="utf-8")
    arguments = ("run", "--picture", str(tmp_path / "me.png"))
    with (
        running(tmp_path, *arguments, inputs=("vmc",), extra=STILL) as daemon,
        FrameReader.attach(daemon.name) as reader,
    ):
        button, eye = Button(daemon.ports["osc"]), Eye(reader)
        with button.socket:
            resting = eye.at_rest()

            button.press("cat", 1.0)
            eye.seconds_until_changed(resting)
            button.wait_told("cat", 1.0)
            state = expression_of(daemon, "cat")
            assert (state["active"], state["amount"], state["triggers"]) == (True, 1.0, ["osc"])
            button.press("cat", 0.0)
            button.wait_told("cat", 0.0)
            assert np.abs(eye.at_rest() - resting).max() <= 6, "the face's own again"
            assert not expression_of(daemon, "cat")["active"]

            own.write_text(QUICK + "easing = 'soon'\n", encoding="utf-8")
            wait_until(
                lambda: f"{own}:6: " in status_of(daemon)["expressions_trouble"],
                PATIENCE_S,
                "the line of the mistake is told",
            )
            assert any(f"{own}:6: expressions.cat" in line for line in daemon.log)
            assert expression_of(daemon, "cat"), "the last good set stays"

            own.write_text(QUICK.replace("cat", "dog"), encoding="utf-8")
            wait_until(
                lambda: bool(expression_of(daemon, "dog")), PATIENCE_S, "the file is read again"
            )
            status = status_of(daemon)
            assert status["expressions_trouble"] == ""
            assert not expression_of(daemon, "cat")
            told = run_vtbridge(tmp_path, "expression", "trigger", "dog", "-n", daemon.name)
            assert told.returncode == 0, told.stderr
            eye.seconds_until_changed(resting)
            assert expression_of(daemon, "dog")["triggers"] == ["page"]
            wrong = run_vtbridge(tmp_path, "expression", "trigger", "dig", "-n", daemon.name)
            assert wrong.returncode == 2
            assert "did you mean dog" in wrong.stderr
            button.press("dog")
            resting = eye.at_rest()

            delays = []
            for _ in range(5):
                button.press("dog", 1.0)
                delays.append(eye.seconds_until_changed(resting))
                button.press("dog", 0.0)
                eye.at_rest()
            record_property("trigger_to_published_frame_p50_s", statistics.median(delays))
            print(f"trigger to published frame: p50 {statistics.median(delays):.3f} s, {delays}")
            latency = status_of(daemon)["latency_ms"]
            assert "expressions" in latency
        assert daemon.terminate() == 0
