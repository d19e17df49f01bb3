"""The WebSocket: tells each change once, obeys commands, and survives any client."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest

import vtbridge.control.api.events as events
from tests.support.control_server import TOKEN, Served, with_server

EVENTS = "/api/v1/events"
KINDS = ["tracking", "expressions", "quality", "character", "obs", "warnings"]

Socket = aiohttp.ClientWebSocketResponse


async def greeted(served: Served) -> Socket:
    """Return a socket that was told how things are."""
    socket = await served.session.ws_connect(EVENTS)
    assert [(await told(socket))["event"] for _ in KINDS] == KINDS
    return socket


async def told(socket: Socket) -> dict[str, Any]:
    message: dict[str, Any] = await socket.receive_json(timeout=5)
    return message


async def answer_to(socket: Socket, **command: object) -> dict[str, Any]:
    """Return the answer to a command; events may come before it."""
    await socket.send_json(command)
    while "event" in (message := await told(socket)):
        pass
    return message


async def nothing_more(socket: Socket) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await socket.receive(timeout=0.3)


def test_state_is_told_once_and_then_each_change() -> None:
    async def body(served: Served) -> None:
        socket = await greeted(served)
        await nothing_more(socket)
        served.avatar.tracked = False
        assert await told(socket) == {"event": "tracking", "data": {"tracked": False, "source": ""}}
        served.avatar.trouble = "the phone is away"
        assert (await told(socket))["data"] == [{"about": "tracking", "text": "the phone is away"}]
        served.avatar.trouble = ""
        assert await told(socket) == {"event": "warnings", "data": []}
        served.avatar.chosen = "fast"
        assert (await told(socket))["data"]["quality"] == "fast"
        await nothing_more(socket)
        await socket.close()

    with_server(body)


def test_change_of_the_character_is_told_when_it_begins_and_when_it_is_done() -> None:
    async def body(served: Served) -> None:
        socket = await greeted(served)
        served.avatar.coming = "momo"
        begun = await told(socket)
        served.avatar.shown, served.avatar.coming = "momo", ""
        done = await told(socket)
        assert [one["event"] for one in (begun, done)] == ["character"] * 2
        assert begun["data"] == {"name": "michi", "coming": "momo", "trouble": ""}
        assert done["data"] == {"name": "momo", "coming": "", "trouble": ""}
        await nothing_more(socket)
        await socket.close()

    with_server(body)


def test_expression_is_told_when_it_switches_and_not_while_it_fades() -> None:
    async def body(served: Served) -> None:
        socket = await greeted(served)
        served.avatar.active["cat"] = "osc"
        served.avatar.change()
        message = await told(socket)
        assert message["event"] == "expressions"
        assert [(one["name"], one["active"]) for one in message["data"]] == [
            ("smile", False),
            ("cat", True),
        ]
        faded = served.avatar.expressions()
        half = [one.model_copy(update={"amount": 0.5}) for one in faded.expressions]
        served.avatar.expressions = lambda: faded.model_copy(update={"expressions": half})  # type: ignore[method-assign]
        served.avatar.change()
        await nothing_more(socket)
        await socket.close()

    with_server(body)


@pytest.mark.parametrize(
    ("command", "order"),
    [
        ({"command": "expression", "name": "smile"}, "toggle smile by websocket"),
        ({"command": "expression", "name": "smile", "action": "on"}, "on smile by websocket"),
        ({"command": "clear-expressions"}, "clear"),
        ({"command": "calibrate"}, "calibrate"),
        ({"command": "quality", "quality": "fast"}, "quality fast"),
        ({"command": "character", "name": "momo"}, "show momo"),
    ],
)
def test_command_is_done_and_answered_by_its_id(command: dict[str, str], order: str) -> None:
    async def body(served: Served) -> None:
        socket = await greeted(served)
        for number in ("a", 7):
            answer = await answer_to(socket, id=number, **command)
            assert answer == {"id": number, "ok": True, "problem": None, "status": None}
        assert served.avatar.orders == [order] * 2
        await socket.close()

    with_server(body)


def test_state_comes_with_the_answer() -> None:
    async def body(served: Served) -> None:
        socket = await greeted(served)
        answer = await answer_to(socket, command="status", id=1)
        assert answer["status"] == served.avatar.status().model_dump()
        await socket.close()

    with_server(body)


@pytest.mark.parametrize(
    ("sent", "id_", "status"),
    [
        ("", None, 400),
        ("{", None, 400),
        ("[1]", None, 422),
        ('{"id": 3}', 3, 422),
        ('{"id": [3], "command": "calibrate"}', None, 422),
        ('{"id": "x", "command": "explode"}', "x", 422),
        ('{"id": 3, "command": "calibrate", "now": 1}', 3, 422),
        ('{"id": 3, "command": "expression", "name": "grin"}', 3, 404),
        ('{"id": 3, "command": "quality", "quality": "baked"}', 3, 422),
        ('{"id": 3, "command": "character", "name": "/etc/passwd"}', 3, 404),
        ('{"id": 3, "command": "character", "name": ""}', 3, 422),
    ],
)
def test_wrong_command_is_answered_with_the_reason(
    sent: str, id_: int | str | None, status: int
) -> None:
    async def body(served: Served) -> None:
        socket = await greeted(served)
        await socket.send_str(sent)
        answer = await told(socket)
        assert (answer["id"], answer["ok"], answer["problem"]["status"]) == (id_, False, status)
        assert answer["problem"]["remedy"]
        assert served.avatar.orders == []
        assert (await answer_to(socket, command="calibrate", id=1))["ok"]
        await socket.close()

    with_server(body)


def test_commands_and_requests_share_one_limit() -> None:
    async def body(served: Served) -> None:
        socket = await greeted(served)
        answers = [await answer_to(socket, command="calibrate", id=n) for n in range(12)]
        assert [answer["ok"] for answer in answers] == [True] * 10 + [False] * 2
        assert answers[-1]["problem"]["status"] == 429
        async with served.session.post("/api/v1/calibrate", json={}) as answer:
            assert answer.status == 429
        await socket.close()

    with_server(body)


def test_message_that_is_too_long_costs_only_its_sender() -> None:
    async def body(served: Served) -> None:
        socket, other = await greeted(served), await greeted(served)
        await socket.send_str("x" * (events.MAX_MESSAGE_BYTES + 1))
        assert (await socket.receive(timeout=5)).data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        assert (await answer_to(other, command="calibrate", id=1))["ok"]
        await other.close()

    with_server(body)


def test_who_does_not_read_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    much = 40_000_000
    """Far more than the system keeps for a client."""

    async def body(served: Served) -> None:
        served.avatar.credit = "x" * much
        reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
        writer.write(
            f"GET {EVENTS} HTTP/1.1\r\nHost: 127.0.0.1:{served.server.port}\r\n"
            f"Authorization: Bearer {TOKEN}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            "".encode()
        )
        command = b'{"command": "status", "id": 1}'
        writer.write(bytes([0x81, 0x80 | len(command), 0, 0, 0, 0]) + command)
        async with asyncio.timeout(10):
            while not served.avatar.listeners:
                await asyncio.sleep(0.01)
            while served.avatar.listeners:
                await asyncio.sleep(0.05)
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := await asyncio.wait_for(reader.read(1 << 20), 5):
                received += len(part)
        assert received < much, "what it left unread is not kept for it"
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    monkeypatch.setattr(events, "PATIENCE_S", 0.3)
    with_server(body)


def test_client_that_leaves_is_forgotten() -> None:
    async def body(served: Served) -> None:
        socket = await greeted(served)
        assert served.avatar.listeners == 1
        await socket.close()
        async with asyncio.timeout(5):
            while served.avatar.listeners:
                await asyncio.sleep(0.02)

    with_server(body)


def test_mistake_of_ours_hangs_up_so_that_the_client_connects_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("secret inside")

    async def body(served: Served) -> None:
        socket = await greeted(served)
        monkeypatch.setattr(served.avatar, "quality", broken)
        message = await socket.receive(timeout=5)
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        monkeypatch.undo()
        await (await greeted(served)).close()

    with_server(body)
    assert "secret inside" in caplog.text


def test_browser_names_its_token_as_a_subprotocol() -> None:
    async def body(served: Served) -> None:
        protocols = (events.PROTOCOL, f"token.{TOKEN}")
        async with served.stranger.ws_connect(EVENTS, protocols=protocols) as socket:
            assert socket.protocol == events.PROTOCOL
            assert (await told(socket))["event"] == "tracking"

    with_server(body)


def test_page_request_is_told_that_this_is_a_websocket() -> None:
    async def body(served: Served) -> None:
        async with served.session.get(EVENTS) as answer:
            assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")

    with_server(body)
