"""The WebSockets that are open: not too many at once, and all hung up at the end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from vtbridge.control.api.problem import refusal

MAX_OPEN = 16
_HEARTBEAT_S = 5.0


class Sockets:
    """Open WebSockets, and keep count of them."""

    def __init__(self) -> None:
        self._open: set[web.WebSocketResponse] = set()

    @contextlib.asynccontextmanager
    async def opened(
        self, request: web.Request, protocol: str, *, max_bytes: int
    ) -> AsyncIterator[web.WebSocketResponse]:
        """Answer ``request`` with a WebSocket.

        Args:
            request: asks for one.
            protocol: the subprotocol that is spoken; who names others must name it too.
            max_bytes: the longest message taken.

        Raises:
            Refusal: it asks for something else, or there are too many.
        """
        socket = web.WebSocketResponse(
            protocols=(protocol,), compress=False, max_msg_size=max_bytes, heartbeat=_HEARTBEAT_S
        )
        # aiohttp would log what is offered instead, and the token is among it.
        offered = request.headers.get("Sec-WebSocket-Protocol")
        if offered is not None and protocol not in map(str.strip, offered.split(",")):
            raise refusal(
                400,
                "other-protocol",
                "The WebSocket is asked to speak something else",
                f"it speaks {protocol}",
                f"name {protocol} among the subprotocols, or none",
            )
        if not socket.can_prepare(request):
            raise refusal(
                426,
                "websocket-only",
                "This is a WebSocket",
                f"{request.path} was asked for a page",
                "connect with a WebSocket client",
                headers={"Upgrade": "websocket", "Connection": "Upgrade"},
            )
        if len(self._open) >= MAX_OPEN:
            raise refusal(
                503,
                "too-many-sockets",
                "Too many WebSockets are open",
                f"{MAX_OPEN} of them are open",
                "close a page or a program that you do not need",
            )
        self._open.add(socket)
        try:
            await socket.prepare(request)
            yield socket
        finally:
            self._open.discard(socket)

    async def close(self) -> None:
        """Hang up on all of them."""
        for socket in list(self._open):
            if socket.prepared:
                await socket.close(message=b"vtbridge is stopping")
