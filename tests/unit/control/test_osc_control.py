from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from ipaddress import IPv4Address

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from vtbridge.control.osc_control import OscControl
from vtbridge.errors import PortInUse
from vtbridge.osc import decode_packet
from vtbridge.telemetry import Telemetry

PREFIX = "/vtbridge/expression/"


def packet(address: str, *arguments: str | float) -> bytes:
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build().dgram


class Board:
    """Notes what was switched, and by whom it is heard."""

    def __init__(self, **settings: object) -> None:
        self.done: list[object] = []
        self.telemetry = Telemetry()
        self.osc = OscControl(
            {"/vtbridge/calibrate": lambda: self.done.append("calibrate")},
            self.telemetry,
            switches={PREFIX: self.switch},
            **settings,  # type: ignore[arg-type]
        )

    def switch(self, name: str, on: bool | None) -> None:
        if name == "nobody":
            raise KeyError(name)
        self.done.append((name, on))

    def hear(self, *datagrams: bytes, sender: tuple[str, int] = ("127.0.0.1", 9)) -> list[object]:
        for datagram in datagrams:
            self.osc.datagram_received(datagram, sender)
        return self.done


@pytest.mark.parametrize(
    ("arguments", "on"),
    [((), None), ((1.0,), True), ((0.0,), False), ((1,), True), ((0,), False), ((True,), True)],
)
def test_argument_is_the_position_of_the_switch(arguments: tuple[float, ...], on: object) -> None:
    assert Board().hear(packet(PREFIX + "smile", *arguments)) == [("smile", on)]


def test_commands_still_ignore_a_button_that_is_let_go() -> None:
    address = "/vtbridge/calibrate"
    board = Board()
    assert board.hear(packet(address), packet(address, 0.0), packet(address, 1.0)) == [
        "calibrate",
        "calibrate",
    ]


@pytest.mark.parametrize(
    ("datagram", "counter"),
    [
        (packet(PREFIX + "nobody", 1), "control.unknown"),
        (packet(PREFIX + "smile/now", 1), "control.unknown"),
        (packet("/vtbridge/other", 1), "control.unknown"),
        (packet(PREFIX + "smile", "on"), "control.rejected"),
        (packet(PREFIX + "smile", float("nan")), "control.rejected"),
        (b"/vtbridge", "control.rejected"),
    ],
)
def test_what_nobody_can_mean_is_counted(datagram: bytes, counter: str) -> None:
    board = Board()
    assert board.hear(datagram) == []
    assert board.telemetry.counters() == {counter: 1}


def test_only_this_computer_and_the_devices_that_are_named_are_heard() -> None:
    board = Board(allow=[IPv4Address("192.168.1.20")])
    for host in ("192.168.1.20", "127.0.0.1", "192.168.1.21", "10.0.0.1"):
        board.hear(packet(PREFIX + "smile", 1), sender=(host, 9000))
    assert len(board.done) == 2
    assert board.telemetry.counters() == {"control.not_allowed": 2}


@contextlib.asynccontextmanager
async def listening(board: Board) -> AsyncIterator[tuple[socket.socket, tuple[str, int]]]:
    """Yield a peer's socket and where the board listens."""
    await board.osc.start(0)
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("127.0.0.1", 0))
    peer.setblocking(False)
    try:
        yield peer, ("127.0.0.1", board.osc.port)
    finally:
        peer.close()
        board.osc.close()
        await asyncio.sleep(0)


async def heard(peer: socket.socket) -> tuple[str, list[object]]:
    data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 4096), 20)
    (message,) = decode_packet(data)
    return message.address, list(message.arguments)


def test_who_switches_is_told_the_state_and_then_what_changes() -> None:
    async def play() -> None:
        board = Board()
        async with listening(board) as (peer, address):
            board.osc.tell({PREFIX + "smile": False, PREFIX + "sad": True})
            peer.sendto(packet(PREFIX + "smile", 1), address)
            assert await heard(peer) == (PREFIX + "smile", [0.0])
            assert await heard(peer) == (PREFIX + "sad", [1.0])
            board.osc.tell({PREFIX + "smile": True, PREFIX + "sad": True})
            assert await heard(peer) == (PREFIX + "smile", [1.0])
            with pytest.raises(BlockingIOError):
                peer.recv(4096)

    asyncio.run(play())


def test_state_goes_to_the_port_that_the_settings_name() -> None:
    async def play() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
            ear.bind(("127.0.0.1", 0))
            ear.setblocking(False)
            board = Board(feedback_port=ear.getsockname()[1])
            async with listening(board) as (peer, address):
                board.osc.tell({PREFIX + "smile": True})
                peer.sendto(packet(PREFIX + "smile"), address)
                assert await heard(ear) == (PREFIX + "smile", [1.0])

    asyncio.run(play())


def test_only_the_last_few_listeners_are_told() -> None:
    async def play() -> None:
        board = Board()
        async with listening(board) as (peer, _):
            host = peer.getsockname()
            board.hear(packet(PREFIX + "smile"), sender=host)
            for port in range(20001, 20009):
                board.hear(packet(PREFIX + "smile"), sender=("127.0.0.1", port))
            board.osc.tell({PREFIX + "smile": True})
            await asyncio.sleep(0)
            with pytest.raises(BlockingIOError):
                peer.recv(4096)

    asyncio.run(play())


def test_taken_port_is_named() -> None:
    async def play() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            with pytest.raises(PortInUse, match="osc_port"):
                await Board().osc.start(other.getsockname()[1])

    asyncio.run(play())
