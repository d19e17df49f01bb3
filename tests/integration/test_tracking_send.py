"""``vtbridge send`` plays the performance and captures to a real socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.support.captures import read_capture
from vtbridge.cli.send import address_from_option, send
from vtbridge.clock import NS_PER_S, MonotonicClock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import ConfigError, VtbridgeError
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.formats import ProtocolName
from vtbridge.tracking.protocols.fmv3 import Fmv3Protocol
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.livelink import LiveLinkProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.recordings.open import open_recording
from vtbridge.tracking.recordings.session import (
    Record,
    RecordedDatagram,
    RecordedFace,
    SessionHeader,
    encode_header,
    encode_record,
)
from vtbridge.tracking.senders.fmv3 import Fmv3Phone
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.phone import play_as_phone
from vtbridge.tracking.senders.playback import Burst, PlaybackSummary, RecordingBursts, play
from vtbridge.tracking.settings import TrackingSettings

T0 = 100 * NS_PER_S
APP = typer.Typer()
APP.command()(send)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def run_send(listener: socket.socket, *arguments: str) -> tuple[dict[str, Any], list[bytes]]:
    """Return the JSON that ``vtbridge send`` printed and the datagrams that came."""
    to = f"127.0.0.1:{listener.getsockname()[1]}"
    result = CliRunner().invoke(APP, [*arguments, "--to", to, "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["to"] == to
    return summary, [listener.recv(65_535) for _ in range(summary["datagrams"])]


@pytest.mark.parametrize(
    ("options", "protocol", "datagrams_per_frame"),
    [
        (["--protocol", "vmc"], VmcProtocol, 1),
        (["--protocol", "vmc", "--packing", "packets"], VmcProtocol, 3),
        (["--protocol", "vmc", "--packing", "single"], VmcProtocol, 57),
        (["--protocol", "ifacialmocap"], IFacialMocapProtocol, 1),
        (["--protocol", "ifacialmocap", "--text-version", "v1"], IFacialMocapProtocol, 1),
    ],
)
def test_performance_is_sent_as_the_chosen_protocol(
    listener: socket.socket,
    options: list[str],
    protocol: type[TrackerProtocol],
    datagrams_per_frame: int,
) -> None:
    summary, datagrams = run_send(listener, *options, "--seconds", "0.5", "--fps", "30")
    assert summary["bursts"] == 15
    assert summary["datagrams"] == 15 * datagrams_per_frame
    receiver = protocol()
    receiver.reset("test")
    frames = [f for i, d in enumerate(datagrams) for f in receiver.feed(d, i * 10_000_000)]
    assert len(frames) >= 15
    assert len(frames[-1].blendshapes) == 52


@pytest.mark.parametrize(
    "row",
    [row for row in PROTOCOLS if row.name != "fmv3"],  # a conversation of its own, below
    ids=lambda row: row.name,
)
def test_performance_is_sent_as_any_protocol_of_the_table(
    listener: socket.socket, row: ProtocolRow
) -> None:
    _, datagrams = run_send(listener, "--protocol", row.name, "--seconds", "0.5", "--fps", "30")
    receiver = row.create(TrackingSettings())
    receiver.reset("test")
    frames: list[FaceFrame] = []
    for number, datagram in enumerate(datagrams):
        assert receiver.recognises(datagram)
        frames += receiver.feed(datagram, (1 + number) * 20_000_000)
    assert len(frames) >= 14
    assert frames[-1].tracked
    assert frames[-1].blendshapes or frames[-1].presets


def test_names_on_the_command_line_are_those_of_the_table() -> None:
    assert {protocol.value for protocol in ProtocolName} == {row.name for row in PROTOCOLS}


class Fmv3Receiver(threading.Thread):
    """Speaks FMV3's other side on a real socket until it is joined."""

    def __init__(self, sock: socket.socket, *, phone: tuple[str, int] | None = None) -> None:
        super().__init__(daemon=True)
        self.faces: list[FaceFrame] = []
        self._sock = sock
        self._phone = phone
        self._protocol = Fmv3Protocol(None if phone is None else phone[0])
        self._protocol.reset("test")
        self._over = threading.Event()

    def run(self) -> None:
        self._sock.settimeout(0.05)
        while not self._over.is_set():
            greeting = self._protocol.greeting(time.monotonic_ns())
            if greeting is not None and self._phone is not None:
                self._sock.sendto(greeting.data, self._phone)
            with contextlib.suppress(TimeoutError):
                datagram, sender = self._sock.recvfrom(65_535)
                self.faces += self._protocol.feed(datagram, time.monotonic_ns())
                for reply in self._protocol.replies():
                    self._sock.sendto(reply, sender)

    def end(self) -> list[FaceFrame]:
        self._over.set()
        self.join()
        return self.faces


