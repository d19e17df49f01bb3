from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.vts import NOW_MS, Desk, message_of
from vtbridge.control.vts import server as server_module
from vtbridge.control.vts.consent import ConsentDesk
from vtbridge.control.vts.discovery import Discovery
from vtbridge.control.vts.plugins import PluginId
from vtbridge.control.vts.server import MAX_MESSAGE_BYTES, VtsServer
from vtbridge.control.vts.settings import Consent
from vtbridge.errors import PortInUse

PATIENCE_S = 20.0

Body = Callable[["Stage"], Awaitable[None]]


class Stage:
    """A server with sockets, and the desk behind it."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        consent = ConsentDesk(self.desk.book, Consent.ASK, self.desk.clock)
        self.server = VtsServer(self.desk.dispatcher, consent, self.desk.events)
        self.http: aiohttp.ClientSession

    def connect(self, **options: Any) -> Any:
        return self.http.ws_connect(f"ws://127.0.0.1:{self.server.port}/any/path", **options)

    async def authenticated(self, name: str = "Deck") -> aiohttp.ClientWebSocketResponse:
        connection: aiohttp.ClientWebSocketResponse = await self.connect()
        token = self.desk.book.grant(PluginId(name, "tests"))
        names = {"pluginName": name, "pluginDeveloper": "tests", "authenticationToken": token}
        assert (await ask(connection, "Authentication", **names))["data"]["authenticated"]
        return connection


def on_stage(folder: Path, body: Body) -> None:
    async def run() -> None:
        stage = Stage(folder)
        await stage.server.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(PATIENCE_S * 2), aiohttp.ClientSession() as stage.http:
                await body(stage)
        finally:
            await stage.server.close()

    asyncio.run(run())


async def ask(
    connection: aiohttp.ClientWebSocketResponse, kind: str, **data: object
) -> dict[str, Any]:
    await connection.send_str(message_of(kind, data))
    return json.loads(await connection.receive_str())  # type: ignore[no-any-return]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_messages_are_answered_as_text_whether_sent_as_text_or_bytes(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        async with stage.connect() as connection:
            assert (await ask(connection, "APIState"))["data"]["active"] is True
            await connection.send_bytes(message_of("APIState", {}).encode())
            assert "APIStateResponse" in await connection.receive_str()
            await connection.send_bytes(b"\xff\xfe")
            assert json.loads(await connection.receive_str())["data"]["errorID"] == 2
            assert stage.server.connected == 1
        await until(lambda: stage.server.connected == 0)

    on_stage(tmp_path, body)


def test_plugin_may_ask_other_things_while_the_user_thinks(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        async with stage.connect() as connection:
            names = {"pluginName": "Deck", "pluginDeveloper": "tests", "pluginIcon": ""}
            await connection.send_str(message_of("AuthenticationToken", names))
            await until(lambda: bool(stage.desk.book.read().waiting))
            assert (await ask(connection, "APIState"))["data"]["active"] is True
            stage.desk.book.answer("Deck", allowed=True)
            answer = json.loads(await connection.receive_str())
            assert answer["messageType"] == "AuthenticationTokenResponse"
            token = answer["data"]["authenticationToken"]
            assert stage.desk.book.find(PluginId("Deck", "tests"), token)
            refused = await ask(connection, "AuthenticationToken", pluginName="x")
            assert refused["data"]["errorID"] == 52

    on_stage(tmp_path, body)


def test_plugin_that_hangs_up_is_not_asked_about_any_more(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        async with stage.connect() as connection:
            names = {"pluginName": "Deck", "pluginDeveloper": "tests"}
            await connection.send_str(message_of("AuthenticationToken", names))
            await until(lambda: bool(stage.desk.book.read().waiting))
        await until(lambda: not stage.desk.book.read().waiting)

    on_stage(tmp_path, body)


def test_events_come_by_themselves(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        connection = await stage.authenticated()
        await ask(connection, "EventSubscription", eventName="TestEvent", subscribe=True)
        stage.desk.clock.advance(1.0)
        event = json.loads(await connection.receive_str())
        assert (event["messageType"], event["data"]["counter"]) == ("TestEvent", 1)
        await connection.close()

    on_stage(tmp_path, body)


def test_injected_value_is_renewed_between_requests(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        connection = await stage.authenticated()
        values = [{"id": "MouthOpen", "value": 1}]
        await ask(connection, "InjectParameterData", parameterValues=values)
        first = stage.desk.faces.peek()
        assert first is not None
        await until(lambda: stage.desk.faces.peek() != first)
        await connection.close()

    on_stage(tmp_path, body)


def test_message_that_is_too_long_ends_only_its_own_connection(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        async with stage.connect() as other, stage.connect() as connection:
            await connection.send_str("x" * (MAX_MESSAGE_BYTES + 1))
            message = await connection.receive()
            assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
            assert (await ask(other, "APIState"))["data"]["active"] is True

    on_stage(tmp_path, body)


def test_strangers_make_room_for_the_next_and_plugins_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MAX_CLIENTS", 2)

    async def body(stage: Stage) -> None:
        deck = await stage.authenticated()
        stranger = await stage.connect()
        other = await stage.authenticated("Other")
        assert (await stranger.receive()).type is not aiohttp.WSMsgType.TEXT
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await stage.connect()
        assert refusal.value.status == 503
        for connection in (deck, other):
            answer = await ask(connection, "Statistics")
            assert answer["data"]["connectedPlugins"] == 2
            await connection.close()

    on_stage(tmp_path, body)


def test_plugin_that_never_reads_is_dropped_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_SEND_PATIENCE_S", 0.2)

    async def body(stage: Stage) -> None:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, ("127.0.0.1", stage.server.port))
        connection = await stage.authenticated()
        head = (
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await loop.sock_sendall(deaf, head.encode())
        await until(lambda: stage.server.connected == 2)
        ((client, _), *_) = [
            pair for pair in stage.server._clients.items() if pair[0].session.plugin is None
        ]
        while not client.gone:  # more than any socket holds
            client.offer("x" * 100_000)
            await asyncio.sleep(0)
        await until(lambda: stage.server.connected == 1)
        assert (await ask(connection, "APIState"))["data"]["active"] is True
        deaf.close()
        await connection.close()

    on_stage(tmp_path, body)


def test_browser_sees_what_this_is(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        async with stage.http.get(f"http://127.0.0.1:{stage.server.port}/") as answer:
            assert "VTube Studio's API" in await answer.text()
        assert stage.server.connected == 0

    on_stage(tmp_path, body)


def test_web_page_is_known_as_one(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        async with stage.connect(origin="https://tools.example") as connection:
            names = {"pluginName": "Deck", "pluginDeveloper": "tests"}
            await connection.send_str(message_of("AuthenticationToken", names))
            await until(lambda: bool(stage.desk.book.read().waiting))
            (waiting,) = stage.desk.book.read().waiting
            assert waiting.origin == "https://tools.example"

    on_stage(tmp_path, body)


def test_taken_port_says_who_may_have_it(tmp_path: Path) -> None:
    async def body(stage: Stage) -> None:
        second = Stage(tmp_path)
        with pytest.raises(PortInUse, match="VTube Studio itself"):
            await second.server.start("127.0.0.1", stage.server.port)
        await second.server.close()

    on_stage(tmp_path, body)


def test_port_is_told_on_this_computer_only() -> None:
    async def run() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plugin:
            plugin.bind(("127.0.0.1", 0))
            plugin.setblocking(False)
            port = plugin.getsockname()[1]
            discovery = Discovery(
                8001, "VTube Studio", network=False, now_ms=lambda: NOW_MS, to_port=port
            )
            discovery.start()
            async with asyncio.timeout(PATIENCE_S):
                message = json.loads(await asyncio.get_running_loop().sock_recv(plugin, 4096))
            await discovery.close()
        data = message["data"]
        assert message["messageType"] == "VTubeStudioAPIStateBroadcast"
        assert (data["active"], data["port"], data["windowTitle"]) == (True, 8001, "VTube Studio")
        assert len(data["instanceID"]) == 32

    asyncio.run(run())
