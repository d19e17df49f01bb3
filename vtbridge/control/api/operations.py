"""Every request of the API: how it is asked, what runs, and what is answered.

One row serves both the server and the OpenAPI document, so that they cannot differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web
from pydantic import BaseModel

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.config_operations import config_operations
from vtbridge.control.api.definition_operations import definition_operations
from vtbridge.control.api.doctor_operations import doctor_operations
from vtbridge.control.api.metrics import CONTENT_TYPE as METRICS_TYPE
from vtbridge.control.api.metrics import exposition
from vtbridge.control.api.models import (
    CharacterOrder,
    Characters,
    Expression,
    Expressions,
    Health,
    Nothing,
    Quality,
    QualityOrder,
    ShownCharacter,
    Status,
    SwitchOrder,
    Trackers,
)
from vtbridge.control.api.obs_operations import obs_operations
from vtbridge.control.api.operation import Operation, get, json_response, order
from vtbridge.control.api.orders import HTTP, set_quality, show, switch
from vtbridge.control.api.poser_operations import poser_operations
from vtbridge.control.api.problem import unknown_expression

PREFIX = "/api/v1"


def operations(config: type[BaseModel]) -> Sequence[Operation]:
    """Return all requests; ``config`` is the class of ``Avatar.config``."""
    return (
        get("/status", "status", "The whole state.", Status, lambda avatar: avatar.status()),
        get(
            "/health",
            "health",
            "Whether the avatar is live, ready, and what is wrong.",
            Health,
            lambda avatar: health_of(avatar.status()),
        ),
        get(
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
        get(
            "/character",
            "character",
            "Which character is shown, and which one is coming.",
            ShownCharacter,
            lambda avatar: avatar.character(),
        ),
        order(
            "PUT",
            "/character",
            "showCharacter",
            "Show another character, as soon as it is ready; the last one asked for wins.",
            CharacterOrder,
            lambda avatar, _names, wanted: show(avatar, wanted.name),
            problems=(404,),
        ),
        Operation(
            "GET",
            "/metrics",
            "metrics",
            "Figures for Prometheus, in its text format.",
            _metrics,
            None,
        ),
        get(
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
        order(
            "POST",
            "/expressions/{name}",
            "switchExpression",
            "Switch an expression; the other way, unless told which.",
            SwitchOrder,
            lambda avatar, names, wanted: switch(avatar, names["name"], wanted.action, by=HTTP),
            problems=(404,),
        ),
        order(
            "POST",
            "/clear-expressions",
            "clearExpressions",
            "Switch all expressions off.",
            Nothing,
            lambda avatar, _names, _order: avatar.clear(),
        ),
        order(
            "POST",
            "/calibrate",
            "calibrate",
            "Take the face of the next second as the neutral one.",
            Nothing,
            lambda avatar, _names, _order: avatar.calibrate(),
        ),
        order(
            "POST",
            "/look",
            "look",
            "Say that somebody looks, so that frames are made for the next three seconds.",
            Nothing,
            lambda avatar, _names, _order: avatar.look(),
        ),
        get(
            "/quality",
            "quality",
            "How frames are made just now.",
            Quality,
            lambda avatar: avatar.quality(),
        ),
        order(
            "PUT",
            "/quality",
            "setQuality",
            "Want another quality.",
            QualityOrder,
            lambda avatar, _names, wanted: set_quality(avatar, wanted.quality),
            problems=(409,),
        ),
        *definition_operations(),
        *obs_operations(),
        *config_operations(config),
        *poser_operations(),
        *doctor_operations(),
    )


def health_of(status: Status) -> Health:
    """Return how an avatar is; one that only tracks knows no more than whether it sees a face."""
    if status.health is not None:
        return status.health
    degraded = [] if status.tracked else ["tracker_lost"]
    return Health(live=True, ready=not status.stopped, degraded=degraded, heartbeat_age_s=0.0)


async def _characters(avatar: Avatar, _request: web.Request) -> web.Response:
    return json_response(await asyncio.to_thread(avatar.characters))  # it reads the disk


async def _expression(avatar: Avatar, request: web.Request) -> web.Response:
    name = request.match_info["name"]
    for one in avatar.expressions().expressions:
        if one.name == name:
            return json_response(one)
    raise unknown_expression(KeyError(f"no expression is called {name!r:.60}"))


async def _metrics(avatar: Avatar, _request: web.Request) -> web.Response:
    return web.Response(body=exposition(avatar).encode(), headers={"Content-Type": METRICS_TYPE})
