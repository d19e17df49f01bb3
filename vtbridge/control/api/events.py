"""State changes as they come, and commands, over a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from aiohttp import WSMsgType, web
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.messages import (
    CharacterEvent,
    Command,
    Event,
    ExpressionsEvent,
    ObsEvent,
    PoseCommand,
    QualityEvent,
    Reply,
    TrackingEvent,
    WarningsEvent,
)
from vtbridge.control.api.orders import obey
from vtbridge.control.api.problem import Refusal, refusal_of_body
from vtbridge.control.rate_limit import RateLimit

log = logging.getLogger(__name__)

PROTOCOL = "vtbridge.v1"
MAX_MESSAGE_BYTES = 64 * 1024
PATIENCE_S = 5.0
"""How long a client may leave what it is told unread."""

_LOOK_EVERY_S = 0.1
_NUMBERS = itertools.count(1)
_COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """How much the sockets may say.

    Attributes:
        messages: of all kinds.
        orders: of those that are no poses; shared with the requests.
    """

    messages: RateLimit
    orders: RateLimit


async def serve_events(
    avatar: Avatar,
    socket: web.WebSocketResponse,
    limits: SocketLimits,
    hang_up: Callable[[], None],
) -> None:
    """Tell what changes and obey until the client leaves.

    Args:
        avatar: is told of and commanded.
        socket: open.
        limits: how much it may say.
        hang_up: ends the connection of a client that does not read.
    """
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(changed.set)

    async def send(message: BaseModel) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await socket.send_str(message.model_dump_json())
        except TimeoutError:
            hang_up()
            raise ConnectionResetError("the client does not read") from None

    async def tell() -> None:
        told: dict[str, Hashable] = {}
        try:
            while True:
                changed.clear()
                for event, essence in _events(avatar):
                    if told.get(event.event) != essence:
                        await send(event)
                        told[event.event] = essence
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _LOOK_EVERY_S)
        except ConnectionError:
            pass  # the client has left
        except Exception:
            log.exception("events cannot be told any more; the client is hung up on")
            hang_up()

    holder = f"websocket-{next(_NUMBERS)}"
    unsubscribe = avatar.subscribe(wake)
    telling = asyncio.create_task(tell())
    try:
        with contextlib.suppress(ConnectionError):
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
                await send(await reply_to(avatar, message.data, limits, holder))
    finally:
        unsubscribe()
        if avatar.poser is not None:
            avatar.poser.release(holder)  # a page that is gone holds nothing
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def reply_to(avatar: Avatar, text: str, limits: SocketLimits, holder: str) -> Reply:
    """Do what a client says, and return the answer to it.

    Args:
        avatar: is commanded.
        text: a command.
        limits: how much may be said.
        holder: of the poses that this client sends.
    """
    try:
        limits.messages.take()
        command = _COMMAND.validate_json(text)
        if not isinstance(command, PoseCommand):  # a slider that is dragged sends one a frame
            limits.orders.take()
        return Reply(id=command.id, ok=True, status=await obey(avatar, command, holder))
    except ValidationError as error:
        refused = refusal_of_body(error)
    except Refusal as error:
        refused = error
    return Reply(id=_id_of(text), ok=False, problem=refused.problem)


class _Identified(BaseModel):
    model_config = ConfigDict(strict=True)

    id: str | int


def _id_of(text: str) -> str | int | None:
    """Return the id of a command that is wrong, so that its sender knows which."""
    try:
        return _Identified.model_validate_json(text).id
    except ValidationError:
        return None


def _events(avatar: Avatar) -> Iterator[tuple[Event, Hashable]]:
    """Yield the newest event of each kind, and what of it is worth telling again."""
    tracking, quality, obs = avatar.tracking(), avatar.quality(), avatar.obs()
    character = avatar.character()
    expressions, warnings = avatar.expressions().expressions, avatar.warnings()
    yield TrackingEvent(data=tracking), tracking.model_dump_json()
    # Their amounts change at every frame while they fade: who needs those asks.
    switched = tuple((one.name, one.active, *one.triggers) for one in expressions)
    yield ExpressionsEvent(data=expressions), switched
    yield QualityEvent(data=quality), quality.model_dump_json()
    yield CharacterEvent(data=character), character.model_dump_json()
    yield ObsEvent(data=obs), obs.model_dump_json()
    essence = tuple((one.about, one.text) for one in warnings)
    yield WarningsEvent(data=warnings), essence
