"""The tracker of two computers: all inputs and calibration here, the picture elsewhere.

No network is loaded here; nothing that this imports needs one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from vtbridge.app.alerts import alerts
from vtbridge.app.calibration_file import load_calibration, save_calibration
from vtbridge.app.character_triggers import OSC_CHARACTER, character_orders, or_character
from vtbridge.app.control_ports import open_osc, open_page
from vtbridge.app.expressions import (
    OSC_KEY_PREFIX,
    OSC_PREFIX,
    expression_file,
    known_names,
    open_keyboard,
    open_midi,
)
from vtbridge.app.inputs import open_trackers
from vtbridge.app.remote_avatar import RemoteAvatar
from vtbridge.app.remote_poses import pose_message
from vtbridge.app.signals import catch_signals
from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.config.schema import Config
from vtbridge.control.address import new_token
from vtbridge.control.api.models import Status, Trackers
from vtbridge.control.osc_control import OscControl
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import ConfigError
from vtbridge.expressions.library import ExpressionLibrary, builtin_library
from vtbridge.expressions.reload import ExpressionFileWatch
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.remote.key import RemoteKey
from vtbridge.remote.sender import PoseSender
from vtbridge.remote.tracker_link import TrackerLink
from vtbridge.remote.wire import MAX_NAME_BYTES, Code, Command, PoseMessage
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import Inputs
from vtbridge.tracking.source_status import plain_face, plain_status

log = logging.getLogger(__name__)

_WATCH_PERIOD_S = 0.1
_FACES_KEPT = 64


class RemoteTracker:
    """Trackers in, poses out to another computer, commands from loopback for both.

    Attributes:
        sender: of the poses.

    Args:
        config: all settings.
        key: what both computers share.

    Raises:
        ConfigError: the settings do not say where the renderer is.
    """

    def __init__(self, config: Config, key: RemoteKey) -> None:
        if not config.remote.renderer or not config.remote.port:
            raise ConfigError(
                "remote.renderer: a tracker needs the address of the computer that renders, and "
                "its port; `vtbridge run --role renderer` shows there what to type here"
            )
        self._config = config
        self._clock: Clock = MonotonicClock()
        self._telemetry = Telemetry(self._clock)
        self._faces: LatestSlot[FaceFrame] = LatestSlot(history=_FACES_KEPT)
        self._retargeter = Retargeter(config.retarget, telemetry=self._telemetry)
        self._asked: deque[Callable[[], None]] = deque()
        self._seen = 0
        self._face: FaceFrame | None = None
        self._tracked = False
        self._calibration_asked = False
        self._inputs = Inputs()
        self._lost: set[str] = set()
        self._library: ExpressionLibrary = builtin_library(known_names())
        self.sender = PoseSender(
            TrackerLink(key.secret),
            config.remote.renderer,
            config.remote.port,
            rate=config.remote.rate,
            pose=self.pose_message,
            do=self._do,
            clock=self._clock,
            telemetry=self._telemetry,
        )
        self._stop = asyncio.Event()

    async def run(
        self, *, seconds: float | None = None, on_ready: Callable[[str], None] | None = None
    ) -> None:
        """Run until SIGINT or SIGTERM, or for ``seconds``.

        Args:
            seconds: how long, None for ever.
            on_ready: called once with the address of the state when poses are about to flow.

        Raises:
            VtbridgeError: something could not be opened.
        """
        config = self._config
        person = config.retarget.calibration.person
        async with contextlib.AsyncExitStack() as stack:
            catch_signals(asyncio.get_running_loop(), self._stop.set)
            server = await open_page(stack, config, RemoteAvatar(self), new_token())
            if config.control.osc_enabled:
                await self._open_osc(stack)
            services = self._trigger_services()
            self._inputs = await asyncio.to_thread(
                open_trackers, config, self._faces, self._telemetry, self._clock
            )
            services += [*self._inputs.services, self.sender]
            load_calibration(self._retargeter, person, avatar=config.publish.name)
            stack.callback(save_calibration, self._retargeter, person)
            for service in services:
                service.start()
                stack.callback(_stop_service, service)
            log.info("tracking for %s:%d", config.remote.renderer, config.remote.port)
            if on_ready is not None:
                on_ready(server.url)
            await self._watch(services, seconds)

    @property
    def calibrating(self) -> bool:
        """True until enough faces have come since calibration was asked for."""
        return self._retargeter.calibrating

    @property
    def config(self) -> Config:
        """The settings that hold."""
        return self._config

    @property
    def telemetry(self) -> Telemetry:
        """What is measured here."""
        return self._telemetry

    @property
    def library(self) -> ExpressionLibrary:
        """The expressions that are known here; the renderer may have others."""
        return self._library

    def calibrate(self) -> None:
        """Take the face of the next second as neutral; safe from any thread, returns at once."""
        log.info("calibrating: look straight ahead with a relaxed face")
        self._asked.append(self._begin_calibration)

    def switch(self, code: Code, name: str, on: bool | None) -> None:
        """Have the renderer switch or press an expression; from any thread.

        Raises:
            KeyError: no expression has so long a name.
        """
        if len(name.encode()) > MAX_NAME_BYTES:
            raise KeyError(name)
        self.sender.ask(Command(code, name, on))

    def show(self, name: str) -> None:
        """Have the renderer show another character; it knows which there are. From any thread."""
        try:
            self.switch(Code.CHARACTER, name, True)
        except KeyError:
            log.warning("no character is called %.60r: the name is too long", name)

    def pose_message(self, now_ns: int, taken: int) -> PoseMessage:
        """Return what the renderer is told at ``now_ns``; on the sender's thread alone.

        Args:
            now_ns: the moment.
            taken: id of the renderer's newest command that was taken.
        """
        while self._asked:
            self._asked.popleft()()
        with self._telemetry.timed("retarget"):
            for stamped in self._faces.newer(self._seen):
                self._seen, self._face = stamped.seq, stamped.value
                self._retargeter.feed(stamped.value)
            pose = self._retargeter.pose_at(now_ns)
        self._tracked = not self._retargeter.tracker_lost(now_ns)
        return pose_message(pose, self._face, now_ns, taken, tracked=self._tracked)

    def status(self) -> Status:
        """Return the state; that of the frames is known where they are made."""
        report, remote = self.sender.report, self._config.remote
        return Status.model_validate(
            {
                "name": self._config.publish.name,
                "renderer": {
                    "address": f"{remote.renderer}:{remote.port}",
                    "connected": self.sender.connected,
                    "trouble": self.sender.trouble,
                    "poses_received": 0 if report is None else report.poses,
                },
                "picture": "",
                "credit": "",
                "runtime": "",
                "fps": 0.0,
                "fps_wanted": 0.0,
                "frames": 0,
                "beats": 0,
                "dropped": 0,
                "locked": False,
                "live": None,
                "preparation": None,
                "tracked": self._tracked,
                "tracker": self._source() if self._tracked else "waiting for a face",
                "sources": self._sources(with_face=False),
                "obs": "not connected by vtbridge",
                "warnings": alerts(
                    self._lost, self._inputs.status(), [("renderer", self.sender.trouble)]
                ),
                "stopped": sorted(self._lost),
                "latency_ms": self._telemetry.latency_ms(),
                "counters": self._telemetry.counters(),
            }
        )

    def trackers(self) -> Trackers:
        """Return what `vtbridge trackers` shows."""
        newest = self._faces.peek()
        return Trackers.model_validate(
            {
                "name": self._config.publish.name,
                "sources": self._sources(with_face=True),
                "movers": self._inputs.movers(),
                "face": None if newest is None else plain_face(newest.value, self._clock.now_ns()),
            }
        )

    def _do(self, command: Command) -> None:
        if command.code is Code.CALIBRATE:
            self.calibrate()

    def _begin_calibration(self) -> None:
        self._retargeter.calibrate()
        self._calibration_asked = True

    def _trigger_services(self) -> list[ThreadService]:
        """Return what hears keys and MIDI devices here; expressions.toml names them."""
        config = self._config
        path = expression_file(config) if config.expressions.enabled else None
        services: list[ThreadService | None] = []
        if path is not None:
            watch = ExpressionFileWatch(path, known_names(), self._use)
            watch.look()
            services.append(watch if config.expressions.reload else None)
        if config.control.keyboard:
            switch = or_character(partial(self.switch, Code.SWITCH), self.show)
            services.append(open_keyboard(lambda: self._library, switch, config.avatar.triggers))
        if config.control.midi:
            press = or_character(partial(self.switch, Code.PRESS), self.show)
            services.append(
                open_midi(lambda: self._library, press, config.control.midi, config.avatar.triggers)
            )
        return [service for service in services if service is not None]

    def _use(self, library: ExpressionLibrary) -> None:
        self._library = library

    async def _open_osc(self, stack: contextlib.AsyncExitStack) -> None:
        """Take commands over OSC; a taken port costs only that."""
        control = self._config.control
        osc = OscControl(
            {"/vtbridge/calibrate": self.calibrate},
            self._telemetry,
            switches={
                OSC_PREFIX: partial(self.switch, Code.SWITCH),
                OSC_KEY_PREFIX: partial(self.switch, Code.PRESS),
            },
            listeners={OSC_CHARACTER: character_orders(self.show)},
            allow=control.osc_allow,
            feedback_port=control.osc_feedback_port,
        )
        await open_osc(stack, osc, control.osc_port)

    async def _watch(self, services: list[ThreadService], seconds: float | None) -> None:
        """Wait for the end, telling the user when the face comes and goes."""
        deadline_ns = None if seconds is None else self._clock.now_ns() + round(seconds * NS_PER_S)
        tracked = False
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _WATCH_PERIOD_S)
            for service in services:
                if service.failure is not None and service.name not in self._lost:
                    self._lost.add(service.name)
                    log.warning("%s stopped (%s); the rest goes on", service.name, service.failure)
            if self._calibration_asked and not self._retargeter.calibrating:
                self._calibration_asked = False
                log.info("calibrated")
                save_calibration(self._retargeter, self._config.retarget.calibration.person)
            if self._tracked != tracked:
                tracked = self._tracked
                log.info("face seen by %s" if tracked else "face lost (%s)", self._source())
            if deadline_ns is not None and self._clock.now_ns() >= deadline_ns:
                return

    def _source(self) -> str:
        newest = self._faces.peek()
        return newest.value.source if newest is not None else "no tracker yet"

    def _sources(self, *, with_face: bool) -> list[dict[str, object]]:
        now_ns = self._clock.now_ns()
        return [plain_status(one, now_ns, with_face=with_face) for one in self._inputs.status()]


def _stop_service(service: ThreadService) -> None:
    if not service.stop():
        log.warning("%s did not stop in time; leaving it behind", service.name)
