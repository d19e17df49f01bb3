"""What the API needs of the avatar behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from vtbridge.control.api.definitions import DefinitionDesk
from vtbridge.control.api.doctor import DoctorDesk
from vtbridge.control.api.models import (
    Action,
    Alert,
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
from vtbridge.control.api.poser import PoserDesk
from vtbridge.telemetry import LatencySummary


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """What the process takes of the machine.

    Attributes:
        resident_bytes: of memory.
        cpu_s: seconds of processor time so far.
        threads: how many there are.
        open_files: descriptors, 0 where the system does not tell.
    """

    resident_bytes: int
    cpu_s: float
    threads: int
    open_files: int


class Avatar(Protocol):
    """One running avatar.

    All methods return at once, so that the event loop is never held up, but for
    ``characters`` and ``show``, which read the disk and are called in a thread.
    """

    @property
    def poser(self) -> PoserDesk | None:
        """Poses by hand; None where another computer makes the frames."""

    @property
    def doctor(self) -> DoctorDesk | None:
        """Makes characters of drawings; None where another computer makes the frames."""

    @property
    def definitions(self) -> DefinitionDesk | None:
        """Expressions as they are written; None where none are shown."""

    def status(self) -> Status:
        """Return the whole state."""

    def trackers(self) -> Trackers:
        """Return who sends faces and what they see."""

    def characters(self) -> Characters:
        """Return the characters on this computer."""

    def character(self) -> ShownCharacter:
        """Return which of them is on the screen."""

    def show(self, name: str) -> None:
        """Go over to another one as soon as it can be shown; the last one asked for wins.

        Raises:
            KeyError: there is none of that name; the message suggests near ones.
        """

    def config(self) -> BaseModel:
        """Return the settings that hold; there are no secrets among them."""

    def change_config(self, tables: Mapping[str, object]) -> None:
        """Let other settings hold from the next frame on, and keep them.

        Args:
            tables: a part of ``config``; None in place of a value or table is its default.

        Raises:
            ConfigError: they cannot be so; nothing changes.
        """

    def expressions(self) -> Expressions:
        """Return the expressions and their states."""

    def quality(self) -> Quality:
        """Return how frames are made."""

    def tracking(self) -> Tracking:
        """Return whether a face is seen."""

    def obs(self) -> Obs:
        """Return how the connection to OBS is."""

    def set_up_obs(self) -> ObsSetUp:
        """Make the scene and the avatar's source in OBS; takes a moment.

        Raises:
            VtbridgeError: OBS does not answer, or refuses; the message names the remedy.
        """

    def warnings(self) -> list[Alert]:
        """Return what a streamer would want to know."""

    def latencies(self) -> Mapping[str, LatencySummary]:
        """Return the percentiles of every stage."""

    def process(self) -> ProcessFigures:
        """Return what the process takes of the machine."""

    def switch(self, name: str, action: Action, *, by: str) -> None:
        """Switch an expression with the next frame.

        Raises:
            KeyError: there is none of that name; the message suggests near ones.
        """

    def clear(self) -> None:
        """Switch all expressions off."""

    def calibrate(self) -> None:
        """Take the face of the next second as the neutral one."""

    def look(self) -> None:
        """Note that somebody looks, so that frames are made."""

    def set_quality(self, quality: QualityName) -> None:
        """Want another best quality; one of ``quality().choices``."""

    def subscribe(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have ``changed`` called, from any thread, when expressions switch; return its end."""
