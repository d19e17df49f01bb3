"""The connection that sets OBS's scene up again whenever OBS comes back."""

from __future__ import annotations

import logging

from vtbridge.config.schema import Config
from vtbridge.obs.client import Requests
from vtbridge.obs.connection import ObsConnection
from vtbridge.obs.password import find_password
from vtbridge.obs.scene import MediaFeed, WantedScene, set_up_scene
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"


def wanted_scene(config: Config) -> WantedScene:
    """Return what ``config`` wants OBS to hold."""
    feed = None
    if config.publish.media_enabled:
        feed = MediaFeed(_LOOPBACK, config.publish.media_port)
    return WantedScene.from_settings(config.obs, avatar=config.publish.name, media=feed)


def keep_scene(config: Config, telemetry: Telemetry) -> ObsConnection:
    """Return a connection that makes the wanted scene each time OBS answers anew."""
    wanted = wanted_scene(config)

    def set_up(obs: Requests) -> None:
        report = set_up_scene(obs, wanted)
        for line in (*report.changes, report.advice):
            if line:
                log.info("OBS: %s", line)

    return ObsConnection(config.obs, find_password, on_ready=set_up, telemetry=telemetry)
