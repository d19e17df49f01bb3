"""A channel tells what its one protocol is doing, and answers only whom it listens to."""

from __future__ import annotations

import logging

import pytest

from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.protocol import Greeting, TrackerProtocol
from vtbridge.tracking.receivers.admission import SAME_HOST_SILENCE_NS, Address, Admission
from vtbridge.tracking.receivers.channel import SILENT_NS, UNANSWERED_NS, Channel
from vtbridge.tracking.source_status import SourceState, SourceStatus

ALICE: Address = ("192.168.1.20", 5000)
BOB: Address = ("192.168.1.21", 5000)


class Letters(TrackerProtocol):
    """A protocol of one byte: F is a face, N none, Q asks for an answer, V has a bad value."""

    name = "letters"

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self._asked = False
        self.phone = ""

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        return datagram[:1] in {b"F", b"N", b"Q", b"V"}

    def reset(self, source: str) -> None:
        self.sources.append(source)

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        if not self.recognises(datagram):
            raise PacketError("no letter", reason="not letters")
        self._asked = datagram == b"Q"
        self.values_dropped += datagram == b"V"
        tracked = datagram != b"N"
        return [] if self._asked else [FaceFrame(t_ns, self.sources[-1], tracked)]

    def greeting(self, t_ns: int) -> Greeting | None:
        return Greeting(b"hello", self.phone, 1) if self.phone else None

    def replies(self) -> list[bytes]:
        return [b"A"] if self._asked else []


