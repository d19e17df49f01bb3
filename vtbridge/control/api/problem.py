"""Errors of the API, all in the shape of RFC 9457: what is wrong, and the remedy."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import ValidationError

from vtbridge.control.api.models import Problem, Wrong

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONTENT_TYPE = "application/problem+json"
_MAX_TOLD = 20
_DESCRIPTION = "GET /api/v1/openapi.json describes every request"


class Refusal(Exception):
    """A request that is not done, and why.

    Args:
        problem: what is told.
        headers: sent with it.
    """

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """Return it as a response."""
        return web.Response(
            status=self.problem.status,
            headers=self.headers,
            body=self.problem.model_dump_json().encode(),
            content_type=CONTENT_TYPE,
        )


def refusal(
    status: int,
    kind: str,
    title: str,
    detail: str,
    remedy: str,
    *,
    errors: Sequence[Wrong] = (),
    headers: Mapping[str, str] | None = None,
) -> Refusal:
    """Return a refusal; ``kind`` such as ``unknown-expression`` is for programs."""
    problem = Problem(
        type=f"urn:vtbridge:{kind}",
        title=title,
        status=status,
        detail=detail,
        remedy=remedy,
        errors=list(errors),
    )
    return Refusal(problem, headers)


def refusal_of_body(error: ValidationError) -> Refusal:
    """Return what tells the mistakes in a body: 400 if it is no JSON, else 422."""
    told = error.errors(include_url=False, include_context=False, include_input=False)
    errors = [
        Wrong(where=".".join(str(part)[:60] for part in one["loc"]), wrong=one["msg"][:200])
        for one in told[:_MAX_TOLD]
    ]
    if told[0]["type"] == "json_invalid":
        return refusal(
            400,
            "no-json",
            "The body is not JSON",
            errors[0].wrong,
            'send a JSON object such as {"action": "on"}, or {}',
            errors=errors,
        )
    return refusal(
        422,
        "wrong-body",
        "The body is not what this request takes",
        "; ".join(f"{one.where}: {one.wrong}" if one.where else one.wrong for one in errors[:3]),
        _DESCRIPTION,
        errors=errors,
    )


def unknown_expression(error: KeyError) -> Refusal:
    """Return what tells that there is no such expression."""
    return refusal(
        404,
        "unknown-expression",
        "There is no such expression",
        str(error.args[0]),
        "GET /api/v1/expressions lists those that there are",
    )


def unknown_character(error: KeyError) -> Refusal:
    """Return what tells that there is no such character."""
    return refusal(
        404,
        "unknown-character",
        "There is no such character",
        str(error.args[0]),
        "GET /api/v1/characters lists those that there are; [avatar] characters adds others",
    )


def middleware(headers: Mapping[str, str]) -> Middleware:
    """Return what makes every error a problem, and puts ``headers`` on every answer."""

    @web.middleware
    async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Refusal as refused:
            response = refused.response()
        except web.HTTPException as error:
            if error.status < 400:
                error.headers.update(headers)
                raise
            response = _refusal_of(error, request).response()
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            response = refusal(
                500,
                "failed",
                "vtbridge made a mistake",
                f"{request.method} {request.path[:100]} failed; the avatar goes on",
                "see what vtbridge printed in its terminal, and report it",
            ).response()
        if not response.prepared:
            response.headers.update(headers)
        return response

    return told


def _refusal_of(error: web.HTTPException, request: web.Request) -> Refusal:
    """Return what aiohttp refuses in our words."""
    what = f"{request.method} {request.path[:100]}"
    if error.status == 404:
        return refusal(404, "not-found", "There is no such thing", f"{what}: none", _DESCRIPTION)
    if error.status == 405:
        allowed = error.headers.get("Allow", "")
        return refusal(
            405,
            "wrong-method",
            "This takes another method",
            f"{what}: takes {allowed}",
            _DESCRIPTION,
            headers={"Allow": allowed},
        )
    if error.status == 413:
        return refusal(
            413, "too-large", "The body is too large", f"{what}: over 64 kB", "send less"
        )
    return refusal(error.status, "refused", error.reason, f"{what}: {error.reason}", _DESCRIPTION)
