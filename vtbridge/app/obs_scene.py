"""The scene that the settings ask for, and the connection that makes it whenever OBS comes back."""

from __future__ import annotations

import logging
import socket

from vtbridge.app.audience import Audience
from vtbridge.app.character_triggers import character_events
from vtbridge.app.expressions import Expressions
from vtbridge.app.obs_triggers import ObsTriggers
from vtbridge.config.schema import Config
from vtbridge.obs.client import ObsClient, Requests
from vtbridge.obs.connection import ObsConnection
from vtbridge.obs.listener import ObsListener
from vtbridge.obs.password import find_password
from vtbridge.obs.scene import MediaFeed, SceneReport, WantedScene, set_up_scene
from vtbridge.obs.sight import AvatarSight
from vtbridge.obs.sources import AvatarFeeds
from vtbridge.publish.media_tcp import MediaServer
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"


def wanted_scene(config: Config) -> WantedScene:
    """Return what ``config`` wants OBS to hold.

    The Media Source is part of it only where it could show frames: ``no_media`` tells
    why not. May ask the name service for ``[obs] host``.
    """
    why_not = _why_no_media(config)
    side = config.render.size
    return WantedScene.from_settings(
        config.obs,
        avatar=config.publish.name,
        media=None if why_not else MediaFeed(_LOOPBACK, config.publish.media_port, side, side),
        no_media=why_not,
    )


def open_obs(
    config: Config,
    telemetry: Telemetry,
    audience: Audience,
    expressions: Expressions | None = None,
    media: MediaServer | None = None,
) -> ObsConnection:
    """Return a connection that makes the wanted scene each time OBS answers anew.

    Args:
        config: all settings.
        telemetry: counts.
        audience: gets to know whether OBS shows the avatar, if it may rest.
        expressions: that OBS may switch, None for none.
        media: serves frames over TCP, None if nothing does.
    """
    listeners: list[ObsListener] = []
    if config.obs.idle_when_hidden:
        feeds = AvatarFeeds(
            config.publish.name,
            None if media is None else media.address[1],
        )
        sight = AvatarSight(feeds, about_to_change=audience.look)
        listeners.append(sight)
        audience.idle_by(lambda: sight.sight)
        if media is not None:
            # OBS reads also what it does not show, and is asked about that itself.
            audience.join("media", lambda: media.clients > sight.media_sources)
    if expressions is not None:
        events = character_events(config.avatar.triggers)
        listeners.append(ObsTriggers(expressions.engine, events, expressions.show))

    def set_up(obs: Requests) -> None:
        report = set_up_scene(obs, wanted_scene(config))
        for line in (*report.changes, report.advice):
            if line:
                log.info("OBS: %s", line)

    return ObsConnection(
        config.obs, find_password, on_ready=set_up, listeners=listeners, telemetry=telemetry
    )


def set_up_now(config: Config) -> SceneReport:
    """Make the wanted scene in the OBS that runs, over a connection of its own.

    Raises:
        ObsError: OBS does not answer, or refuses; the message names the remedy.
    """
    obs = config.obs
    with ObsClient(obs.host, obs.port, find_password(), timeout_s=obs.timeout_s) as client:
        return set_up_scene(client, wanted_scene(config))


def _why_no_media(config: Config) -> str:
    """Return why OBS could not read the TCP frames and the remedy, empty if it could."""
    if not config.publish.media_enabled:
        return "set media_enabled = true under [publish] in config.toml and restart vtbridge"
    if config.publish.media_port == 0:
        return (
            "with media_port = 0 its port is another one each time; set a fixed one under "
            "[publish] in config.toml, such as 5601, and restart vtbridge"
        )
    if not _is_this_machine(config.obs.host):
        return (
            f"OBS at {config.obs.host} is another machine, and frames do not leave this one; run "
            "vtbridge on the machine of OBS"
        )
    return ""


def _is_this_machine(host: str) -> bool:
    """Return whether ``host`` is an address of this machine: one that can be bound."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(address)
        except OSError:
            continue
        return True
    return False
