"""A control server over an avatar that notes what it is told, and a client of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.support.control_avatar import FakeAvatar
from vtbridge.clock import ManualClock
from vtbridge.control.server import ControlServer

TOKEN = "0123456789abcdef0123456789abcdef"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@dataclass
class Served:
    """A running server, and who asks it.

    Attributes:
        server: listens on loopback.
        session: sends the token with each request, unless a test says otherwise.
        stranger: sends none.
        avatar: behind it.
        clock: of its rate limits.
    """

    server: ControlServer
    session: aiohttp.ClientSession
    stranger: aiohttp.ClientSession
    avatar: FakeAvatar
    clock: ManualClock = field(default_factory=ManualClock)


def with_server(body: Callable[[Served], Awaitable[None]], *, orders_per_s: int = 10) -> None:
    """Run ``body`` against a server."""

    async def run() -> None:
        avatar, clock = FakeAvatar(), ManualClock()
        server = ControlServer(0, TOKEN, avatar, clock, orders_per_s=orders_per_s)
        await server.start()
        base = f"http://127.0.0.1:{server.port}"
        try:
            async with (
                aiohttp.ClientSession(base, headers=AUTHORIZED) as session,
                aiohttp.ClientSession(base) as stranger,
            ):
                await body(Served(server, session, stranger, avatar, clock))
        finally:
            await server.close()

    asyncio.run(run())


@contextmanager
def served(avatar: FakeAvatar, *, orders_per_s: int = 10) -> Iterator[str]:
    """Serve ``avatar`` to other programs, and yield the address."""
    with serving(avatar, orders_per_s=orders_per_s) as server:
        yield f"127.0.0.1:{server.port}"


@contextmanager
def serving(avatar: FakeAvatar, *, orders_per_s: int = 10) -> Iterator[ControlServer]:
    """Serve ``avatar`` to other programs, and yield the server."""
    loop = asyncio.new_event_loop()
    server = ControlServer(0, TOKEN, avatar, orders_per_s=orders_per_s)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
