"""What orders do, the same by HTTP and by WebSocket."""

from __future__ import annotations

import asyncio

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.messages import (
    CalibrateCommand,
    CharacterCommand,
    ClearCommand,
    Command,
    PoseCommand,
    QualityCommand,
    ReleasePoseCommand,
    StatusCommand,
    SwitchCommand,
)
from vtbridge.control.api.models import Action, QualityName, Status
from vtbridge.control.api.poser_operations import hold, release
from vtbridge.control.api.problem import refusal, unknown_character, unknown_expression

HTTP, WEBSOCKET = "http", "websocket"
"""Who switched an expression, as its state tells."""


def switch(avatar: Avatar, name: str, action: Action, *, by: str) -> None:
    """Switch an expression.

    Raises:
        Refusal: there is none of that name.
    """
    try:
        avatar.switch(name, action, by=by)
    except KeyError as error:
        raise unknown_expression(error) from error


def set_quality(avatar: Avatar, quality: QualityName) -> None:
    """Want another quality.

    Raises:
        Refusal: there is none to choose.
    """
    if quality not in avatar.quality().choices:
        raise refusal(
            409,
            "quality-is-fixed",
            "No quality can be chosen here",
            "the character is shown as it was prepared, or another computer makes the frames",
            "start vtbridge with --quality auto, exact, balanced or fast where frames are made",
        )
    avatar.set_quality(quality)


async def show(avatar: Avatar, name: str) -> None:
    """Show another character.

    Raises:
        Refusal: there is none of that name.
    """
    try:
        await asyncio.to_thread(avatar.show, name)  # it reads the disk
    except KeyError as error:
        raise unknown_character(error) from error


async def obey(avatar: Avatar, command: Command, holder: str) -> Status | None:
    """Do what a WebSocket's command says, and return what it asked for.

    Args:
        avatar: is commanded.
        command: from the socket.
        holder: of the pose that the socket sends.

    Raises:
        Refusal: it cannot be done.
    """
    match command:
        case SwitchCommand():
            switch(avatar, command.name, command.action, by=WEBSOCKET)
        case ClearCommand():
            avatar.clear()
        case CalibrateCommand():
            avatar.calibrate()
        case QualityCommand():
            set_quality(avatar, command.quality)
        case PoseCommand():
            hold(avatar, command.pose, holder)
        case ReleasePoseCommand():
            release(avatar, None)
        case CharacterCommand():
            await show(avatar, command.name)
        case StatusCommand():
            return avatar.status()
    return None
