"""Other people's libraries, each in a process of its own, send a face as its users would."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import REPOSITORY, skip_loudly
from tests.support.daemon import free_udp_port, network_inputs, running, wait_until
from vtbridge.clock import MonotonicClock
from vtbridge.datatypes import FaceFrame, U8Array
from vtbridge.flow.slot import LatestSlot
from vtbridge.publish.vtbf import FrameReader
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import open_inputs
from vtbridge.tracking.settings import TrackingSettings

PROGRAMS = REPOSITORY / "tests" / "data" / "senders"
CACHE = REPOSITORY / ".cache" / "senders"
NPM_TIMEOUT_S = 150
PATIENCE_S = 40.0
FRAMES = 20
FULL_YAW_RAD = 0.35


@dataclass(frozen=True)
class Sender:
    """How one library is run."""

    protocol: str
    program: str
    command: tuple[str, ...]
    plain_text: bool = False


SENDERS = {
    "node-osc": Sender("vmc", "node_osc.cjs", ("node",)),
    "osc.js": Sender("vmc", "osc.cjs", ("node",)),
    "osc-js": Sender("vmc", "osc_js.cjs", ("node",)),
    "liblo oscsend": Sender("vmc", "oscsend.sh", ("sh",), plain_text=True),
    "vmcp": Sender("vmc", "vmcp_bundles.py", (sys.executable,)),
    "PyLiveLinkFace": Sender("livelink", "livelink_face.py", (sys.executable,)),
}


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Return the npm packages of ``tests/data/senders/package-lock.json``, installed once."""
    if shutil.which("npm") is None:
        skip_loudly("npm is missing: sudo apt-get install nodejs npm")
    lock = (PROGRAMS / "package-lock.json").read_bytes()
    folder = CACHE / hashlib.sha256(lock).hexdigest()[:16]
    modules = folder / "node_modules"
    if (folder / "complete").exists():
        return modules
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROGRAMS / name, folder)
    npm = ["npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(
            npm, cwd=folder, check=True, capture_output=True, text=True, timeout=NPM_TIMEOUT_S
        )
    except subprocess.CalledProcessError as error:
        skip_loudly(f"the npm packages cannot be had: {error.stderr.strip()}")
    except subprocess.TimeoutExpired:
        skip_loudly(f"the npm packages did not come within {NPM_TIMEOUT_S} s")
    (folder / "complete").touch()
    return modules


def frames_of(shares: Sequence[float]) -> list[dict[str, Any]]:
    """Return faces whose jaw opens, eye closes and head turns by each of ``shares``, 0..1."""
    return [
        {
            "shapes": {"JawOpen": share, "EyeBlinkLeft": 1 - share},
            # About the vertical axis, in Unity's order x y z w: to the own right.
            "head": [
                0,
                math.sin(share * FULL_YAW_RAD / 2),
                0,
                math.cos(share * FULL_YAW_RAD / 2),
            ],
            "yaw": share * FULL_YAW_RAD,
        }
        for share in shares
    ]


def lines_of(frames: Sequence[dict[str, Any]]) -> str:
    """Return ``frames`` as arguments of oscsend, a message a line."""
    lines = []
    for frame in frames:
        head = " ".join(f"{value:.7f}" for value in (0, 0, 0, *frame["head"]))
        lines.append(f"/VMC/Ext/Bone/Pos sfffffff Head {head}")
        for name, weight in frame["shapes"].items():
            lines.append(f"/VMC/Ext/Blend/Val sf {name} {weight:.7f}")
        lines.append("/VMC/Ext/Blend/Apply")
    return "\n".join(lines) + "\n"


@contextmanager
def sending(
    sender: Sender, port: int, frames: Sequence[dict[str, Any]], folder: Path, modules: Path
) -> Iterator[None]:
    """Let ``sender`` send ``frames`` to ``port`` again and again."""
    if shutil.which(sender.command[0]) is None or (
        sender.plain_text and shutil.which("oscsend") is None
    ):
        skip_loudly(f"{sender.program} cannot run: sudo apt-get install nodejs liblo-tools")
    file = folder / f"{sender.program}.frames"
    text = lines_of(frames) if sender.plain_text else json.dumps(frames)
    file.write_text(text, encoding="utf-8")
    with (folder / f"{sender.program}.log").open("w+b") as log:
        process = subprocess.Popen(
            [*sender.command, str(PROGRAMS / sender.program), str(port), str(file)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "NODE_PATH": str(modules)},
        )
        try:
            yield
            assert process.poll() is None, "the sender ended:\n" + _text_of(log.name)
        except AssertionError as error:
            error.add_note(f"{sender.program} wrote:\n" + _text_of(log.name))
            raise
        finally:
            process.terminate()
            process.wait(10)


