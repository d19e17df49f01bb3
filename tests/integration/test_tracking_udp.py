"""A real socket on loopback: nothing lost at full rate, nothing broken by strangers."""

from __future__ import annotations

import itertools
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.captures import read_capture
from tests.support.daemon import network_inputs
from tests.support.flood import finish_flood, start_flood
from vtbridge.clock import NS_PER_S, ManualClock, MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PortInUse, VtbridgeError
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.formats import Packing
from vtbridge.tracking.protocols.ifacialmocap import GREETING, IFacialMocapProtocol
from vtbridge.tracking.protocols.protocol import QUIET_NS, TrackerProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.receivers import admission
from vtbridge.tracking.receivers.admission import Admission
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.inputs import Inputs, open_inputs
from vtbridge.tracking.receivers.udp import ANY_ADDRESS, LOOPBACK, UdpReceiver
from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.playback import (
    Burst,
    PlaybackSummary,
    bursts_of_capture,
    bursts_of_performance,
    play,
)
from vtbridge.tracking.senders.vmc import encode_vmc
from vtbridge.tracking.settings import TrackingSettings
from vtbridge.tracking.source_status import SourceState, SourceStatus
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
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock


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


class SteppingClock(ManualClock):
    """Two milliseconds pass at each look."""

    def now_ns(self) -> int:
        self.advance(0.002)
        return super().now_ns()


