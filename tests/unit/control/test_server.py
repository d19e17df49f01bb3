"""The page and its preview: for this user alone, and never more than can be served."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import numpy as np
import pytest

from tests.support.control_avatar import FakeAvatar
from tests.support.control_server import TOKEN, Served, with_server
from vtbridge.control.preview import FRAME_HEADER
from vtbridge.control.server import ControlServer
from vtbridge.control.sockets import MAX_OPEN
from vtbridge.datatypes import Frame
from vtbridge.errors import PortInUse

PREVIEW = "/api/v1/preview"
PROTOCOLS = ("vtbridge.preview", f"token.{TOKEN}")


def test_page_allows_only_its_own_scripts() -> None:
    async def body(served: Served) -> None:
        for path, status in (("/", 200), ("/api/v1/status", 401), ("/absent", 404)):
            async with served.stranger.get(path) as answer:
                assert answer.status == status
                assert "default-src 'self'" in answer.headers["Content-Security-Policy"]

    with_server(body)


def test_page_that_asks_gets_the_newest_frame_whole() -> None:
    async def body(served: Served) -> None:
        socket = await served.stranger.ws_connect(PREVIEW, protocols=PROTOCOLS, max_msg_size=0)
        await socket.send_str("next")
        frame = Frame(np.full((4, 8, 4), 7, np.uint8), t_capture_ns=0)
        received = b""
        while not received:
            served.server.offer(frame)
            message = await socket.receive(timeout=5)
            if message.type is aiohttp.WSMsgType.BINARY:
                received = message.data
        width, height, _flags, _number = FRAME_HEADER.unpack_from(received)
        assert (width, height) == (8, 4)
        assert received[FRAME_HEADER.size :] == b"\x07" * (8 * 4 * 4)
        await socket.close()

    with_server(body)


def test_page_is_told_the_state() -> None:
    async def body(served: Served) -> None:
        async with served.stranger.ws_connect(PREVIEW, protocols=PROTOCOLS) as socket:
            assert await socket.receive_json(timeout=5) == served.avatar.status().model_dump()

    with_server(body)


def test_frames_need_the_token() -> None:
    async def body(served: Served) -> None:
        for protocols in ((), ("vtbridge.preview",), ("vtbridge.preview", "token.wrong")):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await served.stranger.ws_connect(PREVIEW, protocols=protocols)
            assert refused.value.status == 401

    with_server(body)


def test_token_of_a_browser_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def body(served: Served) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await served.stranger.ws_connect(PREVIEW, protocols=(f"token.{TOKEN}",))
        assert refused.value.status == 400

    caplog.set_level(logging.DEBUG)
    with_server(body)
    assert TOKEN not in caplog.text


def test_sockets_are_counted_and_one_that_closes_makes_room() -> None:
    async def body(served: Served) -> None:
        sockets = [await served.session.ws_connect(PREVIEW) for _ in range(MAX_OPEN)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await served.session.ws_connect(PREVIEW)
        assert refused.value.status == 503
        await sockets.pop().close()
        sockets.append(await served.session.ws_connect(PREVIEW))
        for socket in sockets:
            await socket.close()

    with_server(body)


def test_server_that_stops_hangs_up() -> None:
    async def body(served: Served) -> None:
        socket = await served.session.ws_connect(PREVIEW)
        await served.server.close()
        while (message := await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)

    with_server(body)


def test_what_is_no_http_costs_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def body(served: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Null: \0\r\n\r\n")
        assert b"400" in await reader.readline()
        writer.close()
        async with served.session.get("/") as answer:
            assert answer.status == 200

    with_server(body)
    assert not caplog.records


def test_taken_port_is_told_by_number() -> None:
    async def body(served: Served) -> None:
        second = ControlServer(served.server.port, TOKEN, FakeAvatar())
        with pytest.raises(PortInUse, match=str(served.server.port)):
            await second.start()

    with_server(body)
