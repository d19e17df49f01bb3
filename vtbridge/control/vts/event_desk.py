"""Notice what happens to the avatar, and keep for every session what it is to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from vtbridge.clock import NS_PER_S
from vtbridge.control.vts import events
from vtbridge.control.vts.avatar import Expression
from vtbridge.control.vts.hotkeys import Hotkey, hotkey_of, hotkeys_of
from vtbridge.control.vts.session import Services, Session

Data = Mapping[str, object]
Event = tuple[str, str, Data]
"""Its name, the id of the subscription, its payload."""

_OWN_NS = 2 * NS_PER_S
"""A change that a plugin asked for is seen within this time."""
_MAX_WAITING = 64


class EventDesk:
    """Turn changes into events; one thread, no I/O.

    Args:
        services: what is watched.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: dict[Session, list[Event]] = {}
        self._model = services.avatar.model()
        self._found = services.faces.face_found()
        self._expressions = _by_name(services)
        self._names = tuple(self._expressions)
        self._second = self._uptime_s()
        self._own_ns: dict[str, int] = {}

    def welcome(self, session: Session) -> None:
        """Keep events for a new session."""
        self._waiting[session] = []

    def dismiss(self, session: Session) -> None:
        """Forget a session that has ended."""
        self._waiting.pop(session, None)

    def take(self, session: Session) -> list[Event]:
        """Return the events that have come up for ``session``, oldest first."""
        waiting = self._waiting.get(session)
        if not waiting:
            return []
        self._waiting[session] = []
        return waiting

    def look(self) -> None:
        """Compare the avatar with how it was at the last look."""
        services, before = self._services, self._model
        model = services.avatar.model()
        if model != before:
            self._put("ModelLoadedEvent", partial(events.model_loaded, model=before, loaded=False))
            self._put("ModelLoadedEvent", partial(events.model_loaded, model=model, loaded=True))
            self._model = model
        found = services.faces.face_found()
        if found != self._found:
            self._found = found
            self._put("TrackingStatusChangedEvent", lambda _: events.tracking_changed(found=found))
        names = tuple(one.name for one in services.avatar.expressions())
        if names != self._names:
            self._names = names
            self._put("ModelConfigChangedEvent", lambda _: events.model_config_changed(model))
        second = self._uptime_s()
        if second != self._second:
            self._second = second
            self._put("TestEvent", lambda config: events.test_event(config, second))

    def expressions_changed(self) -> None:
        """Compare the expressions with how they were, after something was switched."""
        before, self._expressions = self._expressions, _by_name(self._services)
        now_ns = self._services.clock.now_ns()
        for expression in events.pressed_between(before, self._expressions):
            hotkey = hotkey_of(expression)
            own_ns = self._own_ns.pop(hotkey.hotkey_id, None)
            if own_ns is None or now_ns - own_ns > _OWN_NS:
                self._triggered(hotkey, by_api=False)

    def triggered_by_plugin(self, hotkey_id: str) -> None:
        """Tell of a hotkey that a plugin triggered; the change that follows is not told again."""
        for hotkey in hotkeys_of(self._services.avatar):
            if hotkey.hotkey_id == hotkey_id:
                if hotkey.file:
                    self._own_ns[hotkey_id] = self._services.clock.now_ns()
                self._triggered(hotkey, by_api=True)

    def _triggered(self, hotkey: Hotkey, *, by_api: bool) -> None:
        model = self._services.avatar.model()
        self._put(
            "HotkeyTriggeredEvent",
            lambda config: events.hotkey_triggered(config, model, hotkey, by_api=by_api),
        )

    def _put(self, name: str, payload: Callable[[Data], Data | None]) -> None:
        for session, waiting in self._waiting.items():
            subscription = session.subscriptions.get(name)
            if subscription is None or len(waiting) >= _MAX_WAITING:
                continue
            data = payload(subscription.config)
            if data is not None:
                waiting.append((name, subscription.request_id, data))

    def _uptime_s(self) -> int:
        return (self._services.clock.now_ns() - self._services.start_ns) // NS_PER_S


def _by_name(services: Services) -> dict[str, Expression]:
    return {one.name: one for one in services.avatar.expressions()}
