"""The page on loopback: live preview, state, and the few commands there are."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from aiohttp import WSMsgType, web

from vtbridge.clock import Clock, MonotonicClock
from vtbridge.control.http_guard import WEBSOCKET_PROTOCOL, Guard, Handler
from vtbridge.control.preview import PreviewHub
from vtbridge.datatypes import Frame
from vtbridge.errors import PortInUse

log = logging.getLogger(__name__)

_STUDIO = Path(__file__).parent / "studio"
_MAX_BODY_BYTES = 64 * 1024
_STATUS_PERIOD_S = 0.5

Status = Callable[[], Mapping[str, object]]
Commands = Mapping[str, Callable[[], None]]


class ControlServer:
    """Serve the page and its API on 127.0.0.1.

    Args:
        port: TCP port, 0 for any free one.
        token: what a program must send to see or command anything.
        status: called on the event loop; a JSON object of the daemon's state.
        commands: name to what ``POST /api/NAME`` does; must return at once.
        clock: for the rate limit.
        views: name to what ``GET /api/NAME`` answers, as ``status``: more of the state than
            a page wants twice a second.
    """

    def __init__(
        self,
        port: int,
        token: str,
        status: Status,
        commands: Commands,
        clock: Clock | None = None,
        *,
        views: Mapping[str, Status] | None = None,
    ) -> None:
        self._wanted_port = port
        self._token = token
        self._status = status
        self._commands = commands
        self._hub = PreviewHub()
        self._sockets: set[web.WebSocketResponse] = set()
        app = web.Application(
            middlewares=[Guard(token, clock or MonotonicClock()).middleware()],
            client_max_size=_MAX_BODY_BYTES,
        )
        app.router.add_get("/", self._get_page)
        app.router.add_get("/api/status", self._get_status)
        app.router.add_get("/api/preview", self._get_preview)
        for name, view in (views or {}).items():
            app.router.add_get(f"/api/{name}", _get_view(view))
        app.router.add_post("/api/{command}", self._post_command)
        app.router.add_static("/studio/", _STUDIO)
        app.on_shutdown.append(self._close_sockets)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._port = 0

    @property
    def url(self) -> str:
        """The page's address with its token, which stays in the browser (a fragment)."""
        return f"http://127.0.0.1:{self._port}/#token={self._token}"

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
        for socket in list(self._sockets):
            await socket.close(message=b"vtbridge is stopping")

    async def _get_page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(_STUDIO / "index.html")

    async def _get_status(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(dict(self._status()))

    async def _post_command(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["command"]
        command = self._commands.get(name)
        if command is None:
            known = ", ".join(sorted(self._commands))
            raise web.HTTPNotFound(text=f"no command {name!r}; there are: {known}\n")
        command()
        return web.json_response({"ok": True})

    async def _get_preview(self, request: web.Request) -> web.StreamResponse:
        """Answer each text message with the next frame; push the state twice a second."""
        socket = web.WebSocketResponse(
            protocols=(WEBSOCKET_PROTOCOL,), compress=False, max_msg_size=1024, heartbeat=5.0
        )
        await socket.prepare(request)
        self._sockets.add(socket)
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
            self._sockets.discard(socket)
            for task in filter(None, (status, frames)):
                task.cancel()
            await asyncio.gather(*filter(None, (status, frames)), return_exceptions=True)
        return socket

    async def _push_status(self, socket: web.WebSocketResponse) -> None:
        while not socket.closed:
            await socket.send_str(json.dumps(dict(self._status())))
            await asyncio.sleep(_STATUS_PERIOD_S)


def _get_view(view: Status) -> Handler:
    async def get(_request: web.Request) -> web.StreamResponse:
        return web.json_response(dict(view()))

    return get
