"""Two real daemons on loopback: one tracks, the other shows what it tracks."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.daemon import (
    free_udp_port,
    isolated_environment,
    running,
    sending,
    status_of,
    unique_name,
    wait_until,
    write_config,
)
from tests.support.expressions import QUICK, STILL
from tests.support.triggers import Button, Eye, expression_of
from vtbridge.publish.vtbf import FrameReader
from vtbridge.remote.key import ENVIRONMENT_VARIABLE, new_key

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("weight_store")]

PATIENCE_S = 20.0
IP_AND_UDP_BYTES = 28


@dataclass
class Tracker:
    """A running ``vtbridge run --role tracker``."""

    process: subprocess.Popen[str]
    ports: dict[str, int]
    log: list[str] = field(default_factory=list)

    def says(self, words: str) -> bool:
        return any(words in line for line in self.log)


@contextlib.contextmanager
def tracking(folder: Path, port: int) -> Iterator[Tracker]:
    folder.mkdir()
    ports = write_config(folder, unique_name(), inputs=("vmc",), extra=f"[remote]\nport = {port}\n")
    arguments = ["run", "--role", "tracker", "--renderer", "127.0.0.1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vtbridge", *arguments, "--config", str(folder / "config.toml")],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=isolated_environment(folder),
    )
    tracker = Tracker(process, ports)
    assert process.stderr is not None
    lines = process.stderr

    def follow() -> None:
        for line in lines:
            tracker.log.append(line.rstrip())

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield tracker
    finally:
        process.kill()
        process.wait(10)
        follower.join(10)
        lines.close()


def post(url: str, command: str) -> None:
    address, token = url.removeprefix("http://").split("/#token=")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = HTTPConnection(address, timeout=PATIENCE_S)
    try:
        connection.request("POST", f"/api/v1/{command}", b"{}", headers)
        assert connection.getresponse().status == 202
    finally:
        connection.close()


def test_face_and_keys_at_one_computer_move_the_frames_of_the_other(
    tmp_path: Path,
    prepared_michi: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    key, port = new_key(), free_udp_port()
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, key.text)
    tmp_path.joinpath("expressions.toml").write_text(QUICK + 'mode = "hold"\n', encoding="utf-8")
    remote = f'[remote]\nport = {port}\nlisten = "127.0.0.1"\n'
    with (
        running(
            *(tmp_path, "run", "--role", "renderer"),
            inputs=(),
            extra=STILL + remote,
            package=prepared_michi,
        ) as shown,
        FrameReader.attach(shown.name) as reader,
        tracking(tmp_path / "gaming", port) as tracker,
    ):
        eye = Eye(reader)
        resting = eye.newest()
        wait_until(lambda: tracker.says("127.0.0.1 answers"), PATIENCE_S, "they find each other")
        assert not status_of(shown)["tracked"]
        with sending(tracker.ports["vmc"]):
            wait_until(lambda: status_of(shown)["tracked"], PATIENCE_S, "a face is seen there")
            assert status_of(shown)["tracker"] == "remote:127.0.0.1"
            eye.seconds_until_changed(resting)

            post(shown.url, "calibrate")
            wait_until(lambda: tracker.says("calibrated"), PATIENCE_S, "calibrated over there")

            button = Button(tracker.ports["osc"])
            with button.socket:
                button.press("cat", 1.0)
                wait_until(
                    lambda: expression_of(shown, "cat")["triggers"] == ["remote"],
                    PATIENCE_S,
                    "pressed there, on here",
                )
            if sys.platform == "linux":
                loaded = Path(f"/proc/{tracker.process.pid}/maps").read_text(encoding="utf-8")
                assert not re.search(r"libtorch|openvino", loaded), "no network is loaded there"

            counters = status_of(shown)["counters"]
            per_pose = counters["remote.bytes"] / counters["remote.packets"] + IP_AND_UDP_BYTES
            record_property("kilobytes_a_second", 60 * per_pose / 1000)
            print(f"two computers: {60 * per_pose / 1000:.1f} kB/s at 60 poses a second")
            assert 60 * per_pose < 20_000

            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for junk in (b"", b"VTBR\x01\x03", b"\0" * 300, b"x" * 5000):
                    stranger.sendto(junk, ("127.0.0.1", port))
            (source,) = status_of(shown)["sources"]
            assert source["state"] == "live"

            tracker.process.kill()
            wait_until(
                lambda: not status_of(shown)["tracked"], PATIENCE_S, "a tracker that died is lost"
            )
            wait_until(
                lambda: not expression_of(shown, "cat")["active"], PATIENCE_S, "its key is let go"
            )
        assert shown.terminate() == 0
        assert key.text not in "\n".join(shown.log + tracker.log)
