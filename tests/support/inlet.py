"""A UDP receiver on loopback, and what came in."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network
from typing import Any

import pytest

from vtbridge.clock import NS_PER_S, MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.receivers.admission import Admission
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.udp import LOOPBACK, UdpReceiver
from vtbridge.tracking.source_status import SourceStatus
from vtbridge.tracking.tap import Tap

PATIENCE_S = 20.0


class Inlet:
    """A started receiver, what it gave, and what it counted."""

    def __init__(
        self,
        *protocols: TrackerProtocol,
        allow: Sequence[IPv4Network] = (),
        release_s: float = 2.0,
        tap: Tap | None = None,
        port: int = 0,
    ) -> None:
        self.frames: list[FaceFrame] = []
        self.telemetry = Telemetry()
        channels = [
            Channel(
                protocol,
                Admission(allow, round(release_s * NS_PER_S)),
                self.frames.append,
                self.telemetry,
                MonotonicClock(),
                tap=tap,
            )
            for protocol in protocols
        ]
        self.receiver = UdpReceiver(channels, self.telemetry, MonotonicClock(), port=port)
        self.receiver.bind()
        self.receiver.start()

    @property
    def address(self) -> tuple[str, int]:
        return LOOPBACK, self.receiver.port

    @property
    def status(self) -> SourceStatus:
        """Of the first channel."""
        return self.receiver.status()[0]

    def count(self, name: str) -> int:
        return self.telemetry.counters().get(f"tracking.{name}", 0)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once ``condition`` holds; fail if it never does."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, self.telemetry.counters()
            assert self.receiver.failure is None
            time.sleep(0.01)


Opener = Callable[..., Inlet]


@pytest.fixture
def open_inlet() -> Iterator[Opener]:
    """Give what opens an ``Inlet``, of VMC unless told otherwise; it is stopped afterwards."""
    inlets: list[Inlet] = []

    def open_one(*protocols: TrackerProtocol, **options: Any) -> Inlet:
        inlets.append(Inlet(*(protocols or (VmcProtocol(),)), **options))
        return inlets[-1]

    yield open_one
    for inlet in inlets:
        assert inlet.receiver.stop()
        assert inlet.receiver.failure is None


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    """Give a UDP socket to send from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock
