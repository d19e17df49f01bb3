"""A real OBS without the script: frames come by TCP, and OBS may come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from tests.support import pattern
from tests.support.obs import BACKGROUND, ObsProcess, running_obs, wait_until
from vtbridge.datatypes import Frame
from vtbridge.errors import ObsAuthError, ObsError, ObsUnreachable
from vtbridge.obs.client import ObsClient, Requests
from vtbridge.obs.connection import Backoff, ObsConnection, ObsState
from vtbridge.obs.install import ObsRoot, add_to_collection, install_script
from vtbridge.obs.password import Password
from vtbridge.obs.scene import MediaFeed, SceneReport, Transport, WantedScene, set_up_scene
from vtbridge.obs.settings import Placement
from vtbridge.publish.media_tcp import MediaServer

TOLERANCE = 3
"""Levels: one more than by shared memory, since alpha is divided out and multiplied in again."""


@pytest.fixture(scope="module")
def bare_obs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObsProcess]:
    """One OBS to which no script was added."""
    with running_obs(tmp_path_factory.mktemp("bare-obs")) as process:
        yield process


@contextmanager
def serving(port: int = 0) -> Iterator[MediaServer]:
    """Serve the moving pattern over TCP."""
    server = MediaServer(port=port, width=pattern.SIDE, height=pattern.SIDE)
    server.start()
    ended = threading.Event()

    def offer() -> None:
        number = 0
        while not ended.wait(1 / 30):
            number += 1
            server.offer(Frame(pattern.frame_pixels(number), time.monotonic_ns()))

    source = threading.Thread(target=offer)
    source.start()
    try:
        yield server
    finally:
        ended.set()
        source.join(5)
        assert server.stop(timeout_s=5)


def test_unknown_kind_falls_back_to_a_media_source_that_shows_the_frames(
    bare_obs: ObsProcess,
) -> None:
    with bare_obs.client() as client:
        scene = bare_obs.make_scene(client)

        def counters() -> tuple[int, int]:
            return pattern.counters(bare_obs.screenshot(client, scene))

        def live() -> bool:
            top, bottom = counters()
            return top == bottom != 0

        with serving() as server:
            feed = MediaFeed(*server.address)
            wanted = WantedScene(
                scene=scene, source="media avatar", placement=Placement.KEEP, media=feed
            )
            report = set_up_scene(client, wanted)
            assert report.transport is Transport.MEDIA
            assert "vtbridge obs install" in report.advice
            again = set_up_scene(client, wanted)
            assert again == SceneReport(Transport.MEDIA, (), report.advice)
            wait_until(live, "the avatar is shown")
            seen = set()
            for _ in range(10):
                shown = bare_obs.screenshot(client, scene)
                top, bottom = pattern.counters(shown)
                assert top == bottom, "a torn frame was shown"
                seen.add(top)
            assert len(seen) > 1
            # OBS blends Media Sources in linear light, so only clear and opaque are the same.
            solid = pattern.straight_body()[..., 3] % 255 == 0
            solid[: pattern.CELL] = solid[-pattern.CELL :] = False
            solid &= ~_next_to_other(solid)
            expected = pattern.over(pattern.frame_pixels(0), BACKGROUND)
            error = np.abs(shown[:, : pattern.SIDE] - expected)[solid]
            assert len(error) > 10_000
            assert error.max() <= TOLERANCE
            port = server.address[1]
        stopped = counters()[0]
        with serving(port):
            wait_until(lambda: live() and counters()[0] != stopped, "the next daemon is shown")
    assert bare_obs.running


def _next_to_other(
    solid: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return where a neighbour is not solid."""
    near = np.zeros_like(solid)
    for axis in (0, 1):
        for step in (-1, 1):
            near |= ~np.roll(solid, step, axis)
    return near


def test_without_a_feed_the_remedy_is_told(bare_obs: ObsProcess) -> None:
    with bare_obs.client() as client:
        wanted = WantedScene(scene="no feed", source="no feed avatar")
        with pytest.raises(ObsError, match="vtbridge obs install"):
            set_up_scene(client, wanted)
        client.request("RemoveScene", {"sceneName": "no feed"})


@pytest.mark.parametrize(("given", "why"), [("wrong", "refused"), (None, "wants a password")])
def test_wrong_password_is_told_by_real_obs(
    bare_obs: ObsProcess, given: str | None, why: str
) -> None:
    password = None if given is None else Password(given, "the test")
    with pytest.raises(ObsAuthError, match=why):
        ObsClient("127.0.0.1", bare_obs.port, password, timeout_s=20)


def test_wrong_password_is_not_tried_again(bare_obs: ObsProcess) -> None:
    before = bare_obs.log.count("New WebSocket client has connected")
    connection = ObsConnection(
        bare_obs.settings, lambda: Password("wrong"), backoff=Backoff(0.01, 0.01)
    )
    connection.start()
    try:
        wait_until(lambda: connection.state is ObsState.REFUSED, "the password is refused")
        time.sleep(0.5)
        assert bare_obs.log.count("New WebSocket client has connected") == before + 1
    finally:
        assert connection.stop(timeout_s=5)


def test_connection_survives_obs_being_killed_and_started_again(bare_obs: ObsProcess) -> None:
    reports: list[SceneReport] = []
    wanted = WantedScene(
        scene="again", source="avatar again", media=MediaFeed("127.0.0.1", 9), avatar="again"
    )

    def on_ready(obs: Requests) -> None:
        reports.append(set_up_scene(obs, wanted))

    connection = ObsConnection(
        bare_obs.settings,
        lambda: Password(bare_obs.password),
        on_ready=on_ready,
        backoff=Backoff(0.05, 0.5),
        ping_s=0.2,
    )
    connection.start()
    try:
        wait_until(lambda: connection.state is ObsState.READY, "OBS is connected")
        assert "obsVersion" in connection.request("GetVersion")
        bare_obs.kill()
        wait_until(lambda: connection.state is ObsState.WAITING, "the loss is noticed")
        with pytest.raises(ObsUnreachable):
            connection.request("GetVersion")
        bare_obs.start()
        wait_until(lambda: connection.state is ObsState.READY, "OBS is connected again")
        assert "obsVersion" in connection.request("GetVersion")
        assert len(reports) == 2
        assert bare_obs.password not in bare_obs.log
    finally:
        assert connection.stop(timeout_s=5)


def test_script_added_to_the_collection_is_loaded_and_replaces_the_media_source(
    bare_obs: ObsProcess,
) -> None:
    """Last in this file: from here on this OBS has the script."""
    wanted = WantedScene(scene="later", source="later avatar", media=MediaFeed("127.0.0.1", 9))
    with bare_obs.client() as client:
        assert set_up_scene(client, wanted).transport is Transport.MEDIA
    bare_obs.stop()
    root = ObsRoot(bare_obs.config_root, "native")
    assert install_script(root)
    assert add_to_collection(root, "vt", running=lambda: False)
    bare_obs.start()
    with bare_obs.client() as client:
        report = set_up_scene(client, wanted)
        assert report.transport is Transport.SHARED_MEMORY
        assert "took the place" in report.changes[-1]
        assert set_up_scene(client, wanted).changes == ()
