"""One request of the API: how it is asked, what runs, and what is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.models import Accepted
from vtbridge.control.api.problem import refusal_of_body

Run = Callable[[Avatar, web.Request], Awaitable[web.Response]]
B = TypeVar("B", bound=BaseModel)
A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Operation:
    """One request.

    Attributes:
        method: ``GET``, ``POST``, ``PUT``, ``DELETE``.
        path: below ``PREFIX``; ``{name}`` is that of an expression.
        name: for programs that are made from the description.
        summary: one sentence.
        run: answers.
        answer: what a success carries; None = what ``media`` says.
        body: what is sent, None if nothing is.
        status: of a success.
        problems: statuses of refusals beyond those that every request knows.
        media: of an answer that is no JSON.
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
    media: str = "text/plain"


def get(
    path: str,
    name: str,
    summary: str,
    answer: type[A],
    read: Callable[[Avatar], A],
    *,
    problems: tuple[int, ...] = (),
) -> Operation:
    """Return a request that only reads."""

    async def run(avatar: Avatar, _request: web.Request) -> web.Response:
        return json_response(read(avatar))

    return Operation("GET", path, name, summary, run, answer, problems=problems)


def order(
    method: str,
    path: str,
    name: str,
    summary: str,
    body: type[B],
    do: Callable[[Avatar, Mapping[str, str], B], Awaitable[None] | None],
    *,
    problems: tuple[int, ...] = (),
) -> Operation:
    """Return a request that orders; it takes effect with the next frame."""

    async def run(avatar: Avatar, request: web.Request) -> web.Response:
        doing = do(avatar, request.match_info, await body_of(request, body))
        if doing is not None:
            await doing
        return json_response(Accepted(), HTTPStatus.ACCEPTED)

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


async def body_of(request: web.Request, kind: type[B]) -> B:
    """Return what ``request`` carries.

    Raises:
        Refusal: it is no JSON, or not of that kind.
    """
    try:
        return kind.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        raise refusal_of_body(error) from error


def json_response(answer: BaseModel, status: int = HTTPStatus.OK) -> web.Response:
    """Return ``answer`` as JSON."""
    return web.Response(
        body=answer.model_dump_json().encode(), status=status, content_type="application/json"
    )
