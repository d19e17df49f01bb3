"""The WebSocket server: connections in, messages to the dispatcher, events out."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import Callable, Coroutine

from aiohttp import WSCloseCode, WSMsgType, web

from vtbridge.control.vts.consent import ConsentDesk, plugin_from
from vtbridge.control.vts.dispatch import TOKEN_REQUEST, Dispatcher
from vtbridge.control.vts.envelope import Request
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.event_desk import EventDesk
from vtbridge.control.vts.session import Session
from vtbridge.errors import PortInUse, VtbridgeError

log = logging.getLogger(__name__)

MAX_CLIENTS = 32
MAX_MESSAGE_BYTES = 1 << 20
MAX_WAITING = 256
"""Messages to one plugin that it has not taken yet."""

_SEND_PATIENCE_S = 5.0
_HEARTBEAT_S = 20.0
_SLOW = frozenset(("ParameterCreationRequest", "ParameterDeletionRequest"))
"""Requests that write a file."""
_TICK_S, _IDLE_TICK_S = 1 / 30, 0.1
_MAX_TASKS = 4


class VtsServer:
    """Serve plugins on one TCP port, all on one event loop.

    Args:
        dispatcher: answers them.
        consent: asks the user about those that are new.
        events: knows what to tell them.
    """

    def __init__(self, dispatcher: Dispatcher, consent: ConsentDesk, events: EventDesk) -> None:
        self._dispatcher = dispatcher
        self._consent = consent
        self._events = events
        self._clients: dict[_Client, None] = {}  # in the order in which they came
        self._ticker: asyncio.Task[None] | None = None
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        app.on_shutdown.append(self._hang_up)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._port = 0

    @property
    def port(self) -> int:
        """The TCP port in use, 0 before ``start``."""
        return self._port

    @property
    def connected(self) -> int:
        """How many plugins are connected."""
        return len(self._clients)

    async def start(self, host: str, port: int) -> None:
        """Begin to listen.

        Raises:
            PortInUse: another program has the port.
            VtbridgeError: it cannot be had for another reason.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(
                    f"TCP port {port} is taken, maybe by VTube Studio itself; close it, or set "
                    "another [control.vts] port here and in your plugins"
                ) from error
            raise VtbridgeError(
                f"TCP port {port} cannot be had ({error.strerror}); set another [control.vts] port"
            ) from error
        self._port = int(self._runner.addresses[0][1])
        self._ticker = asyncio.create_task(self._tick())

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        await self._runner.cleanup()

    def tell(self) -> None:
        """Send every plugin the events that have come up; on the server's loop."""
        for client in list(self._clients):
            for kind, request_id, data in self._events.take(client.session):
                client.offer(self._dispatcher.message(kind, request_id, data))

    async def _tick(self) -> None:
        """Renew what is injected where no tracker does, and look for events."""
        while True:
            try:
                injecting = self._dispatcher.services.faces.fill()
                self._events.look()
                self.tell()
            except Exception:
                log.exception("a step of VTube Studio's API failed; it goes on")
                injecting = False
            await asyncio.sleep(_TICK_S if injecting else _IDLE_TICK_S)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if not web.WebSocketResponse().can_prepare(request).ok:
            return web.Response(text="VTube Studio's API, by vtbridge: connect with a WebSocket\n")
        if not self._make_room():
            raise web.HTTPServiceUnavailable(text=f"{MAX_CLIENTS} plugins are connected already\n")
        socket = web.WebSocketResponse(
            compress=False, max_msg_size=MAX_MESSAGE_BYTES, heartbeat=_HEARTBEAT_S
        )
        client = _Client(socket, Session(origin=_stranger(request)))
        self._clients[client] = None
        self._events.welcome(client.session)
        try:
            await socket.prepare(request)
            client.start(request)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._hear(client, message.data)
                elif message.type is WSMsgType.BINARY:
                    await self._hear(client, message.data.decode("utf-8", "replace"))
        finally:
            self._clients.pop(client, None)
            self._events.dismiss(client.session)
            await client.stop()
        return socket

    def _make_room(self) -> bool:
        """Return whether another may connect; the oldest that is nobody yet goes for it."""
        if len(self._clients) < MAX_CLIENTS:
            return True
        strangers = (client for client in self._clients if client.session.plugin is None)
        oldest = next(strangers, None)
        if oldest is None:
            return False
        self._clients.pop(oldest)
        oldest.abort()
        return True

    async def _hear(self, client: _Client, text: str) -> None:
        parsed = self._dispatcher.parse(text)
        if isinstance(parsed, str):
            answer = parsed
        elif parsed.kind == TOKEN_REQUEST and not client.busy:
            client.begin(self._give_token(client, parsed))
            return
        elif parsed.kind == TOKEN_REQUEST:
            refusal = RefusedError(ErrorId.TOKEN_REQUEST_ONGOING, "you have asked already")
            answer = self._dispatcher.error(refusal, parsed.request_id)
        elif parsed.kind in _SLOW:
            answer = await asyncio.to_thread(self._dispatcher.answer, client.session, parsed)
        else:
            answer = self._dispatcher.answer(client.session, parsed)
        await client.reply(answer)
        self.tell()

    async def _give_token(self, client: _Client, request: Request) -> None:
        try:
            plugin = plugin_from(request.data)
            token = await self._consent.token_for(
                plugin, origin=client.session.origin, gone=lambda: client.gone
            )
        except RefusedError as refusal:
            answer = self._dispatcher.error(refusal, request.request_id)
        except VtbridgeError as error:
            log.warning("no plugin can be allowed: %s", error)
            return
        else:
            answer = self._dispatcher.message(
                "AuthenticationTokenResponse",
                request.request_id,
                {"authenticationToken": token},
            )
        await client.reply(answer)

    async def _hang_up(self, _app: web.Application) -> None:
        for client in list(self._clients):
            with contextlib.suppress(Exception):
                await client.socket.close(code=WSCloseCode.GOING_AWAY, message=b"vtbridge stops")