def _text_of(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", SENDERS)
def test_faces_of_a_real_sender_arrive_as_it_sent_them(
    tmp_path: Path, node_modules: Path, name: str
) -> None:
    sender, port = SENDERS[name], free_udp_port()
    tables: dict[str, dict[str, object]] = {n: {"enabled": False} for n in network_inputs()}
    tables[sender.protocol] = {"port": port}
    slot: LatestSlot[FaceFrame] = LatestSlot()
    telemetry = Telemetry()
    inputs = open_inputs(TrackingSettings.model_validate(tables), slot, telemetry, MonotonicClock())
    for service in inputs.services:
        service.start()
    shares = [number / (FRAMES - 1) for number in range(FRAMES)]
    try:
        with sending(sender, port, frames_of(shares), tmp_path, node_modules):
            faces = list(_faces_until_all_seen(slot, inputs.status))
    finally:
        stopped = [service.stop() for service in inputs.services]
    assert all(stopped)
    assert telemetry.counters().get("tracking.rejected", 0) == 0
    assert telemetry.counters().get("tracking.values_dropped", 0) == 0
    for face in faces:
        assert face.source == f"{sender.protocol}:127.0.0.1"
        assert face.tracked
        numbers = [share * (FRAMES - 1) for share in _shares_in(face)]
        assert numbers == pytest.approx([round(number) for number in numbers], abs=1e-3)
        # A sender that is held up between two datagrams leaves parts of two frames.
        steps = {(round(a) - round(b)) % FRAMES for a in numbers for b in numbers}
        assert steps <= {0, 1, FRAMES - 1}


def _faces_until_all_seen(
    slot: LatestSlot[FaceFrame], status: Callable[[], object]
) -> Iterator[FaceFrame]:
    """Yield whole faces until nearly every frame of the loop was among them."""
    numbers: set[int] = set()
    seq = 0
    deadline_s = time.monotonic() + PATIENCE_S
    while len(numbers) < FRAMES - 4:
        assert time.monotonic() < deadline_s, f"only frames {sorted(numbers)} of {status()}"
        newest = slot.wait_newer(seq, timeout_s=1.0)
        if newest is None:
            continue
        seq = newest.seq
        if newest.value.head is not None and len(newest.value.blendshapes) >= 2:
            numbers.add(round(newest.value.blendshapes["jawOpen"] * (FRAMES - 1)))
            yield newest.value


def _shares_in(face: FaceFrame) -> tuple[float, float, float]:
    assert face.head is not None
    assert face.head.pitch_rad == pytest.approx(0, abs=1e-6)
    assert face.head.roll_rad == pytest.approx(0, abs=1e-6)
    return (
        face.blendshapes["jawOpen"],
        1 - face.blendshapes["eyeBlinkLeft"],
        face.head.yaw_rad / FULL_YAW_RAD,
    )


QUICK_AND_STILL = """
release_s = 0.5
takeover_s = 0.5
[idle]
when_lost = "neutral"
breathing_depth = 0.0
"""
MANY_PIXELS = 1000


@pytest.mark.timeout(600)
def test_each_sender_in_turn_moves_the_avatar(
    tmp_path: Path, node_modules: Path, prepared_michi: Path
) -> None:
    extra, inputs = "[tracking]" + QUICK_AND_STILL, ("vmc", "livelink")
    with (
        running(
            tmp_path, "run", fps=10.0, inputs=inputs, extra=extra, package=prepared_michi
        ) as daemon,
        FrameReader.attach(daemon.name) as reader,
    ):

        def newest() -> U8Array:
            received = reader.read_newer(0, timeout_s=20)
            assert received is not None
            return received.rgba.copy()

        rest = newest()
        for name, sender in SENDERS.items():
            port = daemon.ports[sender.protocol]
            with sending(sender, port, frames_of([1.0]), tmp_path, node_modules):
                wait_until(
                    lambda: changed_pixels(rest, newest()) > MANY_PIXELS,
                    PATIENCE_S,
                    f"{name} turns the head and opens the mouth",
                )
            wait_until(
                lambda: changed_pixels(rest, newest()) < MANY_PIXELS / 20,
                PATIENCE_S,
                f"the avatar rests after {name}",
            )


def changed_pixels(before: U8Array, after: U8Array) -> int:
    return int((np.abs(before.astype(int) - after).max(axis=-1) > 24).sum())
