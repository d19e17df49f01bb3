"""The daemon: opens every stage in order, runs until told to stop, closes in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vtbridge.app.audience import Audience
from vtbridge.app.calibration_file import load_calibration, save_calibration
from vtbridge.app.camera import open_camera
from vtbridge.app.character_switch import CharacterSwitch
from vtbridge.app.character_triggers import OSC_CHARACTER, character_orders
from vtbridge.app.control_ports import open_osc, open_page
from vtbridge.app.expressions import (
    OSC_KEY_PREFIX,
    OSC_PREFIX,
    Expressions,
    open_expressions,
)
from vtbridge.app.frame_sinks import open_media, open_segment
from vtbridge.app.health import health_around
from vtbridge.app.live_settings import LiveSettings
from vtbridge.app.manual_pose import ManualPose
from vtbridge.app.obs_scene import open_obs
from vtbridge.app.obs_ticks import OSC_TICK, obs_ticks
from vtbridge.app.open_characters import open_characters
from vtbridge.app.opened_character import OpenedCharacter
from vtbridge.app.page_avatar import open_avatar
from vtbridge.app.reload import after_a_start, at_once
from vtbridge.app.remote import RemoteRenderer
from vtbridge.app.render_loop import RenderLoop, Segment, Sink
from vtbridge.app.signals import catch_signals
from vtbridge.app.status import DaemonStatus, RunSummary, summary_of
from vtbridge.app.vts_api import ShownAvatar, faces_for_plugins, open_vts_api
from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.config.schema import Config
from vtbridge.control.address import new_token, read_address
from vtbridge.control.osc_control import OscControl
from vtbridge.datatypes import FaceFrame, Picture
from vtbridge.errors import VtbridgeError
from vtbridge.expressions.idle import IdleMotion
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.publish.media_tcp import MediaServer
from vtbridge.render.settings import Quality
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.supervise.link import RendererEnd
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import Inputs

log = logging.getLogger(__name__)

_WATCH_PERIOD_S = 0.1
_FACES_KEPT = 64
"""About a second of a phone's faces, should one frame take that long."""

OpenSources = Callable[[LatestSlot[FaceFrame], Telemetry, Clock], Inputs]


