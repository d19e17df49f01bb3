"""Every request of the API: how it is asked, what runs, and what is answered.

One row serves both the server and the OpenAPI document, so that they cannot differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.metrics import CONTENT_TYPE as METRICS_TYPE
from vtbridge.control.api.metrics import exposition
from vtbridge.control.api.models import (
    Accepted,
    CharacterOrder,
    Characters,
    Expression,
    Expressions,
    Nothing,
    Quality,
    QualityOrder,
    ShownCharacter,
    Status,
    SwitchOrder,
    Trackers,
)
from vtbridge.control.api.orders import HTTP, set_quality, show, switch
from vtbridge.control.api.problem import refusal_of_body, unknown_expression

PREFIX = "/api/v1"

Run = Callable[[Avatar, web.Request], Awaitable[web.Response]]
B = TypeVar("B", bound=BaseModel)
A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Operation:
    """One request.

    Attributes:
        method: ``GET``, ``POST``, ``PUT``.
        path: below ``PREFIX``; ``{name}`` is that of an expression.
        name: for programs that are made from the description.
        summary: one sentence.
        run: answers.
        answer: what a success carries; None = text.
        body: what is sent, None if nothing is.
        status: of a success.
        problems: statuses of refusals beyond those that every request knows.
    """

    method: str
    path: str
    name: str
    summary: str
    run: Run
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    status: int = HTTPStatus.OK
    problems: tuple[int, ...] = ()


def operations(config: type[BaseModel]) -> Sequence[Operation]:
    """Return all requests; ``config`` is the class of ``Avatar.config``."""
    return (
        _get("/status", "status", "The whole state.", Status, lambda avatar: avatar.status()),
        _get(
            "/trackers",
            "trackers",
            "Who sends faces, how well, and what they see.",
            Trackers,
            lambda avatar: avatar.trackers(),
        ),
        Operation(
            "GET",
            "/characters",
            "characters",
            "The characters on this computer, and which one is shown.",
            _characters,
            Characters,
        ),
        _get(
            "/character",
            "character",
            "Which character is shown, and which one is coming.",
            ShownCharacter,
            lambda avatar: avatar.character(),
        ),
        _order(
            "PUT",
            "/character",
            "showCharacter",
            "Show another character, as soon as it is ready; the last one asked for wins.",
            CharacterOrder,
            lambda avatar, _names, order: show(avatar, order.name),
            problems=(404,),
        ),
        _get(
            "/config",
            "config",
            "The settings that hold, as in config.toml; secrets are not among them.",
            config,
            lambda avatar: avatar.config(),
        ),
        Operation(
            "GET",
            "/metrics",
            "metrics",
            "Figures for Prometheus, in its text format.",
            _metrics,
            None,
        ),
        _get(
            "/expressions",
            "expressions",
            "All expressions with their states.",
            Expressions,
            lambda avatar: avatar.expressions(),
        ),
        Operation(
            "GET",
            "/expressions/{name}",
            "expression",
            "One expression with its state.",
            _expression,
            Expression,
            problems=(404,),
        ),
        _order(
            "POST",
            "/expressions/{name}",
            "switchExpression",
            "Switch an expression; the other way, unless told which.",
            SwitchOrder,
            lambda avatar, names, order: switch(avatar, names["name"], order.action, by=HTTP),
            problems=(404,),
        ),
        _order(
            "POST",
            "/clear-expressions",
            "clearExpressions",
            "Switch all expressions off.",
            Nothing,
            lambda avatar, _names, _order: avatar.clear(),
        ),
        _order(
            "POST",
            "/calibrate",
            "calibrate",
            "Take the face of the next second as the neutral one.",
            Nothing,
            lambda avatar, _names, _order: avatar.calibrate(),
        ),
        _order(
            "POST",
            "/look",
            "look",
            "Say that somebody looks, so that frames are made for the next three seconds.",
            Nothing,
            lambda avatar, _names, _order: avatar.look(),
        ),
        _get(
            "/quality",
            "quality",
            "How frames are made just now.",
            Quality,
            lambda avatar: avatar.quality(),
        ),
        _order(
            "PUT",
            "/quality",
            "setQuality",
            "Want another quality.",
            QualityOrder,
            lambda avatar, _names, order: set_quality(avatar, order.quality),
            problems=(409,),
        ),
    )


def _get(
    path: str, name: str, summary: str, answer: type[A], read: Callable[[Avatar], A]
) -> Operation:
    async def run(avatar: Avatar, _request: web.Request) -> web.Response:
        return _json(read(avatar))

    return Operation("GET", path, name, summary, run, answer)


def _order(
    method: str,
    path: str,
    name: str,
    summary: str,
    body: type[B],
    do: Callable[[Avatar, Mapping[str, str], B], Awaitable[None] | None],
    *,
    problems: tuple[int, ...] = (),
) -> Operation:
    async def run(avatar: Avatar, request: web.Request) -> web.Response:
        try:
            order = body.model_validate_json(await request.read() or b"{}")
        except ValidationError as error:
            raise refusal_of_body(error) from error
        doing = do(avatar, request.match_info, order)
        if doing is not None:
            await doing
        return _json(Accepted(), HTTPStatus.ACCEPTED)

    return Operation(
        method,
        path,
        name,
        summary,
        run,
        Accepted,
        body,
        HTTPStatus.ACCEPTED,
        (400, 413, 415, 422, *problems),
    )


async def _characters(avatar: Avatar, _request: web.Request) -> web.Response:
    return _json(await asyncio.to_thread(avatar.characters))  # it reads the disk


async def _expression(avatar: Avatar, request: web.Request) -> web.Response:
    name = request.match_info["name"]
    for one in avatar.expressions().expressions:
        if one.name == name:
            return _json(one)
    raise unknown_expression(KeyError(f"no expression is called {name!r:.60}"))


async def _metrics(avatar: Avatar, _request: web.Request) -> web.Response:
    return web.Response(body=exposition(avatar).encode(), headers={"Content-Type": METRICS_TYPE})


def _json(answer: BaseModel, status: int = HTTPStatus.OK) -> web.Response:
    return web.Response(
        status=status, body=answer.model_dump_json().encode(), content_type="application/json"
    )