def test_as_fmv3_it_acts_as_the_phone_and_waits_to_be_acknowledged(
    listener: socket.socket,
) -> None:
    receiver = Fmv3Receiver(listener)
    receiver.start()
    to = f"127.0.0.1:{listener.getsockname()[1]}"
    arguments = ["--protocol", "fmv3", "--seconds", "1", "--to", to, "--json"]
    result = CliRunner().invoke(APP, arguments)
    assert result.exit_code == 0, result.output
    faces = receiver.end()
    assert len(faces) > 10
    assert set(faces[-1].blendshapes) == set(ARKIT_NAMES)
    assert faces[-1].head is not None


def test_fmv3_that_nobody_acknowledges_is_told(listener: socket.socket) -> None:
    to = f"127.0.0.1:{listener.getsockname()[1]}"
    result = CliRunner().invoke(APP, ["--protocol", "fmv3", "--seconds", "0.2", "--to", to])
    assert result.exit_code == 0, result.output
    assert "nobody at" in result.stderr
    assert "no face was sent" in result.stderr


def test_fmv3_phone_sends_to_whoever_asks_at_its_port(listener: socket.socket) -> None:
    phone = Fmv3Phone()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        asking: list[Fmv3Receiver] = []

        def ask_once_it_sends(sent: PlaybackSummary) -> None:
            if sent.bursts == 1:
                nobody.settimeout(10)
                asking.append(Fmv3Receiver(listener, phone=nobody.recvfrom(65_535)[1]))
                asking[0].start()

        play_as_phone(
            phone,
            nobody.getsockname(),
            MonotonicClock(),
            fps=60,
            seconds=2.0,
            on_sent=ask_once_it_sends,
        )
    assert phone.sending
    assert len(asking[0].end()) > 5


def session_of(folder: Path, *records: Record) -> Path:
    path = folder / "session.vtbrec"
    content = encode_header(SessionHeader("1")) + b"".join(map(encode_record, records))
    path.write_bytes(content)
    return path


