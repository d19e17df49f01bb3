"""A phone over TCP on loopback: asked, heard, lost and found again."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network

import pytest

from tests.support.daemon import network_inputs
from vtbridge.clock import NS_PER_S, Clock, ManualClock, MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PortInUse
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.ifacialmocap import GREETING, IFacialMocapProtocol
from vtbridge.tracking.protocols.stream import MAX_TEXT_BYTES, TEXT_END, TextFramer
from vtbridge.tracking.receivers.admission import Admission
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.inputs import open_inputs
from vtbridge.tracking.receivers.tcp import HALF_OPEN_NS, Acceptor, Dialer, TcpReceiver
from vtbridge.tracking.receivers.udp import LOOPBACK
from vtbridge.tracking.senders.ifacialmocap import encode_ifacialmocap
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.settings import TrackingSettings
from vtbridge.tracking.source_status import SourceState

PATIENCE_S = 20.0


def record(t_s: float) -> bytes:
    return encode_ifacialmocap(face_at(t_s, 0)) + TEXT_END


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@contextmanager
def started(receiver: TcpReceiver) -> Iterator[TcpReceiver]:
    receiver.start()
    try:
        yield receiver
    finally:
        assert receiver.stop()
    assert receiver.failure is None


class Phone:
    """A fake phone: hears greetings over UDP, and streams over TCP either way."""

    def __init__(self) -> None:
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((LOOPBACK, 0))
        self.udp.settimeout(PATIENCE_S)
        self.listener = socket.create_server((LOOPBACK, 0))
        self.listener.settimeout(PATIENCE_S)

    @property
    def tcp_address(self) -> tuple[str, int]:
        return LOOPBACK, self.listener.getsockname()[1]

    def channel(
        self,
        faces: list[FaceFrame],
        clock: Clock,
        telemetry: Telemetry,
        *,
        allowed: str = LOOPBACK,
    ) -> Channel:
        return Channel(
            IFacialMocapProtocol(LOOPBACK, phone_port=self.udp.getsockname()[1], ask_for_v2=False),
            Admission([IPv4Network(allowed)], 2 * NS_PER_S),
            faces.append,
            telemetry,
            clock,
        )

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE_S)
        return connection


@pytest.fixture
def phone() -> Iterator[Phone]:
    made = Phone()
    yield made
    made.udp.close()
    made.listener.close()


def acceptor(
    phone: Phone,
    faces: list[FaceFrame],
    telemetry: Telemetry,
    *,
    wanted: str = LOOPBACK,
    clock: Clock | None = None,
) -> Acceptor:
    clock = clock or MonotonicClock()
    made = Acceptor(
        phone.channel(faces, clock, telemetry, allowed=wanted),
        TextFramer,
        telemetry,
        clock,
        host=LOOPBACK,
        port=0,
    )
    made.bind()
    return made


def dialer(phone: Phone, faces: list[FaceFrame], clock: Clock) -> Dialer:
    telemetry = Telemetry()
    channel = phone.channel(faces, clock, telemetry)
    return Dialer(channel, TextFramer, telemetry, clock, phone=phone.tcp_address)


def test_phone_is_asked_connects_and_is_heard(phone: Phone) -> None:
    faces: list[FaceFrame] = []
    receiver = acceptor(phone, faces, Telemetry())
    with started(receiver):
        greeting, _ = phone.udp.recvfrom(1000)
        assert greeting == GREETING
        with socket.create_connection((LOOPBACK, receiver.port)) as stream:
            stream.sendall(record(0.0)[:100])
            stream.sendall(record(0.0)[100:] + record(1.0) + record(2.0)[:-1])
            wait_for(lambda: len(faces) == 2)
            (status,) = receiver.status()
            assert status.state is SourceState.LIVE
            assert status.source == "ifacialmocap:127.0.0.1"
            assert status.place == f"tcp 127.0.0.1:{receiver.port}"
            assert faces[1].blendshapes == pytest.approx(face_at(1.0, 0).blendshapes, abs=0.01)


def test_phone_that_comes_back_is_heard_again_from_its_first_record(phone: Phone) -> None:
    faces: list[FaceFrame] = []
    receiver = acceptor(phone, faces, Telemetry())
    with started(receiver):
        for visit in range(3):
            with socket.create_connection((LOOPBACK, receiver.port)) as stream:
                stream.sendall(record(float(visit)))
                wait_for(lambda wanted=visit + 1: len(faces) == wanted)  # type: ignore[misc]


def test_phone_that_hung_up_is_asked_again_at_once(phone: Phone) -> None:
    faces: list[FaceFrame] = []
    receiver = acceptor(phone, faces, Telemetry(), clock=ManualClock())  # no time goes by
    with started(receiver):
        for visit in range(2):
            assert phone.udp.recvfrom(1000)[0] == GREETING
            with socket.create_connection((LOOPBACK, receiver.port)) as stream:
                stream.sendall(record(float(visit)))
                wait_for(lambda wanted=visit + 1: len(faces) == wanted)  # type: ignore[misc]


def test_connection_of_a_stranger_is_hung_up(
    phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    faces: list[FaceFrame] = []
    telemetry = Telemetry()
    receiver = acceptor(phone, faces, telemetry, wanted="192.0.2.20")
    with caplog.at_level(logging.WARNING), started(receiver):
        for _ in range(3):
            with socket.create_connection((LOOPBACK, receiver.port)) as stream:
                stream.settimeout(PATIENCE_S)
                assert stream.recv(1) == b""
    assert telemetry.counters()["tracking.turned_away.not_allowed"] == 3
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert faces == []


def test_damage_costs_only_itself(phone: Phone) -> None:
    faces: list[FaceFrame] = []
    telemetry = Telemetry()
    receiver = acceptor(phone, faces, telemetry)
    with started(receiver), socket.create_connection((LOOPBACK, receiver.port)) as stream:
        stream.sendall(record(0.0))
        stream.sendall(b"x" * (3 * MAX_TEXT_BYTES) + TEXT_END + b"junk" + TEXT_END)
        stream.sendall(record(1.0))
        wait_for(lambda: len(faces) == 2)
        (status,) = receiver.status()
        assert status.rejects["ifacialmocap size"] >= 1
        assert status.rejects["not ifacialmocap"] == 1


def test_taken_port_is_named_and_tried_again(phone: Phone) -> None:
    clock = MonotonicClock()
    port = phone.tcp_address[1]
    receiver = Acceptor(
        phone.channel([], clock, Telemetry()),
        TextFramer,
        Telemetry(),
        clock,
        host=LOOPBACK,
        port=port,
    )
    with pytest.raises(PortInUse, match=f"TCP port {port}"):
        receiver.bind()
    with started(receiver):
        wait_for(lambda: receiver.status()[0].state is SourceState.BLOCKED)
        phone.listener.close()
        wait_for(lambda: receiver.status()[0].state is SourceState.WAITING)


def test_phone_is_dialled_asked_on_the_line_and_dialled_again(phone: Phone) -> None:
    faces: list[FaceFrame] = []
    with started(dialer(phone, faces, MonotonicClock())):
        for visit in range(2):
            with phone.accept() as stream:
                if visit == 0:
                    assert stream.recv(1000) == GREETING
                stream.sendall(record(float(visit)))
                wait_for(lambda wanted=visit + 1: len(faces) == wanted)  # type: ignore[misc]


def test_line_that_went_dead_is_left_and_dialled_anew(phone: Phone) -> None:
    faces: list[FaceFrame] = []
    clock = ManualClock()
    with started(dialer(phone, faces, clock)) as receiver, phone.accept() as dead:
        dead.sendall(record(0.0))
        wait_for(lambda: len(faces) == 1)
        clock.advance(HALF_OPEN_NS / NS_PER_S)
        with phone.accept() as second:  # although the first was never closed
            second.sendall(record(1.0))
            wait_for(lambda: len(faces) == 2)
            assert receiver.status()[0].state is SourceState.LIVE


def test_line_on_which_nothing_usable_comes_is_left_though_bytes_do(phone: Phone) -> None:
    faces: list[FaceFrame] = []
    clock = ManualClock()
    with started(dialer(phone, faces, clock)) as receiver, phone.accept() as useless:
        useless.sendall(record(0.0))
        wait_for(lambda: len(faces) == 1)
        clock.advance(HALF_OPEN_NS / NS_PER_S - 0.5)
        useless.sendall(b"junk" + TEXT_END)
        wait_for(lambda: "not ifacialmocap" in receiver.status()[0].rejects)
        clock.advance(0.5)
        useless.sendall(b"half a rec")
        with phone.accept() as second:
            second.sendall(record(1.0))
            wait_for(lambda: len(faces) == 2)


@pytest.mark.parametrize(
    ("sent", "waits_s"), [(b"junk" + TEXT_END, [0.5, 1.0]), (record(0.0), [0.5, 0.5])]
)
def test_phone_whose_every_record_is_refused_is_dialled_ever_more_seldom(
    phone: Phone, monkeypatch: pytest.MonkeyPatch, sent: bytes, waits_s: list[float]
) -> None:
    receiver = dialer(phone, [], MonotonicClock())
    waited: list[float | None] = []
    monkeypatch.setattr(receiver.stopping, "wait", lambda timeout=None: waited.append(timeout))
    with started(receiver):
        for _ in waits_s:
            with phone.accept() as stream:
                stream.sendall(sent)
        phone.accept().close()
    assert waited[: len(waits_s)] == waits_s


def test_counts_are_handed_on_while_a_phone_sends_without_pause(phone: Phone) -> None:
    telemetry = Telemetry()
    receiver = acceptor(phone, [], telemetry)
    with started(receiver), socket.create_connection((LOOPBACK, receiver.port)) as stream:

        def counted() -> bool:
            stream.sendall(record(0.0))
            return telemetry.counters().get("tracking.frames", 0) > 0

        wait_for(counted)


def test_phone_that_does_not_answer_is_told_with_what_to_look_at(phone: Phone) -> None:
    unanswered = dialer(phone, [], MonotonicClock())
    phone.listener.close()
    with started(unanswered) as receiver:
        wait_for(lambda: receiver.status()[0].state is SourceState.BLOCKED)
        assert "does not answer" in str(receiver.status()[0].trouble)


def test_settings_alone_bring_a_phone_over_tcp() -> None:
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]
    tables: dict[str, object] = {name: {"enabled": False} for name in network_inputs()}
    tables["ifacialmocap"] = {"phone": LOOPBACK, "transport": "tcp", "tcp_port": port}
    slot: LatestSlot[FaceFrame] = LatestSlot()
    settings = TrackingSettings.model_validate(tables)
    inputs = open_inputs(settings, slot, Telemetry(), MonotonicClock())
    (receiver,) = inputs.services
    receiver.start()
    try:
        connections: list[socket.socket] = []

        def connected() -> bool:
            try:
                connections.append(socket.create_connection((LOOPBACK, port)))
            except ConnectionRefusedError:
                return False
            return True

        wait_for(connected)
        with connections[0] as stream:
            stream.sendall(record(1.0))
            found = slot.wait_newer(0, timeout_s=PATIENCE_S)
        assert found is not None
        assert found.value.source == "ifacialmocap:127.0.0.1"
    finally:
        assert receiver.stop()
