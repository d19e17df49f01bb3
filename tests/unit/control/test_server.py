from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import numpy as np
import pytest

from vtbridge.clock import ManualClock
from vtbridge.control.preview import FRAME_HEADER
from vtbridge.control.server import ControlServer
from vtbridge.datatypes import Frame
from vtbridge.errors import PortInUse

TOKEN = "0123456789abcdef0123456789abcdef"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}

Body = Callable[[ControlServer, aiohttp.ClientSession, list[str]], Awaitable[None]]


def with_server(body: Body) -> None:
    """Run ``body`` against a server whose one command notes that it ran."""

    async def run() -> None:
        ran: list[str] = []
        server = ControlServer(
            0,
            TOKEN,
            status=lambda: {"fps": 30.0},
            commands={"calibrate": lambda: ran.append("calibrate")},
            clock=ManualClock(),
            views={"trackers": lambda: {"sources": []}},
        )
        await server.start()
        base = f"http://127.0.0.1:{server.port}"
        try:
            async with aiohttp.ClientSession(base) as session:
                await body(server, session, ran)
        finally:
            await server.close()

    asyncio.run(run())


def test_command_runs_with_the_token() -> None:
    async def body(_: ControlServer, session: aiohttp.ClientSession, ran: list[str]) -> None:
        async with session.post("/api/calibrate", headers=AUTHORIZED, json={}) as answer:
            assert answer.status == 200
        assert ran == ["calibrate"]

    with_server(body)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({**AUTHORIZED, "Host": "evil.example"}, 403),
        ({**AUTHORIZED, "Host": "127.0.0.1:1"}, 403),
        ({**AUTHORIZED, "Content-Type": "text/plain"}, 415),
        ({**AUTHORIZED, "Host": "127.0.0.1.evil.example:80"}, 403),
        ({**AUTHORIZED, "Origin": "http://evil.example"}, 403),
        ({**AUTHORIZED, "Origin": "null"}, 403),
    ],
)
def test_stranger_commands_nothing(headers: dict[str, str], status: int) -> None:
    async def body(_: ControlServer, session: aiohttp.ClientSession, ran: list[str]) -> None:
        async with session.post("/api/calibrate", headers=headers, json={}) as answer:
            assert answer.status == status
        assert ran == []

    with_server(body)


def test_state_and_frames_need_the_token() -> None:
    async def body(_: ControlServer, session: aiohttp.ClientSession, ran: list[str]) -> None:
        async with session.get("/api/status") as answer:
            assert answer.status == 401
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect("/api/preview")

    with_server(body)


def test_view_is_answered_to_who_has_the_token() -> None:
    async def body(_: ControlServer, session: aiohttp.ClientSession, ran: list[str]) -> None:
        async with session.get("/api/trackers") as answer:
            assert answer.status == 401
        async with session.get("/api/trackers", headers=AUTHORIZED) as answer:
            assert await answer.json() == {"sources": []}

    with_server(body)


def test_flood_of_commands_is_refused() -> None:
    async def body(_: ControlServer, session: aiohttp.ClientSession, ran: list[str]) -> None:
        states = []
        for _i in range(15):
            async with session.post("/api/calibrate", headers=AUTHORIZED, json={}) as answer:
                states.append(answer.status)
        assert states == [200] * 10 + [429] * 5
        assert len(ran) == 10

    with_server(body)


def test_unknown_command_names_the_known_ones() -> None:
    async def body(_: ControlServer, session: aiohttp.ClientSession, ran: list[str]) -> None:
        async with session.post("/api/explode", headers=AUTHORIZED, json={}) as answer:
            assert answer.status == 404
            assert "calibrate" in await answer.text()

    with_server(body)


def test_page_allows_only_its_own_scripts() -> None:
    async def body(_: ControlServer, session: aiohttp.ClientSession, ran: list[str]) -> None:
        for path, status in (("/", 200), ("/api/status", 401), ("/absent", 404)):
            async with session.get(path) as answer:
                assert answer.status == status
                assert "default-src 'self'" in answer.headers["Content-Security-Policy"]

    with_server(body)


def test_page_that_asks_gets_the_newest_frame_whole() -> None:
    async def body(server: ControlServer, session: aiohttp.ClientSession, ran: list[str]) -> None:
        socket = await session.ws_connect(
            "/api/preview", protocols=("vtbridge.preview", f"token.{TOKEN}"), max_msg_size=0
        )
        await socket.send_str("next")
        frame = Frame(np.full((4, 8, 4), 7, np.uint8), t_capture_ns=0)
        received = b""
        while not received:
            server.offer(frame)
            message = await socket.receive(timeout=5)
            if message.type is aiohttp.WSMsgType.BINARY:
                received = message.data
        width, height, _flags, _number = FRAME_HEADER.unpack_from(received)
        assert (width, height) == (8, 4)
        assert received[FRAME_HEADER.size :] == b"\x07" * (8 * 4 * 4)
        await socket.close()

    with_server(body)


def test_taken_port_is_told_by_number() -> None:
    async def body(server: ControlServer, session: aiohttp.ClientSession, ran: list[str]) -> None:
        second = ControlServer(server.port, TOKEN, dict, {})
        with pytest.raises(PortInUse, match=str(server.port)):
            await second.start()

    with_server(body)
