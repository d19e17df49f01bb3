"""What receiving costs, and whether a 60 fps loop keeps its deadlines beside a flood; prints."""

from __future__ import annotations

import time

import pytest

from tests.support.flood import PER_S, finish_flood, start_flood
from vtbridge.clock import NS_PER_S, MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.pacer import Pacer
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.fusion import Fusion
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.receivers.admission import Admission
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.inputs import FusedFaces
from vtbridge.tracking.receivers.udp import UdpReceiver
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.settings import FusionSettings, TrackingSettings

FPS = 60
SECONDS = 10.0


def test_print_deadlines_of_a_60_fps_loop_beside_a_flood() -> None:
    """A beat counts as kept if the loop wakes before half of its time is over."""
    clock, telemetry = MonotonicClock(), Telemetry()
    channel = Channel(VmcProtocol(), Admission((), NS_PER_S), lambda face: None, telemetry, clock)
    receiver = UdpReceiver([channel], telemetry, clock)
    receiver.bind()
    receiver.start()
    for flooded in (False, True):
        flood = start_flood(receiver.port, SECONDS + 1) if flooded else None
        time.sleep(1.0)  # its process starts
        pacer, late_ms, missed = Pacer(FPS, clock), [], 0
        for _ in range(round(SECONDS * FPS)):
            beat_ns = pacer.wait()
            late_ms.append((clock.now_ns() - beat_ns) / 1e6)
        missed = sum(late > 500 / FPS for late in late_ms) + pacer.missed
        kept = 100 * (1 - missed / len(late_ms))
        late_ms.sort()
        p50, p99 = late_ms[len(late_ms) // 2], late_ms[int(len(late_ms) * 0.99)]
        what = f"{PER_S} datagrams/s" if flooded else "silence"
        print(f"\n{what}: {kept:.2f} % kept, late p50 {p50:.2f} ms, p99 {p99:.2f} ms", end="")
        if flood is not None:
            print(f" ({finish_flood(flood, 60)} sent)")
    assert receiver.stop()


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row.name)
def test_print_cost_of_one_face_from_bytes_to_slot(row: ProtocolRow) -> None:
    clock, telemetry = MonotonicClock(), Telemetry()
    slot: LatestSlot[FaceFrame] = LatestSlot()
    faces = FusedFaces(slot, Fusion(FusionSettings(), NS_PER_S, telemetry))
    channel = Channel(
        row.create(TrackingSettings()), Admission((), NS_PER_S), faces.offer, telemetry, clock
    )
    encode = row.encoder()
    frames = [encode(face_at(i / FPS, i * NS_PER_S // FPS)) for i in range(600)]
    start_s = time.thread_time()
    for number, datagrams in enumerate(frames):
        t_ns = NS_PER_S + number * NS_PER_S // FPS
        for datagram in datagrams:
            channel.take(datagram, ("127.0.0.1", 5000), t_ns)
        channel.flush(t_ns + 6_000_000)
    cost_us = (time.thread_time() - start_s) / len(frames) * 1e6
    share = cost_us * FPS / 1e4
    print(f"\n{row.name}: {cost_us:.0f} us a face, {share:.2f} % of a core at {FPS} fps")
