"""VTube Studio's API over this avatar: what plugins see of it, and what they may do to it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vtbridge.app.expressions import Expressions
from vtbridge.app.render_loop import RenderLoop
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.control.vts.avatar import Expression, Model, PoseValue
from vtbridge.control.vts.consent import ConsentDesk
from vtbridge.control.vts.discovery import Discovery
from vtbridge.control.vts.dispatch import Dispatcher
from vtbridge.control.vts.event_desk import EventDesk
from vtbridge.control.vts.injected_faces import InjectedFaces
from vtbridge.control.vts.overlay import ParameterOverlay
from vtbridge.control.vts.plugins import PluginBook, plugins_path
from vtbridge.control.vts.server import VtsServer
from vtbridge.control.vts.session import Services
from vtbridge.datatypes import FaceFrame, Picture
from vtbridge.errors import VtbridgeError
from vtbridge.expressions.engine import CHANCE, CONDITION, ExpressionState
from vtbridge.expressions.model import Mode
from vtbridge.flow.slot import LatestSlot
from vtbridge.pose_params import PoseParam
from vtbridge.pose_schema import THA3

log = logging.getLogger(__name__)

TRIGGERED_BY = "vts"
"""Who triggers expressions, as their state tells."""

_LOOPBACK, _EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - only where the settings say so
_MODEL_ID_DIGITS = 32
_MS_PER_NS = 1_000_000


def faces_for_plugins(config: Config, clock: Clock, *, history: int) -> LatestSlot[FaceFrame]:
    """Return the slot of the newest face; one that takes injected values where plugins may."""
    if not config.control.vts.enabled:
        return LatestSlot(history=history)
    overlay = ParameterOverlay(config.retarget.dropout.fade_s)
    return InjectedFaces(overlay, clock, history=history)


@dataclass(frozen=True)
class ShownAvatar:
    """The avatar of this daemon, as ``control.vts.avatar.Avatar`` wants it."""

    picture: Callable[[], Picture]
    render: RenderLoop
    expression_set: Expressions | None
    take_neutral: Callable[[], None]
    frame_side: int
    clock: Clock
    start_ns: int

    def model(self) -> Model:
        """Return the character; its id is that of its pixels."""
        picture = self.picture()
        return Model(picture.digest[:_MODEL_ID_DIGITS], Path(picture.name).stem)

    def loaded_ms(self) -> int:
        """Return milliseconds since the daemon began."""
        return (self.clock.now_ns() - self.start_ns) // _MS_PER_NS

    def expressions(self) -> Sequence[Expression]:
        """Return the expressions with their states."""
        if self.expression_set is None:
            return ()
        engine = self.expression_set.engine
        library = engine.library.expressions
        return [
            _expression(
                state,
                {PoseParam(index).label: value for index, value, _ in library[state.name].fixed}
                if state.name in library
                else {},
            )
            for state in engine.state()
        ]

    def switch(self, name: str, on: bool | None) -> None:
        """Switch an expression; off ends also what would end by itself."""
        if self.expression_set is None:
            raise KeyError(name)
        if on is False:
            self.expression_set.engine.release(name)
        else:
            self.expression_set.engine.trigger(name, on, by=TRIGGERED_BY)

    def clear(self) -> None:
        """Switch all expressions off."""
        if self.expression_set is not None:
            self.expression_set.engine.clear()

    def calibrate(self) -> None:
        """Begin a calibration."""
        self.take_neutral()

    def fps(self) -> float:
        """Return frames a second."""
        return self.render.fps()

    def side(self) -> int:
        """Return the frames' side."""
        return self.frame_side

    def pose(self) -> Sequence[PoseValue]:
        """Return the pose that was rendered last."""
        shown = self.render.pose
        schema = THA3 if shown is None else shown.schema
        values = [0.0] * schema.size if shown is None else shown.values.tolist()
        return [
            PoseValue(parameter.label, value, parameter.low, parameter.high)
            for parameter, value in zip(schema.parameters, values, strict=True)
        ]


async def open_vts_api(
    stack: contextlib.AsyncExitStack,
    config: Config,
    avatar: ShownAvatar,
    faces: LatestSlot[FaceFrame],
    *,
    path: Path | None = None,
) -> VtsServer | None:
    """Serve plugins until ``stack`` ends; a taken port costs only them, and None is returned.

    Args:
        stack: closes what is opened.
        config: all settings.
        avatar: what plugins see and move.
        faces: of ``faces_for_plugins``.
        path: the file of allowed plugins, None = this user's.
    """
    settings, clock = config.control.vts, avatar.clock
    if not settings.enabled or not isinstance(faces, InjectedFaces):
        return None
    services = Services(
        avatar,
        faces,
        PluginBook(path or plugins_path()),
        clock,
        avatar.start_ns,
        connected=lambda: server.connected,
        hotkey_triggered=lambda hotkey: events.triggered_by_plugin(hotkey),
    )
    events = EventDesk(services)
    consent = ConsentDesk(services.book, settings.new_plugins, clock)
    server = VtsServer(Dispatcher(services, _now_ms), consent, events)
    try:
        await server.start(_EVERYWHERE if settings.network else _LOOPBACK, settings.port)
    except VtbridgeError as error:
        log.warning("no plugins for VTube Studio: %s", error)
        return None
    stack.push_async_callback(server.close)
    if avatar.expression_set is not None:
        tell = _teller(events, server, asyncio.get_running_loop())
        stack.callback(avatar.expression_set.news.subscribe(tell))
    if settings.discovery:
        discovery = Discovery(server.port, "VTube Studio", network=settings.network, now_ms=_now_ms)
        discovery.start()
        stack.push_async_callback(discovery.close)
    log.info("plugins for VTube Studio find this avatar at ws://127.0.0.1:%d", server.port)
    return server


def _expression(state: ExpressionState, values: dict[str, float]) -> Expression:
    return Expression(
        state.name,
        state.label,
        active=state.active,
        held=state.mode is Mode.HOLD,
        fires=state.mode in (Mode.TIMED, Mode.ONE_SHOT),
        by_itself=bool(state.triggers) and set(state.triggers) <= {CONDITION, CHANCE},
        values=values,
    )


def _teller(
    events: EventDesk, server: VtsServer, loop: asyncio.AbstractEventLoop
) -> Callable[[tuple[ExpressionState, ...]], None]:
    def compare() -> None:
        events.expressions_changed()
        server.tell()

    def hand_over(_states: tuple[ExpressionState, ...]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(compare)

    return hand_over


def _now_ms() -> int:
    return time.time_ns() // _MS_PER_NS
