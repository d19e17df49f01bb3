"""Everything below ``/api/v1`` but the preview, for aiohttp."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aiohttp import web

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.doctor_operations import admit
from vtbridge.control.api.events import MAX_MESSAGE_BYTES, PROTOCOL, SocketLimits, serve_events
from vtbridge.control.api.openapi import DOCUMENT_PATH, DRAWING_PATH, EVENTS_PATH, document
from vtbridge.control.api.operation import Operation
from vtbridge.control.api.operations import PREFIX, operations
from vtbridge.control.api.problem import Handler
from vtbridge.control.sockets import Sockets


def add_routes(
    app: web.Application, avatar: Avatar, limits: SocketLimits, sockets: Sockets
) -> None:
    """Let ``app`` answer for ``avatar``.

    Args:
        app: is behind the guard already.
        avatar: the one that runs.
        limits: how much WebSockets may say.
        sockets: counts those.
    """
    rows = operations(type(avatar.config()))
    for row in rows:
        app.router.add_route(row.method, PREFIX + row.path, _handler(avatar, row))
        if row.method == "GET":
            app.router.add_route("HEAD", PREFIX + row.path, _handler(avatar, row))
    app.router.add_get(DOCUMENT_PATH, _document_handler(rows))

    async def take_drawing(request: web.Request) -> web.StreamResponse:
        return await admit(avatar, request)

    app.router.add_put(DRAWING_PATH, take_drawing)

    async def events(request: web.Request) -> web.StreamResponse:
        def hang_up() -> None:
            if request.transport is not None:
                request.transport.abort()

        async with sockets.opened(request, PROTOCOL, max_bytes=MAX_MESSAGE_BYTES) as socket:
            await serve_events(avatar, socket, limits, hang_up)
        return socket

    app.router.add_get(EVENTS_PATH, events, allow_head=False)


def _handler(avatar: Avatar, row: Operation) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await row.run(avatar, request)

    return handle


def _document_handler(rows: Sequence[Operation]) -> Handler:
    body = b""  # of the first who asks: making it takes a tenth of a second

    async def handle(_request: web.Request) -> web.StreamResponse:
        nonlocal body
        body = body or json.dumps(document(rows)).encode()
        return web.Response(body=body, content_type="application/json")

    return handle
