"""What goes over the WebSocket: commands and their answers, and events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from vtbridge.control.api.models import (
    Alert,
    Answer,
    CharacterOrder,
    Expression,
    Obs,
    Order,
    Problem,
    Quality,
    QualityOrder,
    ShownCharacter,
    Status,
    SwitchOrder,
    Tracking,
)
from vtbridge.control.api.poser import PoseOrder


class SwitchCommand(SwitchOrder):
    """Switch an expression."""

    command: Literal["expression"]
    id: str | int
    """Comes back with the answer."""
    name: Annotated[str, StringConstraints(max_length=100)]


class ClearCommand(Order):
    """Switch all expressions off."""

    command: Literal["clear-expressions"]
    id: str | int
    """Comes back with the answer."""


class CalibrateCommand(Order):
    """Take the face of the next second as the neutral one."""

    command: Literal["calibrate"]
    id: str | int
    """Comes back with the answer."""


class QualityCommand(QualityOrder):
    """Want another quality."""

    command: Literal["quality"]
    id: str | int
    """Comes back with the answer."""


class PoseCommand(PoseOrder):
    """Show a pose until `release-pose`, or until this socket closes."""

    command: Literal["pose"]
    id: str | int
    """Comes back with the answer."""


class ReleasePoseCommand(Order):
    """Let the face move the character again."""

    command: Literal["release-pose"]
    id: str | int
    """Comes back with the answer."""


class CharacterCommand(CharacterOrder):
    """Show another character."""

    command: Literal["character"]
    id: str | int
    """Comes back with the answer."""


class StatusCommand(Order):
    """Ask for the whole state."""

    command: Literal["status"]
    id: str | int
    """Comes back with the answer."""


Command = Annotated[
    SwitchCommand
    | ClearCommand
    | CalibrateCommand
    | QualityCommand
    | PoseCommand
    | ReleasePoseCommand
    | CharacterCommand
    | StatusCommand,
    Field(discriminator="command"),
]


class Reply(Answer):
    """The answer to a command."""

    id: str | int | None
    """Of the command; null where it could not be read."""
    ok: bool
    problem: Problem | None = None
    """Why not."""
    status: Status | None = None
    """For the command `status`."""


class TrackingEvent(Answer):
    """A face came or went."""

    event: Literal["tracking"] = "tracking"
    data: Tracking


class ExpressionsEvent(Answer):
    """Expressions were switched on or off; all of them as they are now."""

    event: Literal["expressions"] = "expressions"
    data: list[Expression]


class QualityEvent(Answer):
    """Frames are made in another way."""

    event: Literal["quality"] = "quality"
    data: Quality


class CharacterEvent(Answer):
    """Another character is shown, or coming, or cannot be shown."""

    event: Literal["character"] = "character"
    data: ShownCharacter


class ObsEvent(Answer):
    """The connection to OBS came or went."""

    event: Literal["obs"] = "obs"
    data: Obs


class WarningsEvent(Answer):
    """What is wrong now; empty when all is well again."""

    event: Literal["warnings"] = "warnings"
    data: list[Alert]


Event = TrackingEvent | ExpressionsEvent | QualityEvent | CharacterEvent | ObsEvent | WarningsEvent
