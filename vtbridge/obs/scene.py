"""The avatar's scene: a wanted state, turned into requests; a second time it changes nothing.

The source is the shared-memory one of ``vtbridge.lua``. Where OBS does not know it
(code 605: the script was not added), a Media Source that reads the daemon's TCP
frames takes its place, and the report tells how to get the better one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vtbridge.errors import ObsError, ObsUnreachable
from vtbridge.obs.client import (
    ALREADY_EXISTS,
    NOT_FOUND,
    ODD_ANSWER,
    UNKNOWN_KIND,
    ObsRefused,
    Requests,
)
from vtbridge.obs.replacement import replace_source
from vtbridge.obs.settings import Away, Look, ObsSettings, Placement

SHARED_MEMORY_KIND = "vtbridge_avatar"
MEDIA_KIND = "ffmpeg_source"

SCRIPT_ADVICE = (
    "OBS does not know the vtbridge source, so a Media Source over TCP shows the avatar. For less "
    "delay: run `vtbridge obs install`, add the script it names in OBS under Tools > Scripts > +, "
    "then run `vtbridge obs setup` again"
)

# libobs: OBS_ALIGN_CENTER, _LEFT | _TOP, _BOTTOM
_ALIGN_CENTRE, _ALIGN_LEFT_TOP, _ALIGN_BOTTOM = 0, 1 | 4, 8


class Transport(StrEnum):
    """How frames come into OBS."""

    SHARED_MEMORY = "shared memory"
    MEDIA = "media source"


@dataclass(frozen=True, slots=True)
class MediaFeed:
    """Where the daemon serves raw frames: straight-alpha RGBA of a fixed size."""

    host: str
    port: int
    width: int = 512
    height: int = 512


@dataclass(frozen=True, slots=True)
class WantedScene:
    """What OBS should hold.

    Attributes:
        scene: its name.
        source: the avatar source's name.
        avatar: name of the vtbf segment.
        look: see ``ObsSettings.look``.
        away: see ``ObsSettings.away``.
        placement: where a source that is made anew goes.
        place_anew: place a source that exists already, too.
        media: what to fall back to, None to fail instead.
        no_media: why there is no ``media`` and what to do about it, for the user.
    """

    scene: str = "vtbridge"
    source: str = "vtbridge avatar"
    avatar: str = "vtbridge"
    look: Look = Look.GAMMA
    away: Away = Away.HOLD
    placement: Placement = Placement.BOTTOM
    place_anew: bool = False
    media: MediaFeed | None = None
    no_media: str = ""

    @classmethod
    def from_settings(
        cls, settings: ObsSettings, *, avatar: str, media: MediaFeed | None, no_media: str = ""
    ) -> WantedScene:
        """Return what ``settings`` ask for."""
        return cls(
            scene=settings.scene,
            source=settings.source,
            avatar=avatar,
            look=settings.look,
            away=settings.away,
            placement=settings.placement,
            media=media,
            no_media=no_media,
        )


@dataclass(frozen=True, slots=True)
class SceneReport:
    """What was found and done.

    Attributes:
        transport: how frames come into OBS now.
        changes: what was changed, in words; empty if all was as wanted.
        advice: what the user could do for more, empty if nothing.
    """

    transport: Transport
    changes: tuple[str, ...] = ()
    advice: str = ""


def set_up_scene(obs: Requests, wanted: WantedScene) -> SceneReport:
    """Make OBS hold what is wanted and nothing twice.

    Args:
        obs: the connection to ask by.
        wanted: the state to reach.

    Raises:
        ObsError: OBS refused, or the source's name belongs to something else.
        ObsUnreachable: the connection broke, or an answer was not what the protocol says.
    """
    try:
        return _Setup(obs, wanted).run()
    except ODD_ANSWER as error:
        raise ObsUnreachable(
            f"OBS gave an answer that cannot be used ({error!r}) while its scene "
            f"'{wanted.scene}' was set up; update OBS and its obs-websocket"
        ) from error


def media_settings(feed: MediaFeed) -> dict[str, object]:
    """Return the settings of a Media Source that reads ``feed``.

    The frame rate declared is far above the real one, so that OBS never waits for a
    frame to be due; no probing, so that the first frame is shown at once.
    """
    return {
        "is_local_file": False,
        "input": f"tcp://{feed.host}:{feed.port}",
        "input_format": "rawvideo",
        "ffmpeg_options": (
            f"video_size={feed.width}x{feed.height} pixel_format=rgba framerate=240 "
            "probesize=32 analyzeduration=0"
        ),
        "buffering_mb": 0,
        "reconnect_delay_sec": 1,
        "restart_on_activate": False,
        "clear_on_media_end": False,
        "hw_decode": False,
    }


def shared_memory_settings(wanted: WantedScene) -> dict[str, object]:
    """Return the settings of the script's source."""
    return {
        "avatar": wanted.avatar,
        "look": wanted.look.value,
        "away": wanted.away.value,
    }


