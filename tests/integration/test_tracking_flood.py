"""A flood costs the port's thread so little that a loop beside it has the time it needs."""

from __future__ import annotations

import socket
import time

import pytest

from tests.support.flood import finish_flood, start_flood
from vtbridge.clock import NS_PER_S, Clock, MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.table import PROTOCOLS, Wire
from vtbridge.tracking.receivers.admission import Admission
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.udp import LOOPBACK, UdpReceiver
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.vmc import encode_vmc
from vtbridge.tracking.settings import TrackingSettings

PATIENCE_S = 60.0
FLOOD_S = 2.0
MOST_US = 60.0
"""CPU of the receiving thread for a datagram that nobody wants. At 10 000 a second it is 60 %
of one core, which leaves a render loop its own; measured are about 20. CPU time, so that a
busy machine cannot fail the test; the deadlines themselves are printed by tests/bench."""


class MeasuredReceiver(UdpReceiver):
    """A receiver that tells what its thread cost."""

    cpu_s = 0.0

    def serve(self) -> None:
        super().serve()
        self.cpu_s = time.thread_time()


def open_osc_port(telemetry: Telemetry, faces: list[FaceFrame], clock: Clock) -> MeasuredReceiver:
    """Return a started port that takes every OSC protocol, as the default ports do."""
    channels = [
        Channel(
            row.create(TrackingSettings()),
            Admission((), 2 * NS_PER_S),
            faces.append,
            telemetry,
            clock,
        )
        for row in PROTOCOLS
        if row.wire is Wire.OSC
    ]
    receiver = MeasuredReceiver(channels, telemetry, clock)
    receiver.bind()
    receiver.start()
    return receiver


@pytest.mark.timeout(120)
def test_flood_of_10_000_a_second_costs_little_and_hides_no_face() -> None:
    telemetry, clock = Telemetry(), MonotonicClock()
    faces: list[FaceFrame] = []
    receiver = open_osc_port(telemetry, faces, clock)
    flood = start_flood(receiver.port, FLOOD_S)
    frames = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tracker:
        while flood.poll() is None:  # an honest tracker beside it
            frames += 1
            tracker.sendto(face_datagram(frames), (LOOPBACK, receiver.port))
            time.sleep(1 / 60)
        sent = finish_flood(flood, PATIENCE_S) + frames
        counted = len(faces)
        deadline_s = time.monotonic() + PATIENCE_S
        while len(faces) == counted:  # heard as before once the flood is over
            assert time.monotonic() < deadline_s
            tracker.sendto(face_datagram(frames), (LOOPBACK, receiver.port))
            time.sleep(0.02)
    assert receiver.stop()
    assert receiver.failure is None
    counters = telemetry.counters()
    packets = counters["tracking.packets"]
    assert packets > 0.1 * sent, "a busy machine's kernel may drop many, but not nearly all"
    assert counters["tracking.rejected.not_recognised"] == packets - len(faces)
    assert receiver.cpu_s / packets * 1e6 < MOST_US
    assert counted >= 0.5 * frames * min(packets / sent, 1.0), "no worse than the flood itself"


def face_datagram(frame: int) -> bytes:
    (datagram,) = encode_vmc(face_at(frame / 60, 0))
    return datagram
