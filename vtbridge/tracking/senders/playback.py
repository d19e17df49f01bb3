"""Send recordings or the built-in performance to a receiver, at their own pace."""

from __future__ import annotations

import contextlib
import errno
import itertools
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.recordings.open import Recording, open_recording
from vtbridge.tracking.recordings.session import Record, RecordedDatagram, RecordedFace
from vtbridge.tracking.senders.performance import face_at

Address = tuple[str, int]
Encode = Callable[[FaceFrame], list[bytes]]

_USUAL_INTERVAL_S = 1 / 60
_MAX_SENDERS = 64


@dataclass(frozen=True, slots=True)
class Burst:
    """Datagrams that leave together.

    Attributes:
        t_s: seconds after the first.
        datagrams: in their order.
        sender: whose they are; each sender leaves by a socket of its own.
        port: where they go, None where everything goes.
    """

    t_s: float
    datagrams: tuple[bytes, ...]
    sender: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True)
class PlaybackSummary:
    """What was sent, and to which ports."""

    bursts: int
    datagrams: int
    bytes: int
    seconds: float
    ports: tuple[int, ...] = ()


def bursts_of_performance(encode: Encode, fps: float) -> Iterator[Burst]:
    """Yield the performance ``fps`` times a second, without end."""
    for number in itertools.count():
        t_s = number / fps
        yield Burst(t_s, tuple(encode(face_at(t_s, round(t_s * NS_PER_S)))))


class RecordingBursts:
    """The datagrams of a recording at their times; iterate once.

    Attributes:
        faces_left_out: faces passed over so far that no datagram carried: those of webcam
            and microphone.

    Args:
        recording: what to send.
        ports: where each protocol's datagrams go; empty = all where ``play`` sends to.
        loop: begin again at the end.
        encode: writes the faces of a recording whose ``faces_are`` is a protocol.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        ports: Mapping[str, int] = MappingProxyType({}),
        loop: bool = False,
        encode: Encode | None = None,
    ) -> None:
        self.faces_left_out = 0
        self._recording = recording
        self._ports = ports
        self._loop = loop
        self._encode = encode

    def __iter__(self) -> Iterator[Burst]:
        """Yield the bursts in order of time.

        Raises:
            PacketError: the file is damaged; what was yielded before is good.
            OSError: it cannot be read.
            VtbridgeError: it holds no datagram.
        """
        start_s = last_s = 0.0
        first_ns: int | None = None
        is_empty = True
        while True:
            for record in self._recording.records():
                first_ns = record.t_ns if first_ns is None else first_ns
                last_s = start_s + (record.t_ns - first_ns) / NS_PER_S
                burst = self._burst(record, last_s)
                if burst is not None:
                    is_empty = False
                    yield burst
            if is_empty:
                raise VtbridgeError(f"{self._recording.path} holds no datagram; nothing was sent")
            if not self._loop:
                return
            start_s = last_s + _USUAL_INTERVAL_S

    def _burst(self, record: Record, t_s: float) -> Burst | None:
        match record:
            case RecordedDatagram(_, source, protocol, data):
                return Burst(t_s, (data,), source, self._ports.get(protocol))
            case RecordedFace(_, face) if self._encode is not None:
                port = self._ports.get(self._recording.faces_are or "")
                return Burst(t_s, tuple(self._encode(face)), face.source, port)
            case RecordedFace():
                self.faces_left_out += 1
        return None


def bursts_of_capture(path: Path, *, loop: bool = False) -> Iterator[Burst]:
    """Yield the datagrams of any recording at their times, again and again if ``loop``.

    Raises:
        VtbridgeError: as ``open_recording`` and ``RecordingBursts`` raise it.
    """
    return iter(RecordingBursts(open_recording(path), loop=loop))


def play(
    bursts: Iterable[Burst],
    to: Address,
    clock: Clock,
    *,
    speed: float = 1.0,
    seconds: float | None = None,
    on_sent: Callable[[PlaybackSummary], object] = lambda summary: None,
    on_refused: Callable[[Address], object] = lambda address: None,
) -> PlaybackSummary:
    """Send each burst at its time and return what was sent.

    Args:
        bursts: what to send; ``t_s`` never falls.
        to: IPv4 address and port, the latter for bursts that name none.
        clock: paces the bursts.
        speed: 2 = twice as fast.
        seconds: stop after this long by ``clock``, None = when ``bursts`` end.
        on_sent: told after each burst, on this thread; may raise to end the playback.
        on_refused: told once of each address where nobody listens, as far as its host says
            so; what is sent there goes on.

    Raises:
        VtbridgeError: the system refuses to send there.
    """
    sent = PlaybackSummary(0, 0, 0, 0.0)
    refused: set[Address] = set()
    start_ns = clock.now_ns()
    with contextlib.ExitStack() as stack:
        outlets: dict[tuple[str, int], _Outlet] = {}
        for burst in bursts:
            since_start_s = burst.t_s / speed
            if seconds is not None and since_start_s >= seconds:
                break
            port = to[1] if burst.port is None else burst.port
            address = to[0], port
            key = burst.sender, port
            if key not in outlets and len(outlets) >= _MAX_SENDERS:
                key = "", port  # all further senders share one socket a port
            if key not in outlets:
                outlets[key] = stack.enter_context(contextlib.closing(_Outlet(address)))
            outlet = outlets[key]
            clock.sleep_until(start_ns + round(since_start_s * NS_PER_S))
            for datagram in burst.datagrams:
                outlet.send(datagram)
            if address not in refused and outlet.refused:
                refused.add(address)
                on_refused(address)
            sent = PlaybackSummary(
                sent.bursts + 1,
                sent.datagrams + len(burst.datagrams),
                sent.bytes + sum(map(len, burst.datagrams)),
                (clock.now_ns() - start_ns) / NS_PER_S,
                sent.ports if port in sent.ports else (*sent.ports, port),
            )
            on_sent(sent)
    return sent


class _Outlet:
    """A UDP socket connected to ``to``, which is told when nobody listens there (ICMP).

    Raises:
        VtbridgeError: the system knows no way there.
    """

    def __init__(self, to: Address) -> None:
        self._to = to
        self._refused = False
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._sock.connect(to)
        except OSError as error:
            self._sock.close()
            raise _unsendable(to, error) from error

    @property
    def refused(self) -> bool:
        """True once the receiver's host answered that nobody listens."""
        pending = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._refused |= pending == errno.ECONNREFUSED
        return self._refused

    def send(self, datagram: bytes) -> None:
        """Send one datagram, also where an earlier one was refused.

        Raises:
            VtbridgeError: the system refuses; the message names the address.
        """
        try:
            for _ in range(2):  # the first time may report what became of the one before
                with contextlib.suppress(ConnectionRefusedError):
                    self._sock.send(datagram)
                    return
                self._refused = True
        except OSError as error:
            raise _unsendable(self._to, error) from error

    def close(self) -> None:
        """Give the socket back."""
        self._sock.close()


def send_datagram(sock: socket.socket, datagram: bytes, to: Address) -> None:
    """Send one datagram.

    Raises:
        VtbridgeError: the system refuses; the message names the address.
    """
    try:
        sock.sendto(datagram, to)
    except OSError as error:
        raise _unsendable(to, error) from error


def _unsendable(to: Address, error: OSError) -> VtbridgeError:
    return VtbridgeError(
        f"cannot send to {to[0]}:{to[1]}: {error.strerror}; check the address and the network"
    )
