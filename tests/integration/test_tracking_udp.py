"""A real socket on loopback: nothing lost at full rate, and had again when it was lost."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.captures import read_capture
from tests.support.inlet import PATIENCE_S, Opener
from vtbridge.clock import NS_PER_S, MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PortInUse
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.formats import Packing
from vtbridge.tracking.protocols.ifacialmocap import GREETING, IFacialMocapProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.receivers.admission import Admission
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.udp import LOOPBACK, UdpReceiver
from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.playback import bursts_of_capture, bursts_of_performance, play
from vtbridge.tracking.senders.vmc import encode_vmc
from vtbridge.tracking.source_status import SourceState


def test_single_messages_at_60_fps_lose_nothing(open_inlet: Opener) -> None:
    inlet = open_inlet()
    bursts = bursts_of_performance(lambda face: encode_vmc(face, Packing.SINGLE), fps=60)
    sent = play(bursts, inlet.address, MonotonicClock(), seconds=2.0)
    assert sent.bursts == 120
    inlet.wait_for(lambda: inlet.count("packets") >= sent.datagrams)
    assert inlet.count("frames") >= sent.bursts  # more where the sender itself was held up
    assert inlet.count("rejected") == 0
    last = face_at(119 / 60, 0)
    assert inlet.frames[-1].blendshapes == pytest.approx(last.blendshapes, abs=1e-6)


class Recorder:
    """A tap that keeps the datagrams of one sender."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.sources: set[str] = set()

    def datagram(self, source: str, data: bytes, t_ns: int, *, fresh: bool = False) -> None:
        self.sources.add(source)
        self.heard.append(data)

    def face(self, face: FaceFrame) -> None:
        raise AssertionError("no camera looks here")


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("vmc_node-osc", VmcProtocol),
        ("vmc_osc-js_xranimator-layout", VmcProtocol),
        ("vmc_vmcp-pypi", VmcProtocol),
        ("ifacialmocap_v1_ExpressionAppBridge", IFacialMocapProtocol),
    ],
)
def test_capture_arrives_whole_at_four_times_its_pace(
    captures: Path, open_inlet: Opener, name: str, protocol: type[TrackerProtocol]
) -> None:
    original = captures / f"{name}.udpcap"
    recorder = Recorder()
    inlet = open_inlet(protocol(), tap=recorder)
    sent = play(bursts_of_capture(original), inlet.address, MonotonicClock(), speed=4.0)
    inlet.wait_for(lambda: inlet.count("packets") >= sent.datagrams)
    assert inlet.receiver.stop()
    assert recorder.heard == [d.data for d in read_capture(original)]
    assert inlet.count("rejected") == 0
    assert inlet.count("values_dropped") == 0
    assert len(inlet.frames) >= 60
    times = [frame.t_ns for frame in inlet.frames]
    assert times == sorted(times)


def test_sender_without_apply_is_heard_after_quiet(
    open_inlet: Opener, sender: socket.socket
) -> None:
    inlet = open_inlet()
    *values, _apply = encode_vmc(face_at(1.0, 0), Packing.SINGLE)
    for datagram in values:
        sender.sendto(datagram, inlet.address)
    inlet.wait_for(lambda: bool(inlet.frames) and bool(inlet.frames[-1].blendshapes))


def test_sender_with_a_new_port_for_each_message_makes_one_face(open_inlet: Opener) -> None:
    inlet = open_inlet()
    face = face_at(1.0, 0)
    with ExitStack() as ports:  # a closed socket's port may be given to a later one
        for datagram in encode_vmc(face, Packing.SINGLE):
            sender = ports.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sender.sendto(datagram, inlet.address)
    inlet.wait_for(
        lambda: (
            bool(inlet.frames)
            and inlet.frames[-1].blendshapes == pytest.approx(face.blendshapes, abs=1e-6)
        )
    )
    assert inlet.status.rejects == {}


def test_phone_is_greeted_from_the_listening_port_and_heard(open_inlet: Opener) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((LOOPBACK, 0))
        phone.settimeout(PATIENCE_S)
        protocol = IFacialMocapProtocol(LOOPBACK, phone_port=phone.getsockname()[1])
        inlet = open_inlet(protocol)
        greeting, pc = phone.recvfrom(1000)
        assert greeting == GREETING + b"|sendDataVersion=v2"
        assert pc == inlet.address
        phone.sendto(encode_ifacialmocap(face_at(2.0, 0)), pc)
        inlet.wait_for(lambda: len(inlet.frames) == 1)
        again, _ = phone.recvfrom(1000)  # it fell silent, so it is asked again
        assert again == greeting


def test_taken_port_is_named_with_its_holder(open_inlet: Opener, sender: socket.socket) -> None:
    sender.bind((LOOPBACK, 0))
    port = sender.getsockname()[1]
    with pytest.raises(PortInUse) as refusal:
        open_inlet(port=port)
    message = str(refusal.value)
    assert f"UDP port {port}" in message
    assert f"pid {os.getpid()}" in message
    assert "tracking.vmc.port" in message


def test_taken_port_is_had_once_it_is_free(sender: socket.socket) -> None:
    sender.bind((LOOPBACK, 0))
    telemetry = Telemetry()
    frames: list[FaceFrame] = []
    clock = MonotonicClock()
    channel = Channel(VmcProtocol(), Admission((), NS_PER_S), frames.append, telemetry, clock)
    receiver = UdpReceiver([channel], telemetry, clock, port=sender.getsockname()[1])
    receiver.start()
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while not telemetry.counters().get("tracking.socket_errors"):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        (blocked,) = receiver.status()
        assert blocked.state is SourceState.BLOCKED
        assert "is taken" in str(blocked.trouble)
        sender.close()
        while not receiver.listening:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert receiver.status()[0].state is SourceState.WAITING
    finally:
        assert receiver.stop()
    assert receiver.failure is None


def test_socket_that_fails_is_opened_again(open_inlet: Opener, sender: socket.socket) -> None:
    inlet = open_inlet()
    broken = inlet.receiver._socket
    assert broken is not None
    os.close(broken.detach())  # as if the network stack took it away
    inlet.wait_for(lambda: inlet.count("socket_errors") == 1)
    inlet.wait_for(lambda: inlet.receiver.listening)
    sender.sendto(encode_vmc(face_at(0.0, 0))[0], inlet.address)
    inlet.wait_for(lambda: len(inlet.frames) == 1)
