"""Send captures or the built-in performance to a receiver, at their own pace."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.recordings.udpcap import iter_capture, read_capture
from vtbridge.tracking.senders.performance import face_at

Address = tuple[str, int]

_USUAL_INTERVAL_S = 1 / 60


@dataclass(frozen=True, slots=True)
class Burst:
    """Datagrams that leave together, ``t_s`` seconds after the first."""

    t_s: float
    datagrams: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PlaybackSummary:
    """What was sent."""

    bursts: int
    datagrams: int
    bytes: int
    seconds: float


def bursts_of_performance(
    encode: Callable[[FaceFrame], list[bytes]], fps: float
) -> Iterator[Burst]:
    """Yield the performance ``fps`` times a second, without end."""
    for number in itertools.count():
        t_s = number / fps
        yield Burst(t_s, tuple(encode(face_at(t_s, round(t_s * NS_PER_S)))))


def bursts_of_capture(path: Path, *, loop: bool = False) -> Iterator[Burst]:
    """Yield a capture's datagrams at their times, again and again if ``loop``.

    Raises:
        PacketError: the file is no capture.
        OSError: it cannot be read.
        VtbridgeError: it holds no datagram.
    """
    capture = read_capture(path) if loop else iter_capture(path)
    start_s = last_s = 0.0
    empty = True
    while True:
        for datagram in capture:
            empty = False
            last_s = start_s + datagram.t_s
            yield Burst(last_s, (datagram.data,))
        if empty:
            raise VtbridgeError(f"{path} holds no datagram; nothing was sent")
        if not loop:
            return
        start_s = last_s + _USUAL_INTERVAL_S


def play(
    bursts: Iterable[Burst],
    to: Address,
    clock: Clock,
    *,
    speed: float = 1.0,
    seconds: float | None = None,
    on_sent: Callable[[PlaybackSummary], object] = lambda summary: None,
) -> PlaybackSummary:
    """Send each burst at its time and return what was sent.

    Args:
        bursts: what to send; ``t_s`` never falls.
        to: IPv4 address and port.
        clock: paces the bursts.
        speed: 2 = twice as fast.
        seconds: stop after this long by ``clock``, None = when ``bursts`` end.
        on_sent: told after each burst, on this thread; may raise to end the playback.

    Raises:
        VtbridgeError: the system refuses to send there.
    """
    sent = PlaybackSummary(0, 0, 0, 0.0)
    start_ns = clock.now_ns()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for burst in bursts:
            since_start_s = burst.t_s / speed
            if seconds is not None and since_start_s >= seconds:
                break
            clock.sleep_until(start_ns + round(since_start_s * NS_PER_S))
            for datagram in burst.datagrams:
                _send(sock, datagram, to)
            sent = PlaybackSummary(
                sent.bursts + 1,
                sent.datagrams + len(burst.datagrams),
                sent.bytes + sum(map(len, burst.datagrams)),
                (clock.now_ns() - start_ns) / NS_PER_S,
            )
            on_sent(sent)
    return sent


def _send(sock: socket.socket, datagram: bytes, to: Address) -> None:
    try:
        sock.sendto(datagram, to)
    except OSError as error:
        raise VtbridgeError(
            f"cannot send {len(datagram)} bytes to {to[0]}:{to[1]}: {error.strerror}; "
            "check the address and the network"
        ) from error
