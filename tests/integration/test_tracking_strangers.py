"""A port on loopback that strangers send to as well: nothing broken, nobody confused."""

from __future__ import annotations

import itertools
import logging
import select
import socket
import threading
import time
from ipaddress import IPv4Network

import psutil
import pytest

from tests.support.flood import finish_flood, start_flood
from tests.support.inlet import PATIENCE_S, Opener
from vtbridge.clock import NS_PER_S, ManualClock, MonotonicClock
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.formats import Packing
from vtbridge.tracking.protocols.protocol import QUIET_NS
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.receivers import admission
from vtbridge.tracking.receivers.admission import Admission
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.udp import LOOPBACK, UdpReceiver
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.playback import PlaybackSummary, bursts_of_performance, play
from vtbridge.tracking.senders.vmc import encode_vmc


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
