"""A real OBS Studio in a virtual display, with a home, a port and a password of its own."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import skip_loudly
from vtbridge.datatypes import U8Array
from vtbridge.errors import ObsUnreachable
from vtbridge.obs.client import ObsClient
from vtbridge.obs.password import Password
from vtbridge.obs.plugin import PLUGIN_NAME, build_plugin
from vtbridge.obs.settings import ObsSettings

CANVAS = (640, 512)
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
SCRIPT = Path(__file__).parents[2] / "integrations" / "obs-script" / "vtbridge.lua"
OBS_HEADER = Path("/usr/include/obs/obs-module.h")
WEAKLY_COMPRESSED = 85
"""For OBS, of a PNG: as exact as any, in half of the time that its own choice takes."""
BACKGROUND = (64, 160, 32)
"""Colour behind the avatar in the scenes that ``ObsProcess.make_scene`` makes."""


def free_tcp_port() -> int:
    """Return a TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class ObsSetup:
    """What an OBS begins with.

    Attributes:
        scripts: Lua files that it loads.
        script_settings: of all of them.
        plugin: folder of a built plugin, for OBS's folder of the user's plugins.
        sources: inputs in the scene ``Scene``, as OBS stores them.
        fps: frames a second.
    """

    scripts: Sequence[Path] = ()
    script_settings: Mapping[str, object] = field(default_factory=dict)
    plugin: Path | None = None
    sources: Sequence[Mapping[str, object]] = ()
    fps: int = 30


@dataclass
class ObsProcess:
    """One OBS; ``start`` and ``stop`` may be repeated, the configuration stays."""

    folder: Path
    display: str
    port: int = field(default_factory=free_tcp_port)
    password: str = field(default_factory=lambda: f"canary-{uuid.uuid4().hex}")
    process: subprocess.Popen[bytes] | None = None

    @property
    def config_root(self) -> Path:
        """OBS's own folder, as ``~/.config/obs-studio``."""
        return self.folder / ".config" / "obs-studio"

    @property
    def log(self) -> str:
        """All that OBS has printed."""
        return self.folder.joinpath("obs.log").read_text(errors="replace")

    @property
    def running(self) -> bool:
        """False once OBS has ended or crashed."""
        return self.process is not None and self.process.poll() is None

    @property
    def settings(self) -> ObsSettings:
        """How to reach it."""
        return ObsSettings(port=self.port, timeout_s=20)

    def configure(self, setup: ObsSetup) -> None:
        """Write the configuration: no wizard, no preview, websocket on, and the ``setup``."""
        root = self.config_root
        if setup.plugin is not None:
            shutil.copytree(setup.plugin, root / "plugins" / PLUGIN_NAME)
        profile = root / "basic" / "profiles" / "vt"
        scenes = root / "basic" / "scenes"
        websocket = root / "plugin_config" / "obs-websocket"
        for folder in (profile, scenes, websocket):
            folder.mkdir(parents=True)
        self.folder.joinpath("xdg").mkdir(mode=0o700)
        general = textwrap.dedent(
            f"""\
            [General]
            FirstRun=true
            EnableAutoUpdates=false
            [Basic]
            Profile=vt
            ProfileDir=vt
            SceneCollection=vt
            SceneCollectionFile=vt
            [BasicWindow]
            PreviewEnabled=false
            SysTrayEnabled=false
            [OBSWebSocket]
            FirstLoad=false
            ServerEnabled=true
            ServerPort={self.port}
            AlertsEnabled=false
            AuthRequired=true
            ServerPassword={self.password}
            """
        )
        for name in ("global.ini", "user.ini"):  # user.ini: OBS 31 and later
            root.joinpath(name).write_text(general)
        websocket.joinpath("config.json").write_text(  # OBS 30.2 and later
            json.dumps(
                {
                    "first_load": False,
                    "server_enabled": True,
                    "server_port": self.port,
                    "alerts_enabled": False,
                    "auth_required": True,
                    "server_password": self.password,
                }
            )
        )
        width, height = CANVAS
        profile.joinpath("basic.ini").write_text(
            f"[General]\nName=vt\n[Video]\nBaseCX={width}\nBaseCY={height}\n"
            f"OutputCX={width}\nOutputCY={height}\nFPSType=1\nFPSInt={setup.fps}\n"
            "ColorFormat=RGB\nColorSpace=sRGB\nColorRange=Full\n"
        )
        items = [
            {"name": source["name"], "id": number, "visible": True}
            for number, source in enumerate(setup.sources, 1)
        ]
        scenes.joinpath("vt.json").write_text(
            json.dumps(
                {
                    "name": "vt",
                    "current_scene": "Scene",
                    "current_program_scene": "Scene",
                    "scene_order": [{"name": "Scene"}],
                    "sources": [
                        {"id": "scene", "name": "Scene", "settings": {"items": items}},
                        *setup.sources,
                    ],
                    "modules": {
                        "scripts-tool": [
                            {"path": str(script), "settings": setup.script_settings}
                            for script in setup.scripts
                        ]
                    },
                }
            )
        )

    def start(self) -> None:
        """Start OBS and wait until its websocket answers."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / ".config"),
            "XDG_CACHE_HOME": str(self.folder / ".cache"),
            "XDG_RUNTIME_DIR": str(self.folder / "xdg"),
            "DISPLAY": self.display,
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "QT_QPA_PLATFORM": "xcb",
            "LANG": "C.UTF-8",
        }
        options = [
            "--multi",
            "--minimize-to-tray",
            "--disable-missing-files-check",
            "--websocket_ipv4_only",
        ]
        with self.folder.joinpath("obs.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["obs", *options],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

        def greets() -> bool:
            if not self.running:
                raise RuntimeError(f"OBS ended while starting:\n{self.log[-4000:]}")
            try:
                with self.client() as client:
                    client.request("GetSceneList")
            except ObsUnreachable:
                return False
            return True

        wait_until(greets, "OBS answers", timeout_s=START_TIMEOUT_S, pause_s=0.2)

    def stop(self) -> int:
        """Let OBS quit (SIGINT is its clean exit) and return its exit code.

        OBS 29 closes its window inside the signal handler. If that interrupts Qt while it
        paints, the main thread waits for its own lock for ever (seen) or crashes (seen); so
        the signal is sent while that thread sleeps.
        """
        assert self.process is not None
        if self.running:
            wait_until(self._main_thread_sleeps, "OBS is idle", timeout_s=STOP_TIMEOUT_S)
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def _main_thread_sleeps(self) -> bool:
        """True if the main thread was not woken for longer than the X server takes to answer."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status")
        before = _switches(status)
        time.sleep(0.01)
        return "sleeping" in str(before) and _switches(status) == before

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def client(self) -> ObsClient:
        """Return a connection of its own."""
        return ObsClient("127.0.0.1", self.port, Password(self.password), timeout_s=20)

    def screenshot(self, client: ObsClient, source: str) -> U8Array:
        """Return what ``source`` (a scene, as a rule) shows: uint8 [H, W, 3]."""
        wanted = {
            "sourceName": source,
            "imageFormat": "png",
            "imageCompressionQuality": WEAKLY_COMPRESSED,
        }
        answer = client.request("GetSourceScreenshot", wanted)
        data = base64.b64decode(str(answer["imageData"]).split(",", 1)[1])
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture.convert("RGB"))

    def make_scene(self, client: ObsClient) -> str:
        """Make a scene with a plain background, show it, and return its name."""
        scene = f"scene-{uuid.uuid4().hex[:8]}"
        red, green, blue = BACKGROUND
        client.request("CreateScene", {"sceneName": scene})
        client.request(
            "CreateInput",
            {
                "sceneName": scene,
                "inputName": f"{scene} background",
                "inputKind": "color_source_v3",
                "inputSettings": {
                    "color": 0xFF000000 | blue << 16 | green << 8 | red,
                    "width": CANVAS[0],
                    "height": CANVAS[1],
                },
            },
        )
        client.request("SetCurrentProgramScene", {"sceneName": scene})
        return scene


