"""A real ``vtbridge`` process with its own settings, ports and state."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any

import psutil

from vtbridge.tracking.settings import InputSettings, TrackingSettings

STATUS_TIMEOUT_S = 60.0
START_TIMEOUT_S = 60.0
RUN_TIMEOUT_S = 120.0
_URL = re.compile(r"(http://127\.0\.0\.1:\d+/#token=\w+)")


def free_udp_port() -> int:
    """Return a UDP port on loopback that was free a moment ago."""
    (port,) = free_udp_ports(1)
    return port


def free_udp_ports(count: int) -> list[int]:
    """Return that many different ones."""
    with contextlib.ExitStack() as probes:
        ports = []
        for _ in range(count):
            probe = probes.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            probe.bind(("127.0.0.1", 0))
            ports.append(int(probe.getsockname()[1]))
        return ports


@dataclass
class DaemonProcess:
    """One running ``vtbridge run`` or the like.

    Attributes:
        process: it.
        name: of the avatar.
        folder: with its config.toml and its state.
        url: of its page.
        ports: by input.
        log: lines on stderr.
        told: lines on stdout.
    """

    process: subprocess.Popen[str]
    name: str
    folder: Path
    url: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def terminate(self, timeout_s: float = 10.0) -> int:
        """Ask it to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    @property
    def renderer_pid(self) -> int:
        """Of the process that renders: the supervisor's child, or the only one."""
        children = psutil.Process(self.process.pid).children()
        return children[0].pid if children else self.process.pid

    def kill(self) -> None:
        """End all of it as a crash would."""
        renderer = psutil.Process(self.renderer_pid)
        self.process.kill()
        self.process.wait(10)
        with contextlib.suppress(psutil.NoSuchProcess):
            renderer.kill()
            renderer.wait(10)


def write_config(
    folder: Path,
    name: str,
    *,
    fps: float = 30.0,
    inputs: Sequence[str] = ("vmc", "ifacialmocap"),
    extra: str = "",
    package: Path | None = None,
) -> dict[str, int]:
    """Write ``folder/config.toml`` with free ports for the avatar ``name`` and return the ports.

    Only ``inputs`` are enabled, and those whose table stands in ``extra``. A prepared character,
    where ``package`` names one, leaves the processor to the tests beside.
    """
    names = (*inputs, "osc")
    ports = dict(zip(names, free_udp_ports(len(names)), strict=True))
    tables = "".join(
        f"[tracking.{protocol}]\n"
        + (f"port = {ports[protocol]}\n" if protocol in ports else "enabled = false\n")
        for protocol in network_inputs()
        if f"[tracking.{protocol}]" not in extra
    )
    # A bake in the background would take the processor from the tests beside this one.
    render = "[render]\nprepare = false\n"
    if "[render]" not in extra:
        extra += f"\n{render}"
    elif "prepare =" not in extra:
        extra = extra.replace("[render]\n", render)
    if package is not None:
        extra = re.sub(r'(?m)^quality = ".*"$\n?', "", extra)
        extra = extra.replace("[render]\n", '[render]\nquality = "baked"\n')
    picture = "michi" if package is None else package.as_posix()
    folder.joinpath("config.toml").write_text(
        f"""
[avatar]
fps = {fps}
picture = "{picture}"
[publish]
name = "{name}"
media_port = 0
{tables}
[control]
http_port = 0
osc_port = {ports["osc"]}
{extra}
""",
        encoding="utf-8",
    )
    return ports


def network_inputs() -> list[str]:
    """Return the name of every input that takes a port; the defaults of two would collide."""
    settings = TrackingSettings()
    return [
        name
        for name in TrackingSettings.model_fields
        if isinstance(getattr(settings, name), InputSettings)
    ]


def isolated_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which vtbridge keeps its state below ``folder``."""
    return {
        "VTBRIDGE_CHARACTERS_DIR": str(folder / "characters"),
        **os.environ,
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }


def run_vtbridge(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``vtbridge ARGUMENTS`` to its end, with its state below ``folder``."""
    return subprocess.run(
        [sys.executable, "-m", "vtbridge", *arguments],
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
        env=isolated_environment(folder) | environment,
    )


@contextlib.contextmanager
def sending(port: int, *arguments: str) -> Iterator[None]:
    """Let ``vtbridge send ARGUMENTS`` send to ``port`` on loopback until the block ends."""
    sender = subprocess.Popen(
        [sys.executable, "-m", "vtbridge", "send", *arguments, "--to", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        sender.terminate()
        sender.wait(10)


def unique_name() -> str:
    """Return an avatar name that no other test uses."""
    return f"t{uuid.uuid4().hex[:8]}"


@contextlib.contextmanager
def running(
    folder: Path,
    *arguments: str,
    name: str | None = None,
    fps: float = 30.0,
    inputs: Sequence[str] = ("vmc", "ifacialmocap"),
    extra: str = "",
    package: Path | None = None,
    ports: dict[str, int] | None = None,
    program: Sequence[str] = ("vtbridge",),
) -> Iterator[DaemonProcess]:
    """Start ``vtbridge ARGUMENTS --config folder/config.toml`` and wait until frames flow.

    ``program`` is another module to run in its place, and what it takes before ARGUMENTS.
    """
    name = name or unique_name()
    if ports is None:
        ports = write_config(folder, name, fps=fps, inputs=inputs, extra=extra, package=package)
    if program != ("vtbridge",):  # a supervisor would start vtbridge itself as the renderer
        with (folder / "config.toml").open("a") as config:
            config.write("\n[supervisor]\nenabled = false\n")
    process = subprocess.Popen(
        [sys.executable, "-m", *program, *arguments, "--config", str(folder / "config.toml")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=isolated_environment(folder),
    )
    daemon = DaemonProcess(process, name, folder, ports=ports)
    ready: queue.Queue[str] = queue.Queue()

    def follow(stream: IO[str], kept: list[str]) -> None:
        with contextlib.suppress(ValueError):
            for line in stream:
                kept.append(line.rstrip())
                if found := _URL.search(line):
                    ready.put(found[1])
        ready.put("")

    assert process.stdout is not None
    assert process.stderr is not None
    followers = [
        threading.Thread(target=follow, args=streams, daemon=True)
        for streams in ((process.stdout, daemon.told), (process.stderr, daemon.log))
    ]
    for follower in followers:
        follower.start()
    try:
        daemon.url = ready.get(timeout=START_TIMEOUT_S)
        if not daemon.url:
            raise AssertionError("vtbridge ended early:\n" + "\n".join(daemon.log))
        yield daemon
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        for follower in followers:
            follower.join(10)
        process.stdout.close()
        process.stderr.close()


def status_of(daemon: DaemonProcess) -> dict[str, Any]:
    """Return what ``GET /api/v1/status`` answers."""
    address, token = daemon.url.removeprefix("http://").split("/#token=")
    assert daemon.process.poll() is None, "\n".join(daemon.log)
    connection = HTTPConnection(address, timeout=STATUS_TIMEOUT_S)
    try:
        connection.request("GET", "/api/v1/status", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        found: dict[str, Any] = json.load(answer)
    finally:
        connection.close()
    return found


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Poll ``condition()`` until it is true; fail with ``what`` after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)
