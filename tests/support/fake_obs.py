"""An obs-websocket server that misbehaves on demand; one thread, loopback only."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import WSCloseCode, WSMsgType, web

AUTHENTICATION_FAILED = 4009
SESSION_INVALIDATED = 4011
SALT, CHALLENGE = "salt", "challenge"


class Drop(Exception):
    """Raised by a handler: break the connection instead of answering."""


class Refuse(Exception):
    """Raised by a handler: answer with an error code."""

    def __init__(self, code: int, comment: str = "") -> None:
        super().__init__(code, comment)
        self.code = code
        self.comment = comment


Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def proof(password: str) -> str:
    """Return the authentication string of the protocol."""
    secret = base64.b64encode(hashlib.sha256((password + SALT).encode()).digest())
    return base64.b64encode(hashlib.sha256(secret + CHALLENGE.encode()).digest()).decode()


@dataclass
class FakeObs:
    """Answer ``GetVersion`` and whatever ``handlers`` know.

    Attributes:
        password: None to let in anybody.
        handlers: request name to what makes the response data.
        delays: request name to seconds before its answer; used up by the first request.
        noise: text sent before each answer, such as an event.
        mute: take requests and answer none, as at the far end of a dead line.
        kicks_at: request that is answered by the end of the session.
        requests: names received, in order.
        connections: websocket connections so far.
        subscriptions: the kinds of events that the newest connection asked for, at each asking.
    """

    password: str | None = None
    handlers: dict[str, Handler] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    noise: str = ""
    mute: bool = False
    kicks_at: str = ""
    requests: list[str] = field(default_factory=list)
    connections: int = 0
    subscriptions: list[int] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.handlers.setdefault("GetVersion", lambda _: {"obsVersion": "99.0"})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-obs")
        self._runner: web.AppRunner | None = None
        self._sockets: dict[web.WebSocketResponse, int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    def shut(self) -> None:
        """Stop listening and break all connections, as a quitting OBS does."""
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10)

    def emit(self, name: str, kind: int = 0, times: int = 1, **data: object) -> None:
        """Tell every connection that asked for ``kind`` (all, if it is 0) of an event."""
        asyncio.run_coroutine_threadsafe(self._emit(name, kind, times, data), self._loop).result(10)

    def drop(self) -> None:
        """Break all connections and go on listening."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(10)

    def kick(self) -> None:
        """End every session as OBS's user does by a click."""
        asyncio.run_coroutine_threadsafe(self._kick(), self._loop).result(10)

    async def _emit(self, name: str, kind: int, times: int, data: Mapping[str, object]) -> None:
        event = {"op": 5, "d": {"eventType": name, "eventIntent": kind, "eventData": data}}
        for socket, wanted in list(self._sockets.items()):
            for _ in range(times if kind == 0 or wanted & kind else 0):
                await socket.send_json(event)

    async def _drop(self) -> None:
        for socket in list(self._sockets):
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                transport.abort()

    async def _kick(self) -> None:
        for socket in list(self._sockets):
            await socket.close(code=SESSION_INVALIDATED, message=b"Your session has been kicked.")

    async def _open(self) -> None:
        application = web.Application()
        application.router.add_get("/", self._serve)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _shut(self) -> None:
        if self._runner is not None:
            for socket in list(self._sockets):
                await socket.close(code=WSCloseCode.GOING_AWAY)
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoclose=False, timeout=0.1)
        await socket.prepare(request)
        self.connections += 1
        try:
            await self._converse(socket)
        except (ConnectionError, Drop):
            pass
        finally:
            self._sockets.pop(socket, None)
            if request.transport is not None:
                request.transport.abort()
        return socket

    async def _converse(self, socket: web.WebSocketResponse) -> None:
        hello: dict[str, Any] = {"obsWebSocketVersion": "5.9", "rpcVersion": 1}
        if self.password is not None:
            hello["authentication"] = {"salt": SALT, "challenge": CHALLENGE}
        await socket.send_json({"op": 0, "d": hello})
        identify = await socket.receive_json(timeout=10)
        if self.password is not None and identify["d"].get("authentication") != proof(
            self.password
        ):
            await socket.close(code=AUTHENTICATION_FAILED, message=b"Authentication failed.")
            return
        await self._identified(socket, identify["d"])
        async for message in socket:
            if message.type is not WSMsgType.TEXT or self.mute:
                continue
            content = json.loads(message.data)
            if content["op"] == 3:
                await self._identified(socket, content["d"])
            else:
                await self._answer(socket, content["d"])

    async def _identified(self, socket: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        self._sockets[socket] = asked["eventSubscriptions"]
        self.subscriptions.append(asked["eventSubscriptions"])
        await socket.send_json({"op": 2, "d": {"negotiatedRpcVersion": 1}})

    async def _answer(self, socket: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        name = asked["requestType"]
        self.requests.append(name)
        await asyncio.sleep(self.delays.pop(name, 0))
        if name == self.kicks_at:
            await socket.close(code=SESSION_INVALIDATED)
            return
        response: dict[str, Any] = {"requestType": name, "requestId": asked["requestId"]}
        try:
            handler = self.handlers.get(name)
            if handler is None:
                raise Refuse(204, "unknown request")
            data = handler(asked.get("requestData", {}))
            response |= {"requestStatus": {"result": True, "code": 100}, "responseData": data}
        except Refuse as refusal:
            status = {"result": False, "code": refusal.code, "comment": refusal.comment}
            response["requestStatus"] = status
        if self.noise:
            await socket.send_str(self.noise)
        await socket.send_json({"op": 7, "d": response})