def _stranger(request: web.Request) -> str:
    """Return what tells that it is no program of this computer: a web page, another address."""
    if origin := request.headers.get("Origin", ""):
        return origin
    remote = request.remote or "an unknown address"
    return "" if remote.startswith("127.") else remote


class _Client:
    """One connection: its session, and a writer that no slow reader can hold up."""

    def __init__(self, socket: web.WebSocketResponse, session: Session) -> None:
        self.socket = socket
        self.session = session
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
        self._tasks: set[asyncio.Task[None]] = set()
        self.abort: Callable[[], None] = lambda: None
        self.gone = False

    def start(self, request: web.Request) -> None:
        transport = request.transport
        if transport is not None:
            self.abort = transport.abort
        self.begin(self._write())

    def begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def busy(self) -> bool:
        """True while it has enough going on."""
        return len(self._tasks) >= _MAX_TASKS

    async def stop(self) -> None:
        self.gone = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def offer(self, text: str) -> None:
        """Send an event; a plugin that takes none for too long is dropped."""
        try:
            self._outgoing.put_nowait(text)
        except asyncio.QueueFull:
            self._drop()

    async def reply(self, text: str) -> None:
        """Send an answer; a plugin that only asks and never reads is not heard meanwhile."""
        try:
            await asyncio.wait_for(self._outgoing.put(text), _SEND_PATIENCE_S)
        except TimeoutError:
            self._drop()

    def _drop(self) -> None:
        if not self.gone:
            self.gone = True
            log.warning(
                "plugin %s takes no messages; it is dropped", self.session.plugin or "(unknown)"
            )
        self.abort()

    async def _write(self) -> None:
        while True:
            text = await self._outgoing.get()
            try:
                await asyncio.wait_for(self.socket.send_str(text), _SEND_PATIENCE_S)
            except TimeoutError:
                self._drop()
                return
            except (ConnectionError, RuntimeError):  # it has hung up
                return
