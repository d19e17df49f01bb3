"""The server on loopback: the page with its live preview, and the API below ``/api/v1``."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from aiohttp import WSMsgType, web

from vtbridge.clock import Clock, MonotonicClock
from vtbridge.control.address import ControlAddress, page_url
from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.events import SocketLimits
from vtbridge.control.api.openapi import PREVIEW_PATH
from vtbridge.control.api.problem import middleware
from vtbridge.control.api.routes import add_routes
from vtbridge.control.http_guard import SECURITY_HEADERS, Guard
from vtbridge.control.preview import PROTOCOL, PreviewHub
from vtbridge.control.rate_limit import RateLimit
from vtbridge.control.sockets import Sockets
from vtbridge.datatypes import Frame
from vtbridge.errors import PortInUse

# What is no HTTP is answered, but costs no lines in the log: anything on this computer may send it.
_NO_HTTP = logging.getLogger(f"{__name__}.no_http")
_NO_HTTP.disabled = True

ORDERS_PER_S = 10
READS_PER_S = 200

_STUDIO = Path(__file__).parent / "studio"
_MAX_BODY_BYTES = 64 * 1024
_MAX_PULL_BYTES = 1024
_STATUS_PERIOD_S = 0.5


class ControlServer:
    """Serve the page and the API on 127.0.0.1.

    Args:
        port: TCP port, 0 for any free one.
        token: what a program must send to see or command anything.
        avatar: is shown and commanded.
        clock: for the rate limits.
        orders_per_s: so many are taken.
    """

    def __init__(
        self,
        port: int,
        token: str,
        avatar: Avatar,
        clock: Clock | None = None,
        *,
        orders_per_s: int = ORDERS_PER_S,
    ) -> None:
        self._wanted_port = port
        self._token = token
        self._avatar = avatar
        self._hub = PreviewHub()
        self._sockets = Sockets()
        clock = clock or MonotonicClock()
        orders = RateLimit("orders", orders_per_s, clock)
        guard = Guard(token, orders=orders, reads=RateLimit("requests", READS_PER_S, clock))
        app = web.Application(
            middlewares=[middleware(SECURITY_HEADERS), guard.middleware()],
            client_max_size=_MAX_BODY_BYTES,
        )
        app.router.add_get("/", self._get_page)
        app.router.add_static("/studio/", _STUDIO)
        app.router.add_get(PREVIEW_PATH, self._get_preview, allow_head=False)
        limits = SocketLimits(RateLimit("messages", READS_PER_S, clock), orders)
        add_routes(app, avatar, limits, self._sockets)
        app.on_shutdown.append(self._close_sockets)
        self._runner = web.AppRunner(app, access_log=None, logger=_NO_HTTP, shutdown_timeout=1.0)
        self._port = 0

    @property
    def url(self) -> str:
        """The page's address with its token, which stays in the browser (a fragment)."""
        return page_url(ControlAddress(self._port, self._token))

    @property
    def port(self) -> int:
        """The TCP port in use, 0 before ``start``."""
        return self._port

    @property
    def watched(self) -> bool:
        """True while a page waits for a frame; safe from any thread."""
        return self._hub.watched

    def offer(self, frame: Frame) -> None:
        """Show ``frame`` to the pages that are open; safe from any thread."""
        self._hub.offer(frame)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            PortInUse: another program has the port.
        """
        self._hub.attach(asyncio.get_running_loop())
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._wanted_port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise PortInUse(
                f"TCP port {self._wanted_port} on 127.0.0.1 cannot be had ({error.strerror}); "
                "set another [control] http_port, or 0 for any free one"
            ) from error
        self._port = int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening and hang up."""
        await self._runner.cleanup()

    async def _close_sockets(self, _app: web.Application) -> None:
        await self._sockets.close()

    async def _get_page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(_STUDIO / "index.html")

    async def _get_preview(self, request: web.Request) -> web.StreamResponse:
        """Answer each text message with the next frame; push the state twice a second."""
        async with self._sockets.opened(request, PROTOCOL, max_bytes=_MAX_PULL_BYTES) as socket:
            status = asyncio.create_task(self._push_status(socket))
            frames: asyncio.Task[None] | None = None
            seen = 0

            async def send_next() -> None:
                nonlocal seen
                seen, message = await self._hub.wait_newer(seen)
                await socket.send_bytes(message)

            try:
                async for message in socket:
                    if message.type is not WSMsgType.TEXT:
                        break
                    if frames is None or frames.done():
                        frames = asyncio.create_task(send_next())
            finally:
                for task in filter(None, (status, frames)):
                    task.cancel()
                await asyncio.gather(*filter(None, (status, frames)), return_exceptions=True)
        return socket

    async def _push_status(self, socket: web.WebSocketResponse) -> None:
        while not socket.closed:
            await socket.send_str(self._avatar.status().model_dump_json())
            await asyncio.sleep(_STATUS_PERIOD_S)
