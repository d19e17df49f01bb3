"""An avatar of a few lines, and plugins that talk to it without a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtbridge.clock import ManualClock
from vtbridge.control.vts.avatar import Expression, Model, PoseValue
from vtbridge.control.vts.dispatch import Dispatcher
from vtbridge.control.vts.envelope import API_NAME, API_VERSION
from vtbridge.control.vts.event_desk import EventDesk
from vtbridge.control.vts.injected_faces import InjectedFaces
from vtbridge.control.vts.overlay import ParameterOverlay
from vtbridge.control.vts.plugins import PluginBook, PluginId
from vtbridge.control.vts.session import Services, Session

MODEL_ID = "0123456789abcdef" * 2
FADE_S = 0.5
NOW_MS = 1_700_000_000_123


class FakeAvatar:
    """Remembers what plugins do to it."""

    def __init__(self) -> None:
        self.shown = Model(MODEL_ID, "Momo", 512)
        self.rows = [
            Expression("smile", "Big smile", values={"mouth_aaa": 0.5}),
            Expression("nod", "Nod", fires=True),
        ]
        self.done: list[tuple[str, bool | None]] = []

    def model(self) -> Model:
        return self.shown

    def loaded_ms(self) -> int:
        return 1500

    def expressions(self) -> Sequence[Expression]:
        return self.rows

    def switch(self, name: str, on: bool | None) -> None:
        if name not in {one.name for one in self.rows}:
            raise KeyError(name)
        self.done.append((name, on))

    def clear(self) -> None:
        self.done.append(("/clear", None))

    def calibrate(self) -> None:
        self.done.append(("/calibrate", None))

    def fps(self) -> float:
        return 59.7

    def side(self) -> int:
        return 512

    def pose(self) -> Sequence[PoseValue]:
        return [PoseValue("mouth_aaa", 0.25, 0.0, 1.0)]


class Desk:
    """All of the API but its sockets.

    Attributes:
        sessions: one for each plugin that ``plugin`` made.
    """

    def __init__(self, folder: Path) -> None:
        self.avatar = FakeAvatar()
        self.clock = ManualClock()
        self.overlay = ParameterOverlay(FADE_S)
        self.faces = InjectedFaces(self.overlay, self.clock)
        self.book = PluginBook(folder / "plugins.json", now_s=lambda: 1e9)
        services = Services(
            self.avatar,
            self.faces,
            self.book,
            self.clock,
            self.clock.now_ns(),
            connected=lambda: 2,
            hotkey_triggered=lambda hotkey: self.events.triggered_by_plugin(hotkey),
        )
        self.events = EventDesk(services)
        self.dispatcher = Dispatcher(services, lambda: NOW_MS)

    def plugin(self, name: str = "Deck") -> FakePlugin:
        """Return a plugin that the user has allowed."""
        plugin = FakePlugin(self, Session())
        token = self.book.grant(PluginId(name, "tests"))
        answer = plugin.ask(
            "Authentication",
            pluginName=name,
            pluginDeveloper="tests",
            authenticationToken=token,
        )
        assert answer["authenticated"], answer
        return plugin

    def stranger(self) -> FakePlugin:
        """Return a plugin that has not authenticated."""
        return FakePlugin(self, Session())


class FakePlugin:
    """One plugin."""

    def __init__(self, desk: Desk, session: Session) -> None:
        self._desk = desk
        self.session = session
        desk.events.welcome(session)

    def send(self, text: str) -> dict[str, Any]:
        """Send ``text`` and return the whole answer."""
        parsed = self._desk.dispatcher.parse(text)
        answer: dict[str, Any] = json.loads(
            parsed
            if isinstance(parsed, str)
            else self._desk.dispatcher.answer(self.session, parsed)
        )
        return answer

    def message(self, kind: str, **data: object) -> dict[str, Any]:
        """Send a request and return the whole answer."""
        return self.send(message_of(kind, data))

    def ask(self, kind: str, **data: object) -> dict[str, Any]:
        """Send a request and return what is in the answer, which must be no error."""
        answer = self.message(kind, **data)
        assert answer["messageType"] == f"{kind}Response", answer
        told: dict[str, Any] = answer["data"]
        return told

    def refused(self, kind: str, **data: object) -> int:
        """Send a request and return the number of the error that it must meet."""
        answer = self.message(kind, **data)
        assert answer["messageType"] == "APIError", answer
        assert answer["data"]["message"]
        return int(answer["data"]["errorID"])

    def told(self) -> list[tuple[str, Any]]:
        """Return the events that have come up."""
        return [(name, data) for name, _, data in self._desk.events.take(self.session)]


def message_of(kind: str, data: object, request_id: str = "r1") -> str:
    """Return the text of a request."""
    return json.dumps(
        {
            "apiName": API_NAME,
            "apiVersion": API_VERSION,
            "requestID": request_id,
            "messageType": f"{kind}Request",
            "data": data,
        }
    )
