"""The sources in OBS that show one avatar, by any transport, and whether they are seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from vtbridge.obs.client import ObsRefused, Requests
from vtbridge.obs.scene import MEDIA_KIND, SHARED_MEMORY_KIND, Transport


@dataclass(frozen=True, slots=True)
class AvatarFeeds:
    """How an avatar's sources are told from all others.

    Attributes:
        avatar: name of the vtbf segment.
        media_port: where the daemon serves frames over TCP, None if it does not.
    """

    avatar: str
    media_port: int | None = None


@dataclass(frozen=True, slots=True)
class AvatarSource:
    """One source that shows the avatar.

    Attributes:
        name: in OBS.
        kind: of input.
        transport: how frames come into it.
        in_program: part of what is streamed and recorded.
        shown: seen anywhere: program, preview, projector, multiview, virtual camera.
    """

    name: str
    kind: str
    transport: Transport
    in_program: bool
    shown: bool


def find_avatar_sources(obs: Requests, feeds: AvatarFeeds) -> tuple[AvatarSource, ...]:
    """Ask OBS for every source that shows the avatar, in the order that OBS has.

    Raises:
        ObsError: OBS refused.
        LookupError, TypeError, ValueError: an answer was not what the protocol says.
    """
    return tuple(_found(obs, feeds))


def _found(obs: Requests, feeds: AvatarFeeds) -> Iterator[AvatarSource]:
    for listed in obs.request("GetInputList")["inputs"]:
        name, kind = str(listed["inputName"]), str(listed["inputKind"])
        if kind not in (SHARED_MEMORY_KIND, MEDIA_KIND):
            continue
        try:
            settings = obs.request("GetInputSettings", {"inputName": name})["inputSettings"]
            transport = _transport(kind, settings, feeds)
            if transport is None:
                continue
            active = obs.request("GetSourceActive", {"sourceName": name})
        except ObsRefused:  # removed since it was listed
            continue
        in_program, shown = bool(active["videoActive"]), bool(active["videoShowing"])
        yield AvatarSource(name, kind, transport, in_program, shown)


def _transport(kind: str, settings: dict[str, Any], feeds: AvatarFeeds) -> Transport | None:
    """Return how the avatar comes into such a source, None if another picture does."""
    if kind == SHARED_MEMORY_KIND:
        # OBS leaves out what is as script and plugin have it by default.
        avatar = settings.get("avatar", DEFAULT_AVATAR)
        return Transport.SHARED_MEMORY if avatar == feeds.avatar else None
    if feeds.media_port is None:
        return None
    try:
        url = urlsplit(str(settings.get("input", "")))
        ours = url.scheme == "tcp" and url.port == feeds.media_port
    except ValueError:
        return None
    return Transport.MEDIA if ours else None


DEFAULT_AVATAR = "vtbridge"
"""What script and plugin show where nothing else is set."""
