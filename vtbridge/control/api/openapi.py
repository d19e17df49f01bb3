"""The API's description, OpenAPI 3.1, made from the rows and classes that serve it.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from vtbridge import __version__
from vtbridge.control.api.messages import Command, Event, Reply
from vtbridge.control.api.models import NAME_PATTERN, Problem
from vtbridge.control.api.operation import Operation
from vtbridge.control.api.operations import PREFIX as PREFIX
from vtbridge.control.api.problem import CONTENT_TYPE

EVENTS_PATH = f"{PREFIX}/events"
PREVIEW_PATH = f"{PREFIX}/preview"
DRAWING_PATH = f"{PREFIX}/doctor/drawing"
"""Takes drawings from the page; what goes over it is no JSON, so it is not described."""
DOCUMENT_PATH = f"{PREFIX}/openapi.json"
_REF = "#/components/schemas/{model}"
_EVERY_REQUEST = (401, 403, 429, 500)
_PROBLEMS: Mapping[int, str] = {
    400: "The body is not JSON.",
    401: "The token is missing or wrong.",
    403: "Asked from another site or under another name than loopback's.",
    404: "There is no such thing.",
    409: "It cannot be done as things are.",
    413: "The body is over 64 kB.",
    415: "The body is not announced as application/json.",
    422: "The body is not what this request takes.",
    426: "This is a WebSocket.",
    429: "Too many in one second.",
    500: "vtbridge made a mistake.",
    503: "Too many WebSockets are open.",
}
_ABOUT = """\
Control a running avatar. It answers on loopback only; the token lies in a file of the
user's state folder and goes into `Authorization: Bearer TOKEN`. At most ten
orders a second; they take effect with the next frame.
"""
_EVENTS = """\
Events as JSON text messages: each kind once after connecting, then whenever something changes.
Send commands with an `id` of yours; the answer carries it. The token goes into `Authorization`
or, from a browser, into a subprotocol `token.TOKEN` beside `vtbridge.v1`. Who does not read is
hung up on.
"""


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the description of ``operations`` and of the WebSocket for events."""
    modes: list[tuple[type[BaseModel], Literal["validation", "serialization"]]] = []
    for one in operations:
        if one.body is not None:
            modes.append((one.body, "validation"))
        if one.answer is not None:
            modes.append((one.answer, "serialization"))
    modes += [(Problem, "serialization"), (Reply, "serialization")]
    references, definitions = models_json_schema(list(dict.fromkeys(modes)), ref_template=_REF)
    schemas: dict[str, Any] = dict(definitions.get("$defs", {}))
    message = _with_definitions(schemas, TypeAdapter(Event | Reply), "serialization")
    schemas["EventsMessage"] = message
    schemas["EventsCommand"] = _with_definitions(schemas, TypeAdapter(Command), "validation")
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        body = None if one.body is None else references[one.body, "validation"]
        answer = None if one.answer is None else references[one.answer, "serialization"]
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _described(one, body, answer)
    paths[EVENTS_PATH] = {"get": _events()}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "vtbridge",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    }


def _with_definitions(
    schemas: dict[str, Any], adapter: TypeAdapter[Any], mode: Literal["validation", "serialization"]
) -> dict[str, Any]:
    """Return the schema of a union, and put those of its parts beside the others."""
    schema = adapter.json_schema(mode=mode, ref_template=_REF)
    for name, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(name, definition)
    return schema


def _described(
    operation: Operation, body: dict[str, Any] | None, answer: dict[str, Any] | None
) -> dict[str, Any]:
    success: dict[str, Any] = {operation.media: {"schema": {"type": "string"}}}
    if answer is not None:
        success = {"application/json": {"schema": answer}}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {
            str(int(operation.status)): {
                "description": HTTPStatus(operation.status).phrase,
                "content": success,
            },
            **_refused((*_EVERY_REQUEST, *operation.problems)),
        },
    }
    if "{name}" in operation.path:
        described["parameters"] = [
            {
                "name": "name",
                "in": "path",
                "required": True,
                "description": "Of the expression.",
                "schema": {"type": "string", "pattern": NAME_PATTERN},
            }
        ]
    if body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    return described


def _events() -> dict[str, Any]:
    return {
        "operationId": "events",
        "summary": "State changes as they come, and commands, over a WebSocket.",
        "description": _EVENTS,
        "x-websocket": {
            "sends": {"$ref": _REF.format(model="EventsMessage")},
            "takes": {"$ref": _REF.format(model="EventsCommand")},
        },
        "responses": {
            "101": {"description": HTTPStatus.SWITCHING_PROTOCOLS.phrase},
            **_refused((*_EVERY_REQUEST, 426, 503)),
        },
    }


def _refused(statuses: Iterable[int]) -> dict[str, Any]:
    content = {CONTENT_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {
        str(status): {"description": _PROBLEMS[status], "content": content}
        for status in sorted(statuses)
    }
