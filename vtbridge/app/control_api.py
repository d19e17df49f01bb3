"""The avatar of this daemon as the control API wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vtbridge.app.definition_desk import RunningDefinitions
from vtbridge.app.doctor_desk import RunningDoctor
from vtbridge.app.live_settings import LiveSettings
from vtbridge.app.obs_scene import set_up_now
from vtbridge.app.poser_desk import RunningPoser
from vtbridge.app.process_figures import process_figures
from vtbridge.app.status import DaemonStatus
from vtbridge.config.schema import Config
from vtbridge.control.api.avatar import ProcessFigures
from vtbridge.control.api.models import (
    Action,
    Alert,
    Character,
    Characters,
    Expressions,
    Obs,
    Quality,
    QualityName,
    ShownCharacter,
    Status,
    Trackers,
    Tracking,
)
from vtbridge.control.api.obs_setup import ObsSetUp
from vtbridge.render.settings import Quality as RenderQuality
from vtbridge.telemetry import LatencySummary

_SWITCHED = {Action.ON: True, Action.OFF: False, Action.TOGGLE: None}


@dataclass(frozen=True)
class RunningAvatar:
    """One daemon, as ``control.api.avatar.Avatar`` has it.

    Args:
        state: of the daemon.
        take_neutral: begins a calibration.
        poser: poses by hand.
        settings: changes them.
        doctor: makes characters of drawings.
    """

    state: DaemonStatus
    take_neutral: Callable[[], None]
    poser: RunningPoser
    settings: LiveSettings
    doctor: RunningDoctor

    @property
    def definitions(self) -> RunningDefinitions | None:
        """Expressions as they are written; None if they are switched off."""
        found = self.state.expressions
        if found is None or found.watch is None:
            return None
        return RunningDefinitions(found.engine, found.watch)

    def status(self) -> Status:
        """Return the whole state."""
        return self.state.status()

    def trackers(self) -> Trackers:
        """Return who sends faces and what they see."""
        return self.state.trackers()

    def characters(self) -> Characters:
        """Return the characters on this computer; reads the disk."""
        shown = self.state.characters.shown.name
        return Characters(
            shown=shown,
            characters=[
                Character.model_validate({"name": name, "kind": kind, "shown": name == shown})
                for name, kind in self.state.characters.cast.listed()
            ],
        )

    def character(self) -> ShownCharacter:
        """Return who is on the screen, and who is coming."""
        casting = self.state.characters.casting()
        return ShownCharacter(name=casting.shown, coming=casting.coming, trouble=casting.trouble)

    def show(self, name: str) -> None:
        """Go over to another character; reads the disk, raises KeyError if there is none."""
        self.state.characters.show(name)

    def config(self) -> Config:
        """Return the settings that hold; passwords lie in the keyring, none is among them."""
        return self.state.config

    def change_config(self, tables: Mapping[str, object]) -> None:
        """Let other settings hold, and keep them; raises ConfigError if they cannot be so."""
        self.settings.change(tables)

    def expressions(self) -> Expressions:
        """Return the expressions and their states."""
        found = self.state.expressions
        if found is None:
            return Expressions(expressions=[], trouble="")
        told = found.status()
        return Expressions.model_validate(
            {"expressions": told["expressions"], "trouble": told["expressions_trouble"]}
        )

    def quality(self) -> Quality:
        """Return how frames are made."""
        live = self.state.render.status()
        fixed = live.quality is RenderQuality.BAKED
        wanted = self.state.render.wanted_quality or self.state.config.render.quality
        return Quality(
            quality=live.quality.value,
            wanted=live.quality.value if fixed else wanted.value,
            choices=[] if fixed else list(QualityName),
            runtime=live.runtime,
            trouble=live.trouble,
        )

    def tracking(self) -> Tracking:
        """Return whether a face is seen."""
        tracked = self.state.render.tracked
        return Tracking(tracked=tracked, source=self.state.source() if tracked else "")

    def obs(self) -> Obs:
        """Return how the connection to OBS is."""
        connection = self.state.obs
        if connection is None:
            return Obs(state="off", trouble="")
        return Obs(state=connection.state.value, trouble=connection.trouble)

    def set_up_obs(self) -> ObsSetUp:
        """Make the scene and the source in OBS; raises ObsError if it cannot be."""
        report = set_up_now(self.state.config)
        return ObsSetUp(
            transport=report.transport.value, changes=list(report.changes), advice=report.advice
        )

    def warnings(self) -> list[Alert]:
        """Return what a streamer would want to know."""
        return self.state.warnings()

    def latencies(self) -> Mapping[str, LatencySummary]:
        """Return the percentiles of every stage."""
        return self.state.telemetry.latencies()

    def process(self) -> ProcessFigures:
        """Return what the process takes of the machine."""
        return process_figures()

    def switch(self, name: str, action: Action, *, by: str) -> None:
        """Switch an expression with the next frame; raises KeyError if there is none."""
        found = self.state.expressions
        if found is None:
            raise KeyError("expressions are switched off ([expressions] enabled)")
        if action is Action.RELEASE:
            found.engine.release(name)
        else:
            found.engine.trigger(name, _SWITCHED[action], by=by)

    def clear(self) -> None:
        """Switch all expressions off."""
        if self.state.expressions is not None:
            self.state.expressions.engine.clear()

    def calibrate(self) -> None:
        """Take the face of the next second as the neutral one."""
        self.take_neutral()

    def look(self) -> None:
        """Note that somebody looks, so that frames are made."""
        if self.state.audience is not None:
            self.state.audience.look()

    def set_quality(self, quality: QualityName) -> None:
        """Want another best quality."""
        self.state.render.set_quality(RenderQuality(quality.value))

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have ``changed`` called, from any thread, when expressions switch; return its end."""
        if self.state.expressions is None:
            return lambda: None
        return self.state.expressions.news.subscribe(lambda _states: changed())
