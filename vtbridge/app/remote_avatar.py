"""The avatar of two computers as the control API of the tracker has it.

What is asked for goes to the computer that renders; what only that one knows is left open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from vtbridge.app.process_figures import process_figures
from vtbridge.config.schema import Config
from vtbridge.control.api.avatar import ProcessFigures
from vtbridge.control.api.models import (
    Action,
    Alert,
    Characters,
    Expression,
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
from vtbridge.errors import ConfigError
from vtbridge.remote.wire import Code
from vtbridge.telemetry import LatencySummary

if TYPE_CHECKING:
    from vtbridge.app.remote_tracker import RemoteTracker

_SWITCHED = {Action.ON: True, Action.OFF: False, Action.TOGGLE: None}


class RemoteAvatar:
    """The tracker of two computers, as ``control.api.avatar.Avatar`` has it.

    Args:
        tracker: reads faces here.
    """

    def __init__(self, tracker: RemoteTracker) -> None:
        self._tracker = tracker

    @property
    def poser(self) -> None:
        """Nothing is posed here."""
        return None

    @property
    def definitions(self) -> None:
        """The other computer has the expressions that are shown."""
        return None

    @property
    def doctor(self) -> None:
        """Nothing is examined here."""
        return None

    def status(self) -> Status:
        """Return the whole state."""
        return self._tracker.status()

    def trackers(self) -> Trackers:
        """Return who sends faces and what they see."""
        return self._tracker.trackers()

    def characters(self) -> Characters:
        """Return none: the other computer has them."""
        return Characters(shown="", characters=[])

    def character(self) -> ShownCharacter:
        """Return nobody: the other computer knows."""
        return ShownCharacter(name="", coming="", trouble="")

    def show(self, name: str) -> None:
        """Have the other computer show another character; it knows which there are.

        Raises:
            KeyError: no character that can be asked for from here has so long a name.
        """
        self._tracker.switch(Code.CHARACTER, name, True)

    def config(self) -> Config:
        """Return the settings that hold here; the shared key is not among them."""
        return self._tracker.config

    def change_config(self, tables: Mapping[str, object]) -> None:
        """Refuse: two computers read their settings when they start.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{', '.join(tables) or 'nothing'} can be changed while two computers share the work "
            "only in config.toml: edit it, and start vtbridge again"
        )

    def expressions(self) -> Expressions:
        """Return the expressions known here; which of them are on, the other computer knows."""
        return Expressions(
            expressions=[
                Expression(
                    name=name,
                    label=one.label,
                    active=False,
                    amount=0.0,
                    mode=one.table.mode.value,
                    triggers=[],
                )
                for name, one in self._tracker.library.expressions.items()
            ],
            trouble="",
        )

    def quality(self) -> Quality:
        """Return that nothing is rendered here."""
        return Quality(quality="", wanted="", choices=[], runtime="", trouble="")

    def tracking(self) -> Tracking:
        """Return whether a face is seen."""
        status = self._tracker.status()
        return Tracking(tracked=status.tracked, source=status.tracker if status.tracked else "")

    def obs(self) -> Obs:
        """Return that OBS is connected elsewhere."""
        return Obs(state="off", trouble="")

    def set_up_obs(self) -> ObsSetUp:
        """Refuse: OBS stands beside the other computer's frames.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("OBS is set up where the frames are made: run `vtbridge obs setup` there")

    def warnings(self) -> list[Alert]:
        """Return what a streamer would want to know."""
        return self._tracker.status().warnings

    def latencies(self) -> Mapping[str, LatencySummary]:
        """Return the percentiles of every stage."""
        return self._tracker.telemetry.latencies()

    def process(self) -> ProcessFigures:
        """Return what the process takes of the machine."""
        return process_figures()

    def switch(self, name: str, action: Action, *, by: str) -> None:
        """Have the other computer switch an expression; it may have some that are unknown here.

        Raises:
            KeyError: no expression has so long a name.
        """
        if action is Action.RELEASE:
            self._tracker.switch(Code.RELEASE, name, None)
        else:
            self._tracker.switch(Code.SWITCH, name, _SWITCHED[action])

    def clear(self) -> None:
        """Have the other computer switch all expressions off."""
        self._tracker.switch(Code.CLEAR, "", None)

    def calibrate(self) -> None:
        """Take the face of the next second as the neutral one."""
        self._tracker.calibrate()

    def look(self) -> None:
        """Do nothing: who looks at the other computer's frames says so there."""

    def set_quality(self, quality: QualityName) -> None:
        """Do nothing: there is nothing to choose."""

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Return the end of nothing: no news of expressions comes from the other computer."""
        return lambda: None