class Notes:
    """A tap that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bytes, int, bool]] = []

    def datagram(self, source: str, data: bytes, t_ns: int, *, fresh: bool = False) -> None:
        self.told.append((source, data, t_ns, fresh))

    def face(self, face: FaceFrame) -> None:
        raise AssertionError("a channel has datagrams only")


class Desk:
    """A channel, its clock and all that it gives."""

    def __init__(self, *, guest_port: int | None = None) -> None:
        self.clock = ManualClock()
        self.telemetry = Telemetry(self.clock)
        self.faces: list[FaceFrame] = []
        self.notes = Notes()
        self.protocol = Letters()
        self.channel = Channel(
            self.protocol,
            Admission((), 2 * NS_PER_S),
            self.faces.append,
            self.telemetry,
            self.clock,
            title="Letters",
            guest_port=guest_port,
            tap=self.notes,
        )

    def take(self, datagram: bytes, sender: Address = ALICE) -> list[bytes]:
        return self.channel.take(datagram, sender, self.clock.now_ns())

    def status(self, trouble: str | None = None) -> SourceStatus:
        return self.channel.status("port 1", self.clock.now_ns(), trouble)


def test_state_follows_what_comes() -> None:
    desk = Desk()
    assert desk.status().state is SourceState.WAITING
    assert desk.status().source == "letters"
    desk.take(b"F")
    assert desk.status().state is SourceState.LIVE
    assert desk.status().source == "letters:192.168.1.20"
    desk.take(b"N")
    assert desk.status().state is SourceState.NO_FACE
    desk.take(b"F")
    desk.clock.advance(SILENT_NS / NS_PER_S)
    assert desk.status().state is SourceState.SILENT
    assert desk.status().fps == 0.0
    blocked = desk.status("its port is taken")
    assert (blocked.state, blocked.trouble) == (SourceState.BLOCKED, "its port is taken")


def test_sender_that_speaks_without_a_face_is_no_live_one() -> None:
    desk = Desk()
    desk.take(b"Q")
    assert desk.status().state is SourceState.NO_FACE
    desk.take(b"F")
    for _ in range(20):
        desk.clock.advance(0.1)
        desk.take(b"Q")
    assert desk.status().state is SourceState.NO_FACE


def test_rate_and_packets_are_counted() -> None:
    desk = Desk()
    for _ in range(60):
        desk.take(b"F")
        desk.clock.advance(0.02)
    status = desk.status()
    assert status.packets == 60
    assert status.fps == pytest.approx(50)
    assert status.last_ns == desk.clock.now_ns() - NS_PER_S // 50
    assert status.face == desk.faces[-1]


def test_what_is_refused_is_counted_by_reason_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    with caplog.at_level(logging.WARNING):
        desk.take(b"F")
        for _ in range(3):
            desk.take(b"x")
            assert desk.channel.refused
            desk.take(b"F", BOB)
            desk.take(b"V")
            assert not desk.channel.refused
    assert desk.status().rejects == {"not letters": 3, "other sender": 3, "bad values": 3}
    assert len(caplog.records) == 2
    desk.channel.report()
    counters = desk.telemetry.counters()
    assert counters["tracking.packets"] == 10
    assert counters["tracking.rejected.not_letters"] == counters["tracking.rejected"] == 3
    assert counters["tracking.turned_away.other_sender"] == 3
    assert counters["tracking.values_dropped"] == 3
    assert counters["tracking.frames"] == 4


def test_only_the_chosen_sender_is_answered_and_recorded() -> None:
    desk = Desk()
    assert desk.take(b"x", BOB) == []
    assert desk.take(b"Q") == [b"A"]
    assert desk.take(b"Q", BOB) == []
    assert desk.take(b"x") == []
    t_ns = desk.clock.now_ns()
    source = "letters:192.168.1.20"
    assert desk.notes.told == [(source, b"Q", t_ns, True), (source, b"x", t_ns, False)]


def test_next_program_of_a_host_begins_anew_and_so_does_the_next_host() -> None:
    desk = Desk()
    desk.take(b"F")
    desk.take(b"F")
    desk.clock.advance(SAME_HOST_SILENCE_NS / NS_PER_S)
    desk.take(b"F", (ALICE[0], 6000))
    desk.clock.advance(2)
    desk.take(b"F", BOB)
    alice, bob = "letters:192.168.1.20", "letters:192.168.1.21"
    assert desk.protocol.sources == [alice, alice, bob]
    assert [fresh for *_, fresh in desk.notes.told] == [True, False, True, True]
    assert len(desk.faces) == 4


def test_sender_with_a_new_port_for_each_message_keeps_what_it_said() -> None:
    desk = Desk()
    for port in range(6000, 6010):
        desk.take(b"F", (ALICE[0], port))
    assert desk.protocol.sources == ["letters:192.168.1.20"]
    assert [fresh for *_, fresh in desk.notes.told] == [True, *[False] * 9]


def test_guest_is_told_apart_from_the_same_protocol_at_its_own_port() -> None:
    desk = Desk(guest_port=9000)
    assert desk.status().source == "letters"
    desk.take(b"F")
    guest = "letters:192.168.1.20@9000"
    assert (desk.faces[0].source, desk.status().source, desk.notes.told[0][0]) == (guest,) * 3


def test_candidate_that_is_refused_leaves_the_place_to_the_next() -> None:
    desk = Desk()
    desk.take(b"F")
    desk.clock.advance(3)
    desk.take(b"x", BOB)
    desk.take(b"F")
    assert [face.source for face in desk.faces] == ["letters:192.168.1.20"] * 2


def test_phone_that_does_not_answer_is_told_after_a_while_and_once_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    desk.protocol.phone = ALICE[0]
    assert desk.status().asked is None, "nobody was asked yet"
    for _ in range(UNANSWERED_NS // NS_PER_S):
        assert desk.channel.greeting(desk.clock.now_ns()) is not None
        status = desk.status()
        assert (status.asked, status.state, status.trouble) == (
            ALICE[0],
            SourceState.WAITING,
            None,
        )
        desk.clock.advance(1)
    for _ in range(3):
        desk.channel.greeting(desk.clock.now_ns())
    silent = desk.status()
    assert silent.state is SourceState.WAITING, "its port is all right"
    assert silent.trouble is not None
    assert silent.trouble.startswith(f"{ALICE[0]} was asked 8 times and is silent: ")
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert ALICE[0] in warning.getMessage()


def test_phone_that_answers_is_not_called_silent() -> None:
    desk = Desk()
    desk.protocol.phone = ALICE[0]
    for _ in range(10):
        desk.channel.greeting(desk.clock.now_ns())
        desk.take(b"F")
        desk.clock.advance(1)
        desk.channel.greeting(desk.clock.now_ns())
        assert desk.status().trouble is None
    desk.take(b"F")
    desk.channel.greeting(desk.clock.now_ns())
    assert desk.status().asked is None, "it speaks"


def test_phone_that_fell_silent_is_asked_for() -> None:
    desk = Desk()
    desk.protocol.phone = ALICE[0]
    desk.take(b"F")
    desk.clock.advance(2)
    desk.channel.greeting(desk.clock.now_ns())
    assert (desk.status().asked, desk.status().state) == (ALICE[0], SourceState.SILENT)
    desk.clock.advance(UNANSWERED_NS / NS_PER_S)
    assert "asked 1 times" in str(desk.status().trouble)
    desk.take(b"F")
    assert (desk.status().asked, desk.status().trouble) == (None, None)