def _switches(status: Path) -> list[str]:
    """Return the lines on context switches of a thread's ``/proc`` status, and its state."""
    lines = status.read_text().splitlines()
    return [line for line in lines if "ctxt_switches" in line or line.startswith("State:")]


def wait_until(
    condition: Callable[[], bool], what: str, *, timeout_s: float = 30.0, pause_s: float = 0.05
) -> float:
    """Wait until ``condition`` holds and return how long that took, in seconds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout_s:
            pytest.fail(f"waited {timeout_s:.0f} s in vain until {what}")
        time.sleep(pause_s)
    return time.monotonic() - began


@contextlib.contextmanager
def virtual_display() -> Iterator[str]:
    """Run Xvfb on a display number that it chooses itself."""
    number_out, number_in = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(number_in), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[number_in],
        stderr=subprocess.DEVNULL,
    )
    os.close(number_in)
    try:
        with os.fdopen(number_out) as number:
            display = number.readline().strip()
        if not display:
            raise RuntimeError(f"Xvfb ended with code {server.wait(5)}")
        yield f":{display}"
    finally:
        server.terminate()
        server.wait(10)


@contextlib.contextmanager
def running_obs(folder: Path, setup: ObsSetup | None = None) -> Iterator[ObsProcess]:
    """Run OBS with the ``setup``; skip, or fail in CI, where it is not installed."""
    for program in ("obs", "Xvfb"):
        if shutil.which(program) is None:
            skip_loudly(f"{program} is not installed (apt install obs-studio xvfb)")
    with virtual_display() as display:
        obs = ObsProcess(folder, display)
        obs.configure(setup or ObsSetup())
        obs.start()
        try:
            yield obs
        finally:
            if obs.running:
                obs.stop()


@pytest.fixture(scope="module")
def obs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObsProcess]:
    """One OBS with ``vtbridge.lua`` for all tests of a file; about 8 s to start.

    Kept for longer it would take a quarter of a core from all tests that come after.
    """
    with running_obs(tmp_path_factory.mktemp("obs"), ObsSetup(scripts=[SCRIPT])) as process:
        yield process


@pytest.fixture(scope="session")
def built_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the plugin's folder, built as ``vtbridge obs install --plugin`` builds it."""
    if shutil.which("cmake") is None or not OBS_HEADER.is_file():
        skip_loudly("CMake or OBS's headers are not installed (apt install cmake libobs-dev)")
    folder = tmp_path_factory.mktemp("plugin")
    build_plugin(folder)
    return folder


@pytest.fixture
def obs_client(obs: ObsProcess) -> Iterator[ObsClient]:
    """Return a connection to the shared OBS, which has to live through the test."""
    with obs.client() as client:
        yield client
    assert obs.running, obs.log[-4000:]
