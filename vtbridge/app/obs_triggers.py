"""Expressions that OBS switches, and characters: by its scenes, sources, streams, recordings."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import MappingProxyType

from vtbridge.app.character_triggers import Show
from vtbridge.clock import NS_PER_S
from vtbridge.expressions.engine import ExpressionEngine
from vtbridge.expressions.library import ExpressionLibrary
from vtbridge.expressions.triggers.obs_event import ObsTrigger, parse_obs_trigger
from vtbridge.expressions.triggers.obs_event import ObsTriggerKind as Kind
from vtbridge.obs.client import EventKinds, ObsEvent, ObsRefused, Requests

BY = "obs"
"""Who keeps an expression on, in its state."""

_LIBRARY_LOOK_S = 1.0
_SCENE_ASKS_S = (0.0, 0.03, 0.06, 0.12, 0.25)
"""After the beginning of a transition OBS may name the old scene for a moment: ask again."""

_EVENTS: Mapping[Kind, EventKinds] = {
    Kind.SCENE: EventKinds.SCENES | EventKinds.TRANSITIONS,
    Kind.SOURCE_SHOWN: EventKinds.INPUT_ACTIVE,
    Kind.MUTED: EventKinds.INPUTS,
}
_STARTED, _STOPPED = "OBS_WEBSOCKET_OUTPUT_STARTED", "OBS_WEBSOCKET_OUTPUT_STOPPED"
_OUTPUTS = {
    "StreamStateChanged": (Kind.STREAMING, Kind.STREAMING_STARTED, Kind.STREAMING_STOPPED),
    "RecordStateChanged": (Kind.RECORDING, Kind.RECORDING_STARTED, Kind.RECORDING_STOPPED),
}
_BY_INPUT = {
    "InputActiveStateChanged": (Kind.SOURCE_SHOWN, "videoActive"),
    "InputMuteStateChanged": (Kind.MUTED, "inputMuted"),
}


class ObsTriggers:
    """An ``ObsListener`` that switches expressions by the ``obs`` entries of their tables.

    An expression is kept on while any of its states holds. One that ends by itself begins when
    a state or moment does, but not because it held already when OBS was found. A character is
    shown when a state or moment of its own begins, or holds when OBS is found.

    Args:
        engine: whose expressions these are; their file may change at any time.
        characters: what shows which character.
        show: goes over to it.
    """

    def __init__(
        self,
        engine: ExpressionEngine,
        characters: Mapping[str, frozenset[ObsTrigger]] = MappingProxyType({}),
        show: Show = lambda name: None,
    ) -> None:
        self._engine = engine
        self._characters = characters
        self._show = show
        self._library: ExpressionLibrary | None = None
        self._bound: Mapping[str, frozenset[ObsTrigger]] = {}
        self._needed: frozenset[ObsTrigger] = frozenset()
        self._holds: frozenset[ObsTrigger] = frozenset()
        self._kept: set[str] = set()
        self._transition_began = False
        self._asks_ns: list[int] = []
        self._stale = False

    def wanted(self) -> EventKinds:
        """Return the events that the expressions need."""
        self._bind()
        wanted = EventKinds.NONE
        for trigger in self._needed:
            wanted |= _EVENTS.get(trigger.kind, EventKinds.OUTPUTS)
        return wanted

    def read(self, obs: Requests) -> None:
        """Ask for every state that an expression depends on."""
        self._bind()
        self._stale = False
        holds = {one for one in self._needed if _is_so(one, obs)}
        if self._follows_scenes():
            holds.add(_program_scene(obs))
        self._hold(frozenset(holds), fire=False)

    def heard(self, event: ObsEvent, obs: Requests) -> None:
        """Take one event."""
        data = event.data
        if event.name == "SceneTransitionStarted":
            self._transition_began = True
        elif event.name == "CurrentProgramSceneChanged":
            self._asks_ns = []
            self._enter(ObsTrigger(Kind.SCENE, str(data["sceneName"])))
        elif event.name == "ReplayBufferSaved":
            self._fire(ObsTrigger(Kind.REPLAY_SAVED))
        elif event.name in _BY_INPUT:
            kind, key = _BY_INPUT[event.name]
            self._set(ObsTrigger(kind, str(data["inputName"])), bool(data[key]))
        elif event.name in _OUTPUTS:
            state, started, stopped = _OUTPUTS[event.name]
            if data["outputState"] == _STARTED:
                self._set(ObsTrigger(state), True)
                self._fire(ObsTrigger(started))
            elif data["outputState"] == _STOPPED:
                self._set(ObsTrigger(state), False)
                self._fire(ObsTrigger(stopped))

    def tend(self, obs: Requests, now_ns: int) -> float:
        """Ask which scene a transition leads to, and notice another file of expressions."""
        self._bind()
        if self._stale:
            self.read(obs)
        if self._transition_began:
            self._transition_began = False
            if self._follows_scenes():
                self._asks_ns = [now_ns + round(after_s * NS_PER_S) for after_s in _SCENE_ASKS_S]
        if self._asks_ns and now_ns >= self._asks_ns[0]:
            self._asks_ns = [due_ns for due_ns in self._asks_ns if due_ns > now_ns]
            if self._enter(_program_scene(obs)):
                self._asks_ns = []
        if self._asks_ns:
            return (self._asks_ns[0] - now_ns) / NS_PER_S
        return _LIBRARY_LOOK_S

    def lost(self) -> None:
        """Let go of everything: nobody is in a scene of an OBS that is gone."""
        self._asks_ns = []
        self._transition_began = False
        self._hold(frozenset())

    def _bind(self) -> None:
        """Take up the entries of the file as it is now."""
        library = self._engine.library
        if library is self._library:
            return
        self._library, self._stale = library, True
        self._bound = {
            name: frozenset(parse_obs_trigger(text) for text in expression.table.obs)
            for name, expression in library.expressions.items()
            if expression.table.obs
        }
        self._needed = frozenset().union(*self._bound.values(), *self._characters.values())
        for name in self._kept - self._bound.keys():
            self._let_go(name)

    def _follows_scenes(self) -> bool:
        return any(trigger.kind is Kind.SCENE for trigger in self._needed)

    def _enter(self, scene: ObsTrigger) -> bool:
        """Note the scene in the program, and return whether it is another one."""
        if scene in self._holds:
            return False
        others = {trigger for trigger in self._holds if trigger.kind is not Kind.SCENE}
        self._hold(frozenset(others | {scene}))
        return True

    def _set(self, trigger: ObsTrigger, so: bool) -> None:
        if trigger in self._needed:
            self._hold(self._holds | {trigger} if so else self._holds - {trigger})

    def _hold(self, holds: frozenset[ObsTrigger], *, fire: bool = True) -> None:
        """Let these states hold and no others."""
        begun = holds - self._holds
        self._holds = holds
        self._show_by(begun)
        if fire:
            for trigger in begun:
                self._fire(trigger)
        for name in self._lasting():
            if not holds.isdisjoint(self._bound[name]):
                if name not in self._kept:
                    self._kept.add(name)
                    self._switch_on(name)
            elif name in self._kept:
                self._let_go(name)

    def _fire(self, trigger: ObsTrigger) -> None:
        """Begin what ends by itself."""
        if not trigger.kind.lasts:
            self._show_by(frozenset((trigger,)))
        lasting = self._lasting()
        for name, triggers in self._bound.items():
            if trigger in triggers and name not in lasting:
                self._switch_on(name)

    def _show_by(self, begun: frozenset[ObsTrigger]) -> None:
        """Show the last character of those that one of these is bound to."""
        names = [name for name, bound in self._characters.items() if not begun.isdisjoint(bound)]
        if names:
            self._show(names[-1])

    def _lasting(self) -> list[str]:
        """Return the names of those that stay until they are let go."""
        expressions = {} if self._library is None else self._library.expressions
        return [name for name in self._bound if not expressions[name].fires]

    def _switch_on(self, name: str) -> None:
        with contextlib.suppress(KeyError):  # the file has changed since
            self._engine.trigger(name, True, by=BY)

    def _let_go(self, name: str) -> None:
        self._kept.discard(name)
        with contextlib.suppress(KeyError):
            self._engine.let_go(name, by=BY)


def _is_so(trigger: ObsTrigger, obs: Requests) -> bool:
    """Ask OBS whether a state holds; one of a source that it lacks does not."""
    source = trigger.name
    try:
        match trigger.kind:
            case Kind.SOURCE_SHOWN:
                return bool(obs.request("GetSourceActive", {"sourceName": source})["videoActive"])
            case Kind.MUTED:
                return bool(obs.request("GetInputMute", {"inputName": source})["inputMuted"])
            case Kind.STREAMING:
                return bool(obs.request("GetStreamStatus")["outputActive"])
            case Kind.RECORDING:
                return bool(obs.request("GetRecordStatus")["outputActive"])
            case _:
                return False
    except ObsRefused:
        return False


def _program_scene(obs: Requests) -> ObsTrigger:
    name = obs.request("GetCurrentProgramScene")["currentProgramSceneName"]
    return ObsTrigger(Kind.SCENE, str(name))
