"""What every request needs: the parts of the server, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vtbridge.clock import Clock
from vtbridge.control.vts.avatar import Avatar
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.face_draft import FaceDraft
from vtbridge.control.vts.injected_faces import InjectedFaces
from vtbridge.control.vts.parameters import DEFAULT_PARAMETERS, Parameter
from vtbridge.control.vts.plugins import Book, PluginBook, PluginId

API_FEATURES = "1.30.0"
"""Tells plugins which requests to expect: those of this version of VTube Studio."""
OWN_PARAMETERS = "VTube Studio"
"""Plugins expect the default parameters to be added by this."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """An event that a plugin wants to be told.

    Attributes:
        request_id: of the subscription; its events carry it.
        config: what the plugin wants of it, checked.
    """

    request_id: str
    config: Mapping[str, object]


@dataclass(slots=True, eq=False)
class Session:
    """One connected plugin.

    Attributes:
        origin: the web page or other computer it comes from, empty for a program of this one.
        plugin: who it is, None before it is authenticated.
        token_sha256: of the token by which it is.
        subscriptions: its events by name.
    """

    origin: str = ""
    plugin: PluginId | None = None
    token_sha256: str = ""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that requests use.

    Attributes:
        avatar: what they ask and change.
        faces: takes injected values.
        book: the plugins that are allowed.
        clock: the monotonic clock.
        start_ns: when the server began.
        connected: how many plugins are connected now.
        hotkey_triggered: told of each hotkey that a plugin triggers, by its id.
        hotkeys_ns: when each hotkey was triggered last, by id.
    """

    avatar: Avatar
    faces: InjectedFaces
    book: PluginBook
    clock: Clock
    start_ns: int
    connected: Callable[[], int] = lambda: 0
    hotkey_triggered: Callable[[str], object] = lambda hotkey_id: None
    hotkeys_ns: dict[str, int] = field(default_factory=dict)

    def model_fields(self) -> dict[str, object]:
        """Return the three fields that many answers begin with."""
        model = self.avatar.model()
        return {"modelLoaded": True, "modelName": model.name, "modelID": model.model_id}

    def parameter(self, name: str) -> tuple[Parameter, str] | None:
        """Return the parameter ``name`` and who added it, None if there is none."""
        if (own := DEFAULT_PARAMETERS.get(name)) is not None:
            return own, OWN_PARAMETERS
        return custom_parameters(self.book.read()).get(name)

    def value(self, parameter: Parameter) -> float:
        """Return the value of ``parameter`` just now."""
        # The newest face holds what was injected already; what no face holds is laid over here.
        if parameter.read is not None:
            from_face = self._from_face(parameter)
            return parameter.default if from_face is None else from_face
        return self.faces.overlay.value(parameter, parameter.default, self.clock.now_ns())

    def _from_face(self, parameter: Parameter) -> float | None:
        face = self.faces.current()
        if face is None or parameter.read is None:
            return None
        return parameter.read(FaceDraft(face))


Handler = Callable[[Services, Session, Mapping[str, object]], Mapping[str, object]]
"""Answers one kind of request; raises RefusedError."""


def custom_parameters(book: Book) -> dict[str, tuple[Parameter, str]]:
    """Return what plugins have added, by name: the parameter and the plugin's name."""
    return {
        row.name: (Parameter(row.name, row.low, row.high, row.default), one.plugin.name)
        for one in book.plugins
        for row in one.parameters
    }


def plugin_of(session: Session) -> PluginId:
    """Return who asks.

    Raises:
        RefusedError: it is not authenticated.
    """
    if session.plugin is None:
        raise RefusedError(
            ErrorId.AUTHENTICATION_REQUIRED, "authenticate first, with AuthenticationRequest"
        )
    return session.plugin