@dataclass(slots=True)
class _Setup:
    """The requests of one set-up, in order."""

    obs: Requests
    wanted: WantedScene
    changes: list[str] = field(default_factory=list)

    def run(self) -> SceneReport:
        self._ensure_scene()
        kind, made = self._ensure_source()
        item, added = self._ensure_item()
        if made or added or self.wanted.place_anew:
            self._place(item)
        if kind == MEDIA_KIND:
            return SceneReport(Transport.MEDIA, tuple(self.changes), SCRIPT_ADVICE)
        return SceneReport(Transport.SHARED_MEMORY, tuple(self.changes))

    def _ensure_scene(self) -> None:
        try:
            self.obs.request("CreateScene", {"sceneName": self.wanted.scene})
        except ObsRefused as refusal:
            if refusal.code != ALREADY_EXISTS:
                raise
            return
        self.changes.append(f"made the scene '{self.wanted.scene}'")

    def _ensure_source(self) -> tuple[str, bool]:
        """Return the kind of the source and whether it had to be made."""
        name = self.wanted.source
        try:
            found = self.obs.request("GetInputSettings", {"inputName": name})
        except ObsRefused as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return self._make_source(), True
        kind = str(found.get("inputKind"))
        if not self._is_ours(kind, found.get("inputSettings") or {}):
            raise ObsError(
                f"OBS has a source '{name}' of another kind ({kind}); rename it there, or name "
                "another one with --source or [obs] source"
            )
        best = self._best_kind()
        if kind != best:
            self._replace_source()
            return best, False
        self._ensure_settings(kind, found.get("inputSettings") or {})
        return kind, False

    def _is_ours(self, kind: str, settings: Mapping[str, Any]) -> bool:
        if kind == SHARED_MEMORY_KIND:
            return True
        return (
            kind == MEDIA_KIND
            and settings.get("input_format") == "rawvideo"
            and str(settings.get("input", "")).startswith("tcp://")
        )

    def _best_kind(self) -> str:
        kinds = self.obs.request("GetInputKindList", {"unversioned": True}).get("inputKinds", [])
        if SHARED_MEMORY_KIND in kinds:
            return SHARED_MEMORY_KIND
        self._feed()  # fails before anything is changed
        return MEDIA_KIND

    def _make_source(self) -> str:
        try:
            self._create(SHARED_MEMORY_KIND, shared_memory_settings(self.wanted))
        except ObsRefused as refusal:
            if refusal.code != UNKNOWN_KIND:
                raise
        else:
            return SHARED_MEMORY_KIND
        self._create(MEDIA_KIND, media_settings(self._feed()))
        return MEDIA_KIND

    def _feed(self) -> MediaFeed:
        if self.wanted.media is None:
            instead = f"; a Media Source cannot stand in: {self.wanted.no_media}"
            raise ObsError(
                "OBS does not know the vtbridge source; run `vtbridge obs install` and add the "
                "script it names in OBS under Tools > Scripts > +"
                + (instead if self.wanted.no_media else "")
            )
        return self.wanted.media

    def _create(self, kind: str, settings: Mapping[str, object]) -> None:
        self.obs.request(
            "CreateInput",
            {
                "sceneName": self.wanted.scene,
                "inputName": self.wanted.source,
                "inputKind": kind,
                "inputSettings": settings,
                "sceneItemEnabled": True,
            },
        )
        self.changes.append(f"made the source '{self.wanted.source}' ({kind})")

    def _replace_source(self) -> None:
        """Swap the script's source for the Media Source, or the other way round."""
        replace_source(self.obs, self.wanted.source, self._make_source)
        self.changes.append("it took the place of the old one in every scene")

    def _ensure_settings(self, kind: str, found: Mapping[str, Any]) -> None:
        if kind == SHARED_MEMORY_KIND:
            wanted = shared_memory_settings(self.wanted)
        else:
            wanted = media_settings(self._feed())
        if all(found.get(key) == value for key, value in wanted.items()):
            return
        self.obs.request(
            "SetInputSettings",
            {"inputName": self.wanted.source, "inputSettings": wanted, "overlay": True},
        )
        self.changes.append(f"changed the settings of '{self.wanted.source}'")

    def _ensure_item(self) -> tuple[int, bool]:
        """Return the scene item's id and whether it had to be added."""
        names = {"sceneName": self.wanted.scene, "sourceName": self.wanted.source}
        try:
            return int(self.obs.request("GetSceneItemId", names)["sceneItemId"]), False
        except ObsRefused as refusal:
            if refusal.code != NOT_FOUND:
                raise
        added = int(self.obs.request("CreateSceneItem", names)["sceneItemId"])
        self.changes.append(f"added '{self.wanted.source}' to the scene '{self.wanted.scene}'")
        return added, True

    def _place(self, item: int) -> None:
        """Bound the avatar by the canvas; bounds hold whatever size its frames have later."""
        if self.wanted.placement is Placement.KEEP:
            return
        video = self.obs.request("GetVideoSettings")
        bottom = self.wanted.placement is Placement.BOTTOM
        wanted: dict[str, object] = {
            "positionX": 0.0,
            "positionY": 0.0,
            "rotation": 0.0,
            "alignment": _ALIGN_LEFT_TOP,
            "boundsType": "OBS_BOUNDS_SCALE_INNER",
            "boundsAlignment": _ALIGN_BOTTOM if bottom else _ALIGN_CENTRE,
            "boundsWidth": float(video["baseWidth"]),
            "boundsHeight": float(video["baseHeight"]),
        }
        key = {"sceneName": self.wanted.scene, "sceneItemId": item}
        found = self.obs.request("GetSceneItemTransform", key).get("sceneItemTransform", {})
        if all(found.get(name) == value for name, value in wanted.items()):
            return
        self.obs.request("SetSceneItemTransform", {**key, "sceneItemTransform": wanted})
        self.changes.append(f"placed '{self.wanted.source}' ({self.wanted.placement.value})")
