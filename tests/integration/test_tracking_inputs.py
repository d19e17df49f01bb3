"""Every tracker is heard where the settings say, over real sockets on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.support.daemon import free_udp_port, free_udp_ports, network_inputs
from tests.support.inputs import started
from vtbridge.clock import NS_PER_S, MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.fmv3 import Fmv3Protocol
from vtbridge.tracking.protocols.stream import Fmv3Framer
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow, Wire
from vtbridge.tracking.receivers.admission import Admission
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.inputs import Inputs, open_inputs
from vtbridge.tracking.receivers.udp import LOOPBACK, UdpReceiver
from vtbridge.tracking.senders.fmv3 import Fmv3Phone
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.vmc import encode_vmc
from vtbridge.tracking.settings import TrackingSettings
from vtbridge.tracking.source_status import SourceState

PATIENCE_S = 20.0


def settings_like_the_defaults() -> TrackingSettings:
    """Return every input enabled, those that share a port by default on one free port."""
    defaults = TrackingSettings()
    usual = {name: getattr(defaults, name).port for name in network_inputs()}
    distinct = sorted(set(usual.values()))
    chosen = dict(zip(distinct, free_udp_ports(len(distinct)), strict=True))
    return TrackingSettings.model_validate(
        {name: {"port": chosen[port]} for name, port in usual.items()}
    )


def running(
    settings: TrackingSettings, slot: LatestSlot[FaceFrame]
) -> AbstractContextManager[Inputs]:
    return started(open_inputs(settings, slot, Telemetry(), MonotonicClock()))


def perform(row: ProtocolRow, port: int, slot: LatestSlot[FaceFrame]) -> FaceFrame:
    """Send the performance as ``row`` until a face arrives that moves its mouth."""
    encode = row.encoder()
    start_s = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while (t_s := time.monotonic() - start_s) < PATIENCE_S:
            for datagram in encode(face_at(2.0 + t_s, round(t_s * NS_PER_S))):
                sender.sendto(datagram, (LOOPBACK, port))
            newest = slot.wait_newer(0, timeout_s=0.02)
            if newest is not None and newest.value.tracked:
                return newest.value
    raise AssertionError(f"no face from {row.name}")


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row.name)
def test_each_protocol_is_heard_at_its_port_among_all_others(row: ProtocolRow) -> None:
    settings = settings_like_the_defaults()
    slot: LatestSlot[FaceFrame] = LatestSlot()
    with running(settings, slot) as inputs:
        face = perform(row, row.settings(settings).port, slot)
        assert face.source.split("#")[0] == f"{row.name}:{LOOPBACK}"
        live = [status for status in inputs.status() if status.state is SourceState.LIVE]
        assert [status.source for status in live] == [f"{row.name}:{LOOPBACK}"]
        assert live[0].title == row.title
        assert live[0].rejects == {}


@pytest.mark.parametrize(
    "row", [row for row in PROTOCOLS if row.wire is Wire.OSC], ids=lambda row: row.name
)
def test_each_osc_protocol_is_heard_at_the_port_of_another(row: ProtocolRow) -> None:
    settings = settings_like_the_defaults()
    other = next(r for r in PROTOCOLS if r.wire is Wire.OSC and r.name != row.name)
    slot: LatestSlot[FaceFrame] = LatestSlot()
    with running(settings, slot) as inputs:
        waiting = len(inputs.status())
        face = perform(row, other.settings(settings).port, slot)
        assert face.source == f"{row.name}:{LOOPBACK}@{other.settings(settings).port}"
        assert len(inputs.status()) == waiting + 1, "guests are shown once they come"


def test_two_senders_of_one_protocol_at_two_ports_do_not_take_turns() -> None:
    settings = settings_like_the_defaults()
    ports = (settings.vmc.port, settings.vrcft.port)
    slot: LatestSlot[FaceFrame] = LatestSlot(history=1000)
    with running(settings, slot) as inputs, contextlib.ExitStack() as stack:
        senders = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in ports
        ]
        deadline_s = time.monotonic() + PATIENCE_S
        while len([status for status in inputs.status() if status.packets >= 10]) < 2:
            assert time.monotonic() < deadline_s
            for sender, port in zip(senders, ports, strict=True):
                for datagram in encode_vmc(FaceFrame(0, presets={"aa": 0.5})):
                    sender.sendto(datagram, (LOOPBACK, port))
            time.sleep(0.005)
        heard = {status.source for status in inputs.status() if status.packets}
    assert heard == {f"vmc:{LOOPBACK}", f"vmc:{LOOPBACK}@{settings.vrcft.port}"}
    assert len({shown.value.source for shown in slot.newer(0)}) == 1


@pytest.mark.parametrize(
    ("tables", "wanted"),
    [
        ({}, "facemotion3d"),
        ({"ifacialmocap": {"phone": LOOPBACK}}, "ifacialmocap"),
        ({"facemotion3d": {"phone": LOOPBACK}}, "facemotion3d"),
    ],
)
def test_text_of_two_apps_is_that_of_the_one_whose_phone_sends_it(
    tables: dict[str, dict[str, Any]], wanted: str
) -> None:
    port = free_udp_port()
    chosen: dict[str, Any] = {name: {"enabled": False} for name in network_inputs()}
    for name in ("ifacialmocap", "facemotion3d"):
        chosen[name] = {"port": port} | tables.get(name, {})
    slot: LatestSlot[FaceFrame] = LatestSlot()
    with (
        running(TrackingSettings.model_validate(chosen), slot),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.sendto(b"eyeBlinkLeft&29|jawOpen&3|=head#1,2,3,0,0,0|", (LOOPBACK, port))
        newest = slot.wait_newer(0, timeout_s=PATIENCE_S)
        assert newest is not None
        assert newest.value.source == f"{wanted}:{LOOPBACK}"


class PhoneThread:
    """A phone that speaks FMV3 with whoever greets it, by UDP or over one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.settimeout(0.01)
        self._stopping = threading.Event()
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(PATIENCE_S)
        self._sock.close()

    def _run(self) -> None:
        if self._sock.type == socket.SOCK_DGRAM:
            self._serve_datagrams()
            return
        with contextlib.suppress(ConnectionError):  # the receiver was stopped first
            self._serve_stream()

    def _serve_datagrams(self) -> None:
        phone, peer = Fmv3Phone(), None
        while not self._stopping.is_set():
            answers: list[bytes] = []
            try:
                data, peer = self._sock.recvfrom(2000)
                self.heard.append(data)
                answers = phone.receive(data, time.monotonic_ns())
            except TimeoutError:
                pass
            if peer is not None:
                now_ns = time.monotonic_ns()
                for datagram in (*answers, *phone.frames(face_at(1.0, now_ns))):
                    self._sock.sendto(datagram, peer)

    def _serve_stream(self) -> None:
        phone, framer = Fmv3Phone(transport="tcp"), Fmv3Framer()
        self._sock.settimeout(PATIENCE_S)
        stream, _ = self._sock.accept()
        with stream:
            stream.settimeout(0.01)
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    for message in framer.feed(stream.recv(2000)):
                        self.heard.append(message)
                        stream.sendall(b"".join(phone.receive(message, time.monotonic_ns())))
                stream.sendall(b"".join(phone.frames(face_at(1.0, time.monotonic_ns()))))


