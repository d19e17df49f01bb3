"""Whether OBS shows the avatar anywhere, followed by events and checked again now and then."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from vtbridge.clock import NS_PER_S
from vtbridge.obs.client import EventKinds, ObsEvent, Requests
from vtbridge.obs.scene import Transport
from vtbridge.obs.sources import AvatarFeeds, AvatarSource, find_avatar_sources

RECHECK_S = 5.0
"""Older versions of OBS do not tell that the settings of a source changed."""

_MAY_CHANGE_SOURCES = frozenset(
    {"InputCreated", "InputRemoved", "InputNameChanged", "InputSettingsChanged"}
)
_MAY_SHOW = frozenset({"SceneTransitionStarted", "CurrentPreviewSceneChanged"})


class Sight(Enum):
    """What is known of the avatar in OBS."""

    UNKNOWN = "unknown"
    """Not connected, or OBS has no source that shows it."""
    SHOWN = "shown"
    HIDDEN = "hidden"


class AvatarSight:
    """An ``ObsListener`` that knows whether OBS shows the avatar; read on any thread.

    A source is shown when it is in the program, the preview of studio mode, a projector, the
    multiview or the virtual camera, as OBS counts it, from the beginning of a transition to it.

    Args:
        feeds: whose sources these are.
        about_to_change: called, on the connection's thread, when a transition begins: before
            it is known what it leads to.
    """

    def __init__(
        self, feeds: AvatarFeeds, *, about_to_change: Callable[[], None] = lambda: None
    ) -> None:
        self._feeds = feeds
        self._about_to_change = about_to_change
        self._sources: tuple[AvatarSource, ...] = ()
        self._shown: dict[str, bool] = {}
        self._read_ns: int | None = None
        self.sight = Sight.UNKNOWN

    @property
    def media_sources(self) -> int:
        """How many of OBS's sources read frames over TCP, shown or not."""
        return sum(source.transport is Transport.MEDIA for source in self._sources)

    def wanted(self) -> EventKinds:
        """Return the events that it needs just now."""
        return (
            EventKinds.INPUTS | EventKinds.INPUT_SHOWN | EventKinds.SCENES | EventKinds.TRANSITIONS
        )

    def read(self, obs: Requests) -> None:
        """Ask for all sources anew; until they are known, nothing is."""
        self._read_ns = None
        self._take(())
        self._take(find_avatar_sources(obs, self._feeds))

    def heard(self, event: ObsEvent, obs: Requests) -> None:
        """Take one event."""
        if event.name == "InputShowStateChanged":
            name = event.data.get("inputName")
            if name in self._shown:
                self._shown[name] = bool(event.data.get("videoShowing"))
                self._judge()
        elif event.name in _MAY_SHOW:
            self._about_to_change()
        elif event.name in _MAY_CHANGE_SOURCES:
            self._take(find_avatar_sources(obs, self._feeds))

    def tend(self, obs: Requests, now_ns: int) -> float:
        """Ask again where that is due."""
        if self._read_ns is None:
            self._read_ns = now_ns
        left_s = RECHECK_S - (now_ns - self._read_ns) / NS_PER_S
        if left_s > 0:
            return left_s
        self._read_ns = now_ns
        self._take(find_avatar_sources(obs, self._feeds))
        return RECHECK_S

    def lost(self) -> None:
        """Know nothing any more."""
        self._take(())

    def _take(self, sources: tuple[AvatarSource, ...]) -> None:
        self._sources = sources
        self._shown = {source.name: source.shown for source in sources}
        self._judge()

    def _judge(self) -> None:
        if not self._shown:
            self.sight = Sight.UNKNOWN
        else:
            self.sight = Sight.SHOWN if any(self._shown.values()) else Sight.HIDDEN
