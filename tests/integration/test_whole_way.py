"""The whole way on real parts: a tracker's packets in, the character moving in a real OBS."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.support.daemon import DaemonProcess, running, sending, unique_name, write_config
from tests.support.obs import BACKGROUND, ObsProcess, wait_until
from vtbridge.datatypes import U8Array
from vtbridge.obs.client import ObsClient
from vtbridge.obs.scene import Transport, WantedScene, set_up_scene
from vtbridge.obs.settings import Placement
from vtbridge.publish.vtbf import FrameReader, segment_path

pytestmark = pytest.mark.usefixtures("weight_store")

TOLERANCE = 2
MOVED_PIXELS = 200
SETTLE_S = 0.5
"""Many ticks of OBS: what it shows by then is the last frame of a daemon that stands still."""


@contextmanager
def avatar_in_obs(obs: ObsProcess, client: ObsClient, name: str) -> Iterator[str]:
    """Show the avatar ``name`` in a scene of its own, by the script, and return the scene."""
    scene = obs.make_scene(client)
    wanted = WantedScene(
        scene=scene, source=f"avatar {name}", avatar=name, placement=Placement.KEEP
    )
    assert set_up_scene(client, wanted).transport is Transport.SHARED_MEMORY
    try:
        yield scene
    finally:
        client.request("RemoveInput", {"inputName": wanted.source})
        client.request("RemoveScene", {"sceneName": scene})


@contextmanager
def frozen(daemon: DaemonProcess) -> Iterator[None]:
    """Stop the daemon's clock, so that memory and screen can be compared at leisure."""
    os.kill(daemon.renderer_pid, signal.SIGSTOP)
    try:
        time.sleep(SETTLE_S)
        yield
    finally:
        os.kill(daemon.renderer_pid, signal.SIGCONT)


def composited(rgba: U8Array) -> U8Array:
    """Return premultiplied ``rgba`` over the scene's background, as browsers mix colours."""
    alpha = rgba[..., 3:].astype(float) / 255
    mixed = rgba[..., :3] + np.array(BACKGROUND) * (1 - alpha)
    return np.rint(mixed).astype(np.uint8)


def pixel_error(seen: U8Array, wanted: U8Array) -> int:
    return int(np.abs(seen.astype(int) - wanted).max())


def newest_frame(name: str) -> U8Array:
    with FrameReader.attach(name) as reader:
        received = reader.read_newer(0, timeout_s=5)
        assert received is not None
        return received.rgba.copy()


def moved_pixels(first: U8Array, second: U8Array) -> int:
    return int((np.abs(first.astype(int) - second).max(axis=-1) > 24).sum())


def shown_frame(daemon: DaemonProcess, obs: ObsProcess, client: ObsClient, scene: str) -> U8Array:
    """Return the scene while the daemon stands still; it shows just what is in the memory."""
    with frozen(daemon):
        frame = newest_frame(daemon.name)
        shot = obs.screenshot(client, scene)
    height, width, _ = frame.shape
    assert pixel_error(shot[:height, :width], composited(frame)) <= TOLERANCE
    assert (shot[:height, width:] == BACKGROUND).all()
    return shot


def test_captured_tracker_moves_the_character_in_the_scene(
    tmp_path: Path, obs: ObsProcess, obs_client: ObsClient, captures: Path
) -> None:
    capture = str(captures / "vmc_osc-js_xranimator-layout.udpcap")
    with (
        running(tmp_path, "run") as daemon,
        sending(daemon.ports["vmc"], capture, "--loop"),
        avatar_in_obs(obs, obs_client, daemon.name) as scene,
    ):
        wait_until(lambda: any("face seen by vmc" in line for line in daemon.log), "a face is seen")
        first = shown_frame(daemon, obs, obs_client, scene)
        covered = np.abs(first.astype(int) - BACKGROUND).max(axis=-1) > 16
        assert covered[:, :512].mean() > 0.1, "the character covers part of the scene"
        wait_until(
            lambda: moved_pixels(first, shown_frame(daemon, obs, obs_client, scene)) > MOVED_PIXELS,
            "the character moves in the scene",
            pause_s=1.0,
        )
        assert daemon.terminate() == 0
    assert not segment_path(daemon.name).exists()


def test_killed_daemon_leaves_obs_alive_and_comes_back(
    tmp_path: Path, obs: ObsProcess, obs_client: ObsClient
) -> None:
    name = unique_name()
    ports = write_config(tmp_path, name)
    with (
        running(tmp_path, "demo", "--headless", name=name, ports=ports) as first,
        avatar_in_obs(obs, obs_client, name) as scene,
    ):
        wait_until(
            lambda: bool((obs.screenshot(obs_client, scene) != BACKGROUND).any()),
            "the avatar is in the scene",
        )
        first.kill()
        time.sleep(SETTLE_S)
        held = obs.screenshot(obs_client, scene)
        assert (held != BACKGROUND).any(), "the last frame stays"
        with running(tmp_path, "demo", "--headless", name=name, ports=ports) as second:
            wait_until(
                lambda: moved_pixels(held, obs.screenshot(obs_client, scene)) > 50,
                "the avatar moves again",
            )
            with frozen(second):
                shot = obs.screenshot(obs_client, scene)
                assert pixel_error(shot[:, :512], composited(newest_frame(name))) <= TOLERANCE