def test_each_sender_of_a_recording_leaves_by_a_socket_and_to_a_port_of_its_own(
    listener: socket.socket, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(5)
        path = session_of(
            tmp_path,
            RecordedDatagram(T0, "vmc:10.0.0.1", "vmc", b"/VMC/a"),
            RecordedDatagram(T0 + 1, "livelink:10.0.0.2", "livelink", b"b"),
            RecordedDatagram(T0 + 2, "vmc:10.0.0.3", "vmc", b"/VMC/c"),
        )
        ports = {"vmc": listener.getsockname()[1], "livelink": other.getsockname()[1]}
        bursts = RecordingBursts(open_recording(path), ports=ports)
        sent = play(bursts, ("127.0.0.1", 9), MonotonicClock())
        assert sent.ports == (ports["vmc"], ports["livelink"])
        (first, first_from), (third, third_from) = (listener.recvfrom(100) for _ in range(2))
        assert (first, third, other.recv(100)) == (b"/VMC/a", b"/VMC/c", b"b")
        assert first_from != third_from


def test_faces_without_a_datagram_are_not_sent_and_that_is_said(
    listener: socket.socket, tmp_path: Path
) -> None:
    face = RecordedFace(T0 + 1, face_at(1.0, T0 + 1))
    path = session_of(tmp_path, RecordedDatagram(T0, "vmc:x", "vmc", b"/VMC"), face, face)
    summary, datagrams = run_send(listener, str(path))
    assert datagrams == [b"/VMC"]
    assert summary["faces_left_out"] == 2
    to = f"127.0.0.1:{listener.getsockname()[1]}"
    assert "2 faces of webcam or microphone were not sent" in (
        CliRunner().invoke(APP, [str(path), "--to", to]).stderr
    )
    alone = CliRunner().invoke(APP, [str(session_of(tmp_path, face)), "--to", to])
    assert isinstance(alone.exception, VtbridgeError)
    assert "holds no datagram" in str(alone.exception)


def test_live_link_csv_is_sent_as_live_links_datagrams(
    captures: Path, listener: socket.socket
) -> None:
    path = captures / "livelinkface_iphone_40s.csv.gz"
    _, datagrams = run_send(listener, str(path), "--speed", "50", "--seconds", "0.4")
    receiver = LiveLinkProtocol()
    receiver.reset("test")
    frames = [f for n, d in enumerate(datagrams) for f in receiver.feed(d, n)]
    wanted = next(open_recording(path).records())
    assert isinstance(wanted, RecordedFace)
    assert frames[0].blendshapes == pytest.approx(wanted.face.blendshapes, abs=1e-6)


def test_text_versions_differ_in_their_separator(listener: socket.socket) -> None:
    for version, separator in (("v1", b"jawOpen-"), ("v2", b"jawOpen&")):
        options = ("--protocol", "ifacialmocap", "--text-version", version, "--seconds", "0.1")
        _, datagrams = run_send(listener, *options)
        assert all(separator in datagram for datagram in datagrams)


def test_capture_is_sent_bit_for_bit(captures: Path, listener: socket.socket) -> None:
    capture = captures / "vmc_vmcp-pypi.udpcap"
    _, datagrams = run_send(listener, str(capture), "--speed", "10")
    assert datagrams == [datagram.data for datagram in read_capture(capture)]


def test_capture_is_looped_until_the_time_is_up(captures: Path, listener: socket.socket) -> None:
    capture = captures / "vmc_node-osc.udpcap"
    summary, datagrams = run_send(
        listener, str(capture), "--speed", "10", "--loop", "--seconds", "0.3"
    )
    assert summary["datagrams"] > 300  # one round is 120, of a tenth of a second
    assert datagrams[120:240] == datagrams[:120]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--loop"], "--loop repeats a recording"),
        (["--packing", "single", "--protocol", "livelink"], "--packing single is for vmc"),
        (["--text-version", "v1"], "--text-version v1 is for ifacialmocap, and vmc is sent"),
        (["a.udpcap", "--packing", "bundle"], "--packing is for the built-in performance"),
        (["a.udpcap", "--fps", "60"], "--fps is for the built-in performance, and a.udpcap"),
        (["a.udpcap", "--text-version", "v2"], "--text-version is for the built-in performance"),
    ],
)
def test_option_that_would_change_nothing_is_refused(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(APP, [*arguments, "--seconds", "0"])
    assert isinstance(result.exception, ConfigError)
    assert complaint in str(result.exception)


def unused_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_that_nobody_listens_is_told_once_and_sending_goes_on() -> None:
    to = f"127.0.0.1:{unused_port()}"
    result = CliRunner().invoke(APP, ["--to", to, "--seconds", "0.2", "--packing", "packets"])
    assert result.exit_code == 0, result.output
    assert result.stderr.count(f"nobody listens at {to}: is `vtbridge run` on?") == 1
    assert "sent 36 datagrams" in result.stdout


def test_receiver_that_is_there_brings_no_warning(listener: socket.socket) -> None:
    to = f"127.0.0.1:{listener.getsockname()[1]}"
    result = CliRunner().invoke(APP, ["--to", to, "--seconds", "0.1"])
    assert "nobody" not in result.stderr


@pytest.mark.parametrize("missed", [1, 2, 3])
def test_receiver_that_comes_late_gets_all_that_follows(missed: int) -> None:
    """What a connected socket reports about one datagram must not cost the next one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        address = ("127.0.0.1", unused_port())
        refused: list[tuple[str, int]] = []

        def come(sent: PlaybackSummary) -> None:
            if sent.bursts == missed:
                late.bind(address)
                late.settimeout(5)

        bursts = [Burst(0.0, (b"%d" % number,)) for number in range(missed + 3)]
        play(bursts, address, MonotonicClock(), on_sent=come, on_refused=refused.append)
        assert [int(late.recv(10)) - missed for _ in range(3)] == [0, 1, 2]
        assert refused == [address]


def test_missing_capture_is_named(listener: socket.socket) -> None:
    result = CliRunner().invoke(APP, ["missing.udpcap"])
    assert isinstance(result.exception, ConfigError)
    assert "missing.udpcap" in str(result.exception)


@pytest.mark.parametrize("name", ["folder", "x" * 300])
def test_unreadable_capture_is_told_with_the_reason(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    result = CliRunner().invoke(APP, [str(tmp_path / name), "--protocol", "vmc"])
    assert isinstance(result.exception, ConfigError)
    assert f"{tmp_path / name} cannot be read: " in str(result.exception)


def test_capture_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is no file"):
        open_recording(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("capture", "options", "port"),
    [
        ("vmc_node-osc", [], 39539),
        ("vmc_vmcp-pypi", [], 39539),
        ("ifacialmocap_v1_ExpressionAppBridge", [], 49983),
        ("openseeface_model0", [], 11573),
        ("osc_MediaPipe-OSC_8888", [], 8888),
        ("livelinkface_pylivelinkface", [], 11111),
        ("ifacialmocap_v1_ExpressionAppBridge", ["--protocol", "vmc"], 39539),
    ],
)
def test_capture_goes_to_the_port_of_its_own_protocol(
    captures: Path, capture: str, options: list[str], port: int
) -> None:
    arguments = [str(captures / f"{capture}.udpcap"), *options, "--seconds", "0", "--json"]
    result = CliRunner().invoke(APP, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["to"] == f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("to", "protocol", "address"),
    [
        (None, ProtocolName.VMC, ("127.0.0.1", 39539)),
        (None, ProtocolName.IFACIALMOCAP, ("127.0.0.1", 49983)),
        ("192.168.1.5", ProtocolName.VMC, ("192.168.1.5", 39539)),
        ("192.168.1.5:1234", ProtocolName.VMC, ("192.168.1.5", 1234)),
        (":1234", ProtocolName.VMC, ("127.0.0.1", 1234)),
        ("localhost:9", ProtocolName.VMC, ("127.0.0.1", 9)),
    ],
)
def test_destination_is_understood(
    to: str | None, protocol: ProtocolName, address: tuple[str, int]
) -> None:
    assert address_from_option(to, protocol) == address


@pytest.mark.parametrize(
    "to", ["127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:x", "127.0.0.1:", "a b"]
)
def test_senseless_destination_is_refused(to: str) -> None:
    with pytest.raises(ConfigError, match="--to"):
        address_from_option(to, ProtocolName.VMC)
