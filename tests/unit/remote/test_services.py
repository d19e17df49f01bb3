"""The threads at both ends: real sockets on loopback, and what the user is told."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.support.daemon import free_udp_port, wait_until
from vtbridge.clock import NS_PER_S, ManualClock, MonotonicClock
from vtbridge.errors import PortInUse
from vtbridge.pose_params import POSE_SIZE
from vtbridge.remote.receiver import PoseReceiver
from vtbridge.remote.renderer_link import RendererLink
from vtbridge.remote.sender import PoseSender
from vtbridge.remote.tracker_link import TrackerLink
from vtbridge.remote.wire import Code, Command, PoseMessage
from vtbridge.telemetry import Telemetry

SECRET = b"s" * 32
PATIENCE_S = 20.0


def pose(now_ns: int, taken: int) -> PoseMessage:
    return PoseMessage(np.zeros(POSE_SIZE, np.float32), taken=taken)


def sender_to(
    port: int,
    *,
    host: str = "127.0.0.1",
    secret: bytes = SECRET,
    clock: MonotonicClock | ManualClock | None = None,
    do: Callable[[Command], None] = lambda command: None,
    telemetry: Telemetry | None = None,
) -> PoseSender:
    return PoseSender(
        TrackerLink(secret),
        host,
        port,
        rate=100,
        pose=pose,
        do=do,
        clock=clock or MonotonicClock(),
        telemetry=telemetry or Telemetry(),
    )


class Renderer:
    """A receiver that runs."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.commands: list[Command] = []
        self.receiver = PoseReceiver(
            RendererLink(SECRET),
            host="127.0.0.1",
            port=0,
            on_pose=lambda taken, sender, t_ns: self.came.set(),
            on_command=self.commands.append,
            clock=MonotonicClock(),
            telemetry=Telemetry(),
        )


@pytest.fixture
def renderer() -> Iterator[Renderer]:
    one = Renderer()
    one.receiver.bind()
    one.receiver.start()
    yield one
    assert one.receiver.stop()


def test_poses_and_commands_cross_a_real_socket_both_ways(renderer: Renderer) -> None:
    asked: list[Command] = []
    sender = sender_to(renderer.receiver.port, do=asked.append)
    sender.start()
    try:
        assert renderer.came.wait(PATIENCE_S)
        smile, calibrate = Command(Code.SWITCH, "smile", True), Command(Code.CALIBRATE)
        sender.ask(smile)
        renderer.receiver.tell(calibrate)
        wait_until(lambda: renderer.commands == [smile], PATIENCE_S, "asked")
        wait_until(lambda: asked == [calibrate], PATIENCE_S, "told")
        wait_until(lambda: sender.report is not None, PATIENCE_S, "reported")
        assert sender.connected
    finally:
        assert sender.stop()


def test_junk_and_strangers_cost_the_tracker_nothing(
    renderer: Renderer, caplog: pytest.LogCaptureFixture
) -> None:
    stranger, sender = (
        sender_to(renderer.receiver.port, secret=b"t" * 32),
        sender_to(renderer.receiver.port),
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, caplog.at_level(logging.WARNING):
        for junk in (b"x", b"VTBR", b"\0" * 400, b"y" * 2000):
            sock.sendto(junk, ("127.0.0.1", renderer.receiver.port))
        stranger.start()
        sender.start()
        try:
            assert renderer.came.wait(PATIENCE_S)
            wait_until(lambda: renderer.receiver.rejects["wrong key"] > 1, PATIENCE_S, "refused")
        finally:
            assert stranger.stop()
            assert sender.stop()
    assert len([one for one in caplog.records if "another key" in one.message]) == 1


def test_taken_port_is_told_with_the_setting(renderer: Renderer) -> None:
    other = Renderer().receiver
    other.port = renderer.receiver.port
    with pytest.raises(PortInUse, match=r"another \[remote\] port"):
        other.bind()


def test_receiver_that_was_bound_and_never_started_frees_its_port() -> None:
    receiver = Renderer().receiver
    receiver.bind()
    port = receiver.port
    assert receiver.stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", port))


@pytest.mark.parametrize(
    ("host", "words"),
    [("127.0.0.1", "does not answer"), ("no..such", "no computer is called")],
)
def test_renderer_that_does_not_answer_is_told_once_with_the_remedy(
    host: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    sender = sender_to(free_udp_port(), host=host, clock=clock)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for _ in range(30):
            clock.advance(0.5)
            sender.beat(sock)
    assert words in sender.trouble
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert not sender.connected


def test_network_that_is_away_costs_only_the_poses() -> None:
    class Unplugged(socket.socket):
        def sendto(self, *arguments: object) -> int:
            raise OSError("Network is unreachable")

    telemetry, clock = Telemetry(), ManualClock()
    sender = sender_to(9, clock=clock, telemetry=telemetry)
    with Unplugged(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for _ in range(4):
            clock.advance(1)
            sender.beat(sock)
    assert telemetry.counters()["remote.send_errors"] == 4


def test_tracking_goes_on_while_no_renderer_is_there() -> None:
    asked_ns: list[int] = []
    clock = ManualClock()

    def note(now_ns: int, taken: int) -> PoseMessage:
        asked_ns.append(now_ns)
        return pose(now_ns, taken)

    sender = PoseSender(
        TrackerLink(SECRET),
        "127.0.0.1",
        free_udp_port(),
        rate=60,
        pose=note,
        do=lambda command: None,
        clock=clock,
        telemetry=Telemetry(),
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for _ in range(3):
            clock.advance(1)
            with contextlib.suppress(ConnectionError):
                sender.beat(sock)
    assert len(asked_ns) == 3
    assert asked_ns[-1] == clock.now_ns() >= 3 * NS_PER_S