def test_v3_phone_is_greeted_acknowledged_and_kept_awake() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((LOOPBACK, 0))
    faces: list[FaceFrame] = []
    clock, telemetry = MonotonicClock(), Telemetry()
    protocol = Fmv3Protocol(LOOPBACK, phone_port=sock.getsockname()[1])
    channel = Channel(protocol, Admission((), 2 * NS_PER_S), faces.append, telemetry, clock)
    receiver = UdpReceiver([channel], telemetry, clock)
    receiver.bind()
    phone = PhoneThread(sock)
    receiver.start()
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while len(faces) < 10 and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert len(faces) >= 10
        assert faces[-1].blendshapes == pytest.approx(face_at(1.0, 0).blendshapes, abs=0.006)
        kinds = [datagram[4] for datagram in phone.heard]
        assert kinds[0] == 1, "HELLO comes first"
        assert {3, 6} <= set(kinds), "SCHEMA_ACK and PING follow"
    finally:
        assert receiver.stop()
        phone.stop()


def test_v3_phone_is_heard_over_tcp_by_settings_alone() -> None:
    listener = socket.create_server((LOOPBACK, 0))
    tables: dict[str, Any] = {name: {"enabled": False} for name in network_inputs()}
    tables["fmv3"] = {
        "phone": LOOPBACK,
        "transport": "tcp",
        "tcp_port": listener.getsockname()[1],
    }
    phone = PhoneThread(listener)
    slot: LatestSlot[FaceFrame] = LatestSlot()
    try:
        with running(TrackingSettings.model_validate(tables), slot) as inputs:
            newest = slot.wait_newer(0, timeout_s=PATIENCE_S)
            assert newest is not None
            assert newest.value.source == f"fmv3:{LOOPBACK}"
            (status,) = inputs.status()
            assert status.place == f"tcp {LOOPBACK}:{tables['fmv3']['tcp_port']}"
            assert status.state is SourceState.LIVE
    finally:
        phone.stop()
