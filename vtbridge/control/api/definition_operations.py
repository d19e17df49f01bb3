"""The requests for expressions as they are written: show, save, remove, try."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.definitions import (
    Definition,
    DefinitionDesk,
    PreviewOrder,
    ShownDefinition,
    WrongDefinition,
)
from vtbridge.control.api.models import NAME_PATTERN, Accepted, Wrong
from vtbridge.control.api.operation import Operation, body_of, json_response
from vtbridge.control.api.problem import refusal, unknown_expression
from vtbridge.errors import VtbridgeError

PATH = "/expressions/{name}/definition"
_BODY = (400, 413, 415, 422)

T = TypeVar("T")


def definition_operations() -> Sequence[Operation]:
    """Return the requests."""
    return (
        Operation(
            "GET",
            PATH,
            "definition",
            "An expression as it stands in expressions.toml.",
            _show,
            ShownDefinition,
            problems=(404, 409),
        ),
        Operation(
            "PUT",
            PATH,
            "saveDefinition",
            "Write an expression into the user's expressions.toml, and show it at once.",
            _save,
            Accepted,
            Definition,
            HTTPStatus.ACCEPTED,
            (409, *_BODY),
        ),
        Operation(
            "DELETE",
            PATH,
            "removeDefinition",
            "Take an expression out of the user's expressions.toml; a built-in one comes back.",
            _remove,
            Accepted,
            status=HTTPStatus.ACCEPTED,
            problems=(404, 409),
        ),
        Operation(
            "POST",
            "/expressions/{name}/preview",
            "previewDefinition",
            "Play a definition once, without saving it.",
            _preview,
            Accepted,
            PreviewOrder,
            HTTPStatus.ACCEPTED,
            (404, 409, *_BODY),
        ),
    )


async def _show(avatar: Avatar, request: web.Request) -> web.Response:
    desk, name = _desk_of(avatar), request.match_info["name"]
    return json_response(await _asked(lambda: desk.definition(name)))


async def _save(avatar: Avatar, request: web.Request) -> web.Response:
    desk, name = _desk_of(avatar), _new_name(request)
    definition = await body_of(request, Definition)
    await _asked(lambda: desk.save(name, definition))
    return json_response(Accepted(), HTTPStatus.ACCEPTED)


async def _remove(avatar: Avatar, request: web.Request) -> web.Response:
    desk, name = _desk_of(avatar), request.match_info["name"]
    await _asked(lambda: desk.remove(name))
    return json_response(Accepted(), HTTPStatus.ACCEPTED)


async def _preview(avatar: Avatar, request: web.Request) -> web.Response:
    desk, name = _desk_of(avatar), _new_name(request)
    wanted = await body_of(request, PreviewOrder)
    await _asked(lambda: desk.preview(name, wanted.definition))
    return json_response(Accepted(), HTTPStatus.ACCEPTED)


def _desk_of(avatar: Avatar) -> DefinitionDesk:
    if avatar.definitions is None:
        raise refusal(
            409,
            "expressions-elsewhere",
            "No expressions are edited here",
            "they are switched off, or another computer shows them",
            "set [expressions] enabled = true, or ask the vtbridge on the computer that renders",
        )
    return avatar.definitions


def _new_name(request: web.Request) -> str:
    name = request.match_info["name"]
    if re.fullmatch(NAME_PATTERN, name) is None:
        wrong = "expected a small letter, then small letters, digits or _, at most 32 in all"
        raise _wrong_definition([Wrong(where="name", wrong=wrong)])
    return name


async def _asked(ask: Callable[[], T]) -> T:
    """Return what ``ask`` does in a thread, for it reads and writes the disk.

    Raises:
        Refusal: it does not do it.
    """
    try:
        return await asyncio.to_thread(ask)
    except KeyError as error:
        raise unknown_expression(error) from error
    except WrongDefinition as error:
        raise _wrong_definition(error.errors) from error
    except VtbridgeError as error:
        raise refusal(
            409,
            "file-not-written",
            "The file of expressions cannot be used like that",
            str(error)[:2000],
            "correct expressions.toml where it says so, and ask again; nothing was written",
        ) from error


def _wrong_definition(errors: Sequence[Wrong]) -> Exception:
    return refusal(
        422,
        "wrong-body",
        "The expression cannot be like that",
        str(WrongDefinition(errors)),
        "correct these fields; GET /api/v1/openapi.json describes all of them",
        errors=errors,
    )