def test_face_is_complete_although_a_stranger_never_pauses(sender: socket.socket) -> None:
    clock = SteppingClock(NS_PER_S)
    waits_ns: list[int] = []
    channel = Channel(
        VmcProtocol(),
        Admission((), NS_PER_S),
        lambda face: waits_ns.append(clock.now_ns() - face.t_ns),
        Telemetry(),
        clock,
    )
    receiver = UdpReceiver([channel], Telemetry(), clock)
    receiver.bind()
    *_, value, _apply = encode_vmc(face_at(1.0, 0), Packing.SINGLE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        sender.sendto(value, (LOOPBACK, receiver.port))
        for _ in range(500):
            stranger.sendto(b"junk", (LOOPBACK, receiver.port))
    receiver.start()
    deadline_s = time.monotonic() + PATIENCE_S
    while not waits_ns and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert receiver.stop()
    assert receiver.failure is None
    (wait_ns,) = waits_ns
    assert wait_ns < 10 * QUIET_NS  # of the 1000 ms that the stranger goes on


@pytest.mark.timeout(60)
def test_flood_neither_kills_nor_grows_nor_starves_the_receiver(
    open_inlet: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long a loaded machine holds the honest sender up, its place is its own.
    monkeypatch.setattr(admission, "SAME_HOST_SILENCE_NS", 60 * NS_PER_S)
    inlet = open_inlet()
    is_over = threading.Event()
    spoken: list[PlaybackSummary] = []

    def speak() -> None:
        bursts = bursts_of_performance(encode_vmc, fps=60)
        heard = itertools.takewhile(lambda _: not is_over.is_set(), bursts)
        play(heard, inlet.address, MonotonicClock(), on_sent=spoken.append)

    honest = threading.Thread(target=speak)
    honest.start()
    try:
        inlet.wait_for(lambda: len(inlet.frames) > 10)
        owner = inlet.status.source
        process = psutil.Process()
        before = process.memory_info().rss
        flood = start_flood(inlet.receiver.port, 2.0)
        inlet.wait_for(lambda: inlet.count("turned_away.other_sender") > 0)
        spoken_before, shown_before = len(spoken), len(inlet.frames)
        flooded = finish_flood(flood, PATIENCE_S)
    finally:
        is_over.set()
        honest.join()
    sock = inlet.receiver._socket
    assert sock is not None
    inlet.wait_for(lambda: not select.select([sock], [], [], 0)[0])
    assert inlet.receiver.stop()
    turned_away = inlet.count("turned_away.other_sender")
    share = turned_away / flooded
    assert flooded >= 20_000
    assert share > 0.1, "a busy machine's kernel may drop many, but not nearly all"
    assert inlet.count("packets") == turned_away + len(inlet.frames), "no junk is looked into"
    assert len(inlet.frames) - shown_before >= 0.5 * share * (len(spoken) - spoken_before)
    assert inlet.status.source == owner == "vmc:127.0.0.1"
    assert inlet.status.rejects == {"other sender": turned_away}
    assert process.memory_info().rss - before < 16 << 20


def test_flood_from_the_chosen_sender_itself_is_survived(
    open_inlet: Opener, sender: socket.socket
) -> None:
    inlet = open_inlet()
    (datagram,) = encode_vmc(face_at(1.0, 0))
    for _ in range(5_000):
        sender.sendto(datagram, inlet.address)
    inlet.wait_for(lambda: inlet.count("turned_away.throttled") > 0)
    assert inlet.receiver.alive


def test_junk_is_refused_counted_and_warned_of_once(
    open_inlet: Opener, sender: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    inlet = open_inlet()
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            sender.sendto(b"junk", inlet.address)
        sender.sendto(encode_vmc(face_at(0.0, 0))[0], inlet.address)
        inlet.wait_for(lambda: inlet.count("packets") == 51)
    assert inlet.count("rejected") == inlet.count("rejected.osc_start") == 50
    assert len(inlet.frames) == 1
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


def test_first_sender_keeps_the_port_until_it_falls_silent(
    open_inlet: Opener, sender: socket.socket
) -> None:
    inlet = open_inlet(release_s=0.5)
    (datagram,) = encode_vmc(face_at(0.0, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        second.bind(("127.0.0.2", 0))  # another computer, as far as anyone here can tell
        sender.sendto(datagram, inlet.address)
        second.sendto(datagram, inlet.address)
        inlet.wait_for(lambda: inlet.count("turned_away.other_sender") == 1)
        assert inlet.frames[0].source == inlet.status.source == "vmc:127.0.0.1"

        def second_is_heard() -> bool:
            second.sendto(datagram, inlet.address)
            return inlet.frames[-1].source == "vmc:127.0.0.2"

        inlet.wait_for(second_is_heard)
    silence_ns = inlet.frames[-1].t_ns - inlet.frames[0].t_ns
    assert silence_ns >= NS_PER_S // 2


def test_sender_with_a_new_port_for_each_message_makes_one_face(open_inlet: Opener) -> None:
    inlet = open_inlet()
    face = face_at(1.0, 0)
    for datagram in encode_vmc(face, Packing.SINGLE):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(datagram, inlet.address)
    inlet.wait_for(
        lambda: (
            bool(inlet.frames)
            and inlet.frames[-1].blendshapes == pytest.approx(face.blendshapes, abs=1e-6)
        )
    )
    assert inlet.status.rejects == {}


def test_junk_during_silence_does_not_confuse_the_owner(
    open_inlet: Opener, sender: socket.socket
) -> None:
    inlet = open_inlet(release_s=0.5)
    (datagram,) = encode_vmc(face_at(0.0, 0))
    sender.sendto(datagram, inlet.address)
    inlet.wait_for(lambda: len(inlet.frames) == 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:

        def stranger_is_refused() -> bool:
            stranger.sendto(b"junk", inlet.address)
            return inlet.count("rejected") > 0

        inlet.wait_for(stranger_is_refused)
    sender.sendto(datagram, inlet.address)
    inlet.wait_for(lambda: len(inlet.frames) == 2)
    assert inlet.frames[1].source == inlet.frames[0].source


def test_sender_outside_the_allow_list_is_not_heard(
    open_inlet: Opener, sender: socket.socket
) -> None:
    inlet = open_inlet(allow=[IPv4Network("10.0.0.0/8")])
    sender.sendto(encode_vmc(face_at(0.0, 0))[0], inlet.address)
    inlet.wait_for(lambda: inlet.count("turned_away.not_allowed") == 1)
    assert inlet.frames == []


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


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for sock in sockets:
        sock.bind((LOOPBACK, 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def settings_for(ports: list[int], **others: Any) -> TrackingSettings:
    tables: dict[str, Any] = {name: {"enabled": False} for name in network_inputs()}
    tables |= {"vmc": {"port": ports[0]}, "ifacialmocap": {"port": ports[1]}}
    return TrackingSettings.model_validate(tables | others)


@contextmanager
def started(inputs: Inputs) -> Iterator[Inputs]:
    for service in inputs.services:
        service.start()
    try:
        yield inputs
    finally:
        stopped = [service.stop() for service in inputs.services]
    assert all(stopped)
    assert all(service.failure is None for service in inputs.services)


def states(inputs: Inputs) -> dict[str, SourceState]:
    return {status.source.partition(":")[0]: status.state for status in inputs.status()}


def test_inputs_share_one_slot_and_stop_cleanly(sender: socket.socket) -> None:
    ports = free_ports(2)
    slot: LatestSlot[FaceFrame] = LatestSlot()
    with started(open_inputs(settings_for(ports), slot, Telemetry(), MonotonicClock())) as inputs:
        sender.sendto(encode_ifacialmocap(face_at(1.0, 0)), (LOOPBACK, ports[1]))
        first = slot.wait_newer(0, timeout_s=PATIENCE_S)
        assert first is not None
        assert first.value.source == "ifacialmocap:127.0.0.1"
        assert states(inputs) == {"vmc": SourceState.WAITING, "ifacialmocap": SourceState.LIVE}
        sender.sendto(encode_vmc(face_at(1.0, 0))[0], (LOOPBACK, ports[0]))
        assert slot.wait_newer(first.seq, timeout_s=0.3) is None  # the phone has the face
        phone = inputs.status()[1]
        assert phone.place == f"127.0.0.1:{ports[1]}"
        assert phone.packets == 1
        assert phone.face == first.value
    for port in ports:  # free again
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((LOOPBACK, port))


def test_protocols_that_share_a_port_are_told_apart(
    sender: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    settings = settings_for([port, port], fusion={"mouth": ["ifacialmocap"]})
    slot: LatestSlot[FaceFrame] = LatestSlot()
    telemetry = Telemetry()
    inputs = open_inputs(settings, slot, telemetry, MonotonicClock())
    assert len(inputs.services) == 1
    with caplog.at_level(logging.WARNING), started(inputs):
        for _ in range(3):
            sender.sendto(encode_vmc(face_at(1.0, 0))[0], (LOOPBACK, port))
            sender.sendto(encode_ifacialmocap(face_at(2.0, 0)), (LOOPBACK, port))
            sender.sendto(b"neither", (LOOPBACK, port))
        deadline_s = time.monotonic() + PATIENCE_S
        while telemetry.counters().get("tracking.packets", 0) < 9:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        newest = slot.peek()
        assert newest is not None
        assert newest.value.source == "ifacialmocap:127.0.0.1+vmc:127.0.0.1"
        vmc, phone = inputs.status()
        assert (vmc.packets, phone.packets) == (3, 3)
        assert (vmc.rejects, phone.rejects) == ({"not recognised": 3}, {})
        assert inputs.movers()["mouth"] == "ifacialmocap:127.0.0.1"
        assert inputs.movers()["head"] == "vmc:127.0.0.1"
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1


def test_taken_port_leaves_the_other_inputs_working(sender: socket.socket) -> None:
    sender.bind((LOOPBACK, 0))
    ports = [sender.getsockname()[1], *free_ports(1)]
    inputs = open_inputs(settings_for(ports), LatestSlot(), Telemetry(), MonotonicClock())
    assert states(inputs) == {"vmc": SourceState.BLOCKED, "ifacialmocap": SourceState.WAITING}
    trouble = inputs.status()[0].trouble
    assert trouble is not None
    assert str(ports[0]) in trouble
    assert all(service.stop() for service in inputs.services)


def test_all_ports_taken_is_an_error_unless_there_is_a_camera(sender: socket.socket) -> None:
    sender.bind((LOOPBACK, 0))
    ports = [sender.getsockname()[1], 1]
    settings = settings_for(ports, ifacialmocap={"enabled": False})
    with pytest.raises(PortInUse, match="is taken"):
        open_inputs(settings, LatestSlot(), Telemetry(), MonotonicClock())
    filmed = settings_for(ports, ifacialmocap={"enabled": False}, webcam={"enabled": True})
    inputs = open_inputs(filmed, LatestSlot(), Telemetry(), MonotonicClock())
    assert states(inputs) == {"vmc": SourceState.BLOCKED}


@pytest.mark.parametrize(
    ("options", "hosts"),
    [
        ({}, [LOOPBACK, LOOPBACK]),
        ({"lan": True}, [ANY_ADDRESS, ANY_ADDRESS]),
    ],
)
def test_only_the_settings_open_the_lan(options: dict[str, object], hosts: list[str]) -> None:
    settings = settings_for(free_ports(2), **options)
    inputs = open_inputs(settings, LatestSlot(), Telemetry(), MonotonicClock())
    assert [status.place.partition(":")[0] for status in inputs.status()] == hosts
    assert all(service.stop() for service in inputs.services)


def test_naming_the_phone_opens_the_lan_for_it_alone(sender: socket.socket) -> None:
    ports = free_ports(2)
    telemetry = Telemetry()
    settings = settings_for(ports, ifacialmocap={"port": ports[1], "phone": "192.0.2.20"})
    inputs = open_inputs(settings, LatestSlot(), telemetry, MonotonicClock())
    vmc, phone = inputs.status()
    assert vmc.place.startswith(LOOPBACK)
    assert phone.place.startswith(ANY_ADDRESS)
    with started(inputs):
        sender.sendto(encode_ifacialmocap(face_at(1.0, 0)), (LOOPBACK, ports[1]))
        deadline_s = time.monotonic() + PATIENCE_S
        while not telemetry.counters().get("tracking.turned_away.not_allowed"):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)


def test_empty_capture_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.udpcap"
    path.write_bytes(b"")
    with pytest.raises(VtbridgeError, match="holds no datagram"):
        play(bursts_of_capture(path, loop=True), (LOOPBACK, 9), MonotonicClock())


def test_refused_address_is_named() -> None:
    with pytest.raises(VtbridgeError, match=r"cannot send to 255\.255\.255\.255:9"):
        play([Burst(0.0, (b"abc",))], ("255.255.255.255", 9), MonotonicClock())