class Daemon:
    """One avatar: trackers in, frames out, commands from loopback.

    Args:
        config: all settings.
        picture: the character.
        open_sources: opens the inputs that put faces into the slot.
        keep_calibration: take up the neutral face of the last run and keep this one's.
        idle_seed: of the character's own motion, None = different each time.
        first_use: go over to the prepared character, and prepare one that is not, where the
            networks are slow and the settings allow it.
        config_file: keeps the settings that are changed meanwhile, None = nothing does.
        read_config: reads all settings anew, None = they stay.
        prepare: told of the retargeter before the first face.
        on_calibrate: told when a calibration begins, monotonic nanoseconds.
        remote: the other computer, where that one tracks.
    """

    def __init__(
        self,
        config: Config,
        picture: Picture,
        open_sources: OpenSources,
        *,
        keep_calibration: bool = True,
        idle_seed: int | None = None,
        first_use: bool = False,
        config_file: Path | None = None,
        read_config: Callable[[], Config] | None = None,
        prepare: Callable[[Retargeter], None] = lambda retargeter: None,
        on_calibrate: Callable[[int], object] = lambda t_ns: None,
        remote: RemoteRenderer | None = None,
    ) -> None:
        self._config = config
        self._picture = picture
        self._open_sources = open_sources
        self._keep_calibration = keep_calibration
        self._idle_seed = idle_seed
        self._wants_first_use = first_use
        self._characters: CharacterSwitch | None = None
        self._prepare = prepare
        self._on_calibrate = on_calibrate
        self._remote = remote
        self._clock: Clock = MonotonicClock()
        self._telemetry = Telemetry(self._clock)
        self._audience = Audience(self._clock)
        self._faces = faces_for_plugins(config, self._clock, history=_FACES_KEPT)
        self._retargeter = Retargeter(config.retarget, telemetry=self._telemetry)
        self._render: RenderLoop | None = None
        self._expressions: Expressions | None = None
        self._status: DaemonStatus | None = None
        self._manual = ManualPose()
        self._idle = IdleMotion(config.idle, seed=idle_seed)
        self._read_config = read_config
        self._restarts = 0
        self._settings = LiveSettings(config, config_file, self._use)
        self._calibration_asked = False
        self._stop = asyncio.Event()

    async def run(
        self,
        *,
        seconds: float | None = None,
        on_ready: Callable[[str], None] | None = None,
        parent: RendererEnd | None = None,
    ) -> RunSummary:
        """Run until SIGINT or SIGTERM, or for ``seconds``.

        Args:
            seconds: how long, None for ever.
            on_ready: called once with the page's URL when frames are about to flow.
            parent: told how it gets on, and heard.

        Raises:
            VtbridgeError: something could not be opened, or a service died.
        """
        config, clock = self._config, self._clock
        async with contextlib.AsyncExitStack() as stack:
            loop = asyncio.get_running_loop()
            catch_signals(loop, self._stop.set, watched=parent is not None)
            if parent is not None:
                self._restarts = parent.restarts
                parent.listen(partial(loop.call_soon_threadsafe, self._stop.set), self.reload)
            sinks: list[Sink] = []
            writer = open_segment(stack, config)
            show = self.show_character
            self._expressions = open_expressions(config, seed=self._idle_seed, show=show)
            if self._remote is not None:
                self._remote.use(self._expressions, show)
            log.info("loading the networks")
            # In a thread, so that a signal is heard meanwhile.
            render, characters = await asyncio.to_thread(self._make_render, writer, sinks)
            self._render, self._characters = render, characters
            stack.callback(render.close)
            status = self._status = self._open_status(render, characters)
            avatar = open_avatar(
                stack, status, characters, self._manual, self._settings, self.calibrate
            )
            stack.callback(self._settings.save)
            # A page that is open goes on where a renderer was started again.
            known = read_address(config.publish.name) if self._restarts else None
            token = new_token() if known is None else known.token
            server = await open_page(stack, config, avatar, token)
            sinks.append(server.offer)
            if config.control.osc_enabled:
                await self._open_osc(stack, render)
            await open_vts_api(stack, config, self._plugins_avatar(render, characters), self._faces)
            services: list[ThreadService] = []
            media: MediaServer | None = None
            if (
                config.publish.media_enabled
                and (media := open_media(config, self._telemetry)) is not None
            ):
                sinks.append(media.offer)
                services.append(media)
            if config.publish.camera:
                camera = open_camera(config.publish, clock, self._telemetry)
                sinks.append(camera.offer)
                services.append(camera)
                self._audience.join("camera", lambda: bool(camera.device))
            self._audience.join("page", lambda: server.watched)
            if config.obs.enabled:
                status.obs = open_obs(
                    config, self._telemetry, self._audience, self._expressions, media
                )
                services.append(status.obs)
            status.inputs = await self._open_inputs()
            services += status.inputs.services
            if self._expressions is not None:
                services += self._expressions.services
            services += [characters, render]
            if self._keep_calibration:
                person = config.retarget.calibration.person
                load_calibration(self._retargeter, person, avatar=config.publish.name)
                stack.callback(save_calibration, self._retargeter, person)
            self._prepare(self._retargeter)
            for service in services:
                service.start()
                stack.callback(_stop_service, service)
            log.info(
                "%s is live as %r: %s, %g fps wanted",
                self._picture.name,
                config.publish.name,
                render.status().runtime,
                config.avatar.fps,
            )
            start_ns = clock.now_ns()
            if on_ready is not None:
                on_ready(server.url)
            if parent is not None:
                parent.ready()
            await self._watch(services, render, status, seconds, parent)
            return summary_of(render, self._telemetry, (clock.now_ns() - start_ns) / NS_PER_S)

    async def _open_inputs(self) -> Inputs:
        """Open them in a thread, for a port that is taken makes them wait.

        Raises:
            VtbridgeError: there is nothing to listen to.
        """
        opening = asyncio.ensure_future(
            asyncio.to_thread(self._open_sources, self._faces, self._telemetry, self._clock)
        )
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            await asyncio.wait([opening])  # a thread cannot be cancelled
            if opening.exception() is None:
                for service in opening.result().services:
                    _stop_service(service)
            raise

    def _make_render(
        self, writer: Segment, sinks: list[Sink]
    ) -> tuple[RenderLoop, CharacterSwitch]:
        """Load the networks and return the loop that runs them; takes a second or two."""
        config, clock, telemetry = self._config, self._clock, self._telemetry
        live, characters = open_characters(
            config,
            self._picture,
            first_use=self._wants_first_use,
            changed=self._character_changed,
            look=self._audience.look,
            clock=clock,
            telemetry=telemetry,
        )
        render = RenderLoop(
            live=live,
            retargeter=self._retargeter if self._remote is None else self._remote.poses,
            idle=self._idle,
            expressions=None if self._expressions is None else self._expressions.engine,
            manual=self._manual,
            faces=self._faces,
            writer=writer,
            sinks=sinks,
            looks=self._audience.looks,
            fps=config.avatar.fps,
            clock=clock,
            telemetry=telemetry,
        )
        return render, characters

    def show_character(self, name: str) -> None:
        """Go over to another character; safe from any thread, returns at once."""
        if self._characters is not None:
            self._characters.ask(name)

    def _character_changed(self, character: OpenedCharacter) -> None:
        """Go over to the expressions of the character that is shown now."""
        if self._expressions is not None:
            avatar = self._config.avatar.model_copy(update={"picture": character.name})
            self._expressions.follow(self._config.model_copy(update={"avatar": avatar}))

    def _open_status(self, render: RenderLoop, characters: CharacterSwitch) -> DaemonStatus:
        return DaemonStatus(
            self._config,
            characters,
            self._clock,
            self._telemetry,
            self._faces,
            render,
            expressions=self._expressions,
            audience=self._audience,
            settings=self._settings,
            restarts=self._restarts,
        )

    def _use(self, config: Config) -> None:
        """Let other settings hold from the next beat on, as far as they can live."""
        self._config = config
        if self._status is not None:
            self._status.config = config

        def configure() -> None:
            self._retargeter.configure(config.retarget)
            self._idle.configure(config.idle)

        if self._render is not None:
            self._render.submit(configure)

    def reload(self) -> None:
        """Read the settings anew, and use them as a whole or not at all; safe from any thread."""
        if self._read_config is None:
            return
        self._settings.save()
        try:
            wanted = self._read_config()
        except VtbridgeError as error:
            log.warning("the settings stay as they are: %s", error)
            return
        was = self._config
        later = after_a_start(was, wanted)
        self._settings.take(at_once(was, wanted))
        if wanted.avatar.picture != was.avatar.picture:
            self.show_character(wanted.avatar.picture)
        quality = wanted.render.quality
        if self._render is not None and quality not in {was.render.quality, Quality.BAKED}:
            self._render.set_quality(quality)
        log.info("settings reloaded")
        if later:
            log.warning("for %s vtbridge has to be started again", ", ".join(later))

    def _plugins_avatar(self, render: RenderLoop, characters: CharacterSwitch) -> ShownAvatar:
        return ShownAvatar(
            lambda: characters.shown.picture,
            render,
            self._expressions,
            self.calibrate,
            self._config.render.size,
            self._clock,
            self._clock.now_ns(),
        )

    async def _open_osc(self, stack: contextlib.AsyncExitStack, render: RenderLoop) -> None:
        """Take commands over OSC; a taken port costs only that."""
        commands = {"calibrate": self.calibrate, "look": self._audience.look}
        commands |= _quality_commands(render)
        addresses = {f"/vtbridge/{name}": command for name, command in commands.items()}
        control, expressions = self._config.control, self._expressions
        osc = OscControl(
            addresses,
            self._telemetry,
            switches={}
            if expressions is None
            else {
                OSC_PREFIX: expressions.switch_by("osc"),
                OSC_KEY_PREFIX: expressions.press_by("key"),
            },
            listeners={
                OSC_CHARACTER: character_orders(self.show_character),
                OSC_TICK: obs_ticks(render.lock_phase, self._audience.look),
            },
            allow=control.osc_allow,
            feedback_port=control.osc_feedback_port,
        )
        if await open_osc(stack, osc, control.osc_port) and expressions is not None:
            stack.callback(expressions.tell_osc(osc.tell, asyncio.get_running_loop()))

    async def _watch(
        self,
        services: list[ThreadService],
        render: RenderLoop,
        status: DaemonStatus,
        seconds: float | None,
        parent: RendererEnd | None,
    ) -> None:
        """Wait for the end, telling the user when the face comes and goes.

        Raises:
            VtbridgeError: the render loop ended against its will.
        """
        deadline_ns = None if seconds is None else self._clock.now_ns() + round(seconds * NS_PER_S)
        tracked = False
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), _WATCH_PERIOD_S)
            self._notice_failures(services, status)
            render.health_around = health_around(status.inputs, status.obs, status.lost)
            if parent is not None:
                parent.beats(render.beats)
            self._keep_new_calibration()
            if render.tracked != tracked:
                tracked = render.tracked
                source = status.source()
                log.info("face seen by %s" if tracked else "face lost (%s), idling", source)
            if deadline_ns is not None and self._clock.now_ns() >= deadline_ns:
                return

    def _notice_failures(self, services: list[ThreadService], status: DaemonStatus) -> None:
        """Go on without a service that died, but say so; without the render loop stop.

        Raises:
            VtbridgeError: the render loop died.
        """
        failure = status.render.failure
        if isinstance(failure, VtbridgeError):
            raise failure
        if failure is not None:
            raise VtbridgeError(f"rendering stopped: {failure}") from failure
        for service in [*services, *status.characters.services]:
            if service.failure is not None and service.name not in status.lost:
                status.lost.add(service.name)
                log.warning("%s stopped (%s); the avatar goes on", service.name, service.failure)

    def _keep_new_calibration(self) -> None:
        if not self._calibration_asked or self._retargeter.calibrating:
            return
        self._calibration_asked = False
        log.info("calibrated")
        if self._keep_calibration:
            save_calibration(self._retargeter, self._config.retarget.calibration.person)

    def calibrate(self) -> None:
        """Take the face of the next second as neutral; safe from any thread, returns at once."""
        if self._remote is not None:
            self._remote.calibrate()
        elif self._render is not None:
            log.info("calibrating: look straight ahead with a relaxed face")
            self._render.submit(self._begin_calibration)

    def _begin_calibration(self) -> None:
        self._retargeter.calibrate()
        self._calibration_asked = True
        self._on_calibrate(self._clock.now_ns())


def _quality_commands(render: RenderLoop) -> dict[str, Callable[[], None]]:
    """Return a command for each quality that the networks know, such as ``quality-fast``.

    None for going over to a prepared character: that is settled when one is opened.
    """
    return {
        f"quality-{quality}": partial(render.set_quality, quality)
        for quality in Quality
        if quality is not Quality.BAKED
    }


def _stop_service(service: ThreadService) -> None:
    if not service.stop():
        log.warning("%s did not stop in time; leaving it behind", service.name)
