"""Send the built-in performance as a phone that speaks FMV3: it also listens.

The stream begins as if it had been started on the phone; a receiver that asks for it
(HELLO) gets it instead. Faces leave only once the receiver acknowledged their names.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Callable

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.fmv3 import DEFAULT_PORT
from vtbridge.tracking.senders.fmv3 import Fmv3Phone
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.playback import Address, PlaybackSummary, send_datagram

_LOOPBACK = "127."
_LONGEST_DATAGRAM = 65_535
_MOST_ANSWERS = 100


def play_as_phone(
    phone: Fmv3Phone,
    to: Address,
    clock: Clock,
    *,
    fps: float,
    speed: float = 1.0,
    seconds: float | None = None,
    on_sent: Callable[[PlaybackSummary], object] = lambda summary: None,
) -> PlaybackSummary:
    """Perform until ``seconds`` are over, or for ever, and return what was sent.

    Args:
        phone: has sent nothing yet; ``phone.sending`` tells whether it was answered.
        to: IPv4 address and port of the receiver.
        clock: paces the faces.
        fps: faces a second.
        speed: 2 = twice as fast.
        seconds: stop after this long by ``clock``, None = never.
        on_sent: told after each face, on this thread; may raise to end the playback.

    Raises:
        VtbridgeError: the system refuses to send there.
    """
    sent = PlaybackSummary(0, 0, 0, 0.0, (to[1],))
    start_ns = clock.now_ns()
    with contextlib.closing(_socket(to)) as sock:
        waiting = phone.start(start_ns)
        for number in itertools.count():
            t_s = number / fps
            if seconds is not None and t_s / speed >= seconds:
                return sent
            clock.sleep_until(start_ns + round(t_s / speed * NS_PER_S))
            now_ns = clock.now_ns()
            answers, to = _answers(phone, sock, to, now_ns)
            waiting += answers + phone.frames(face_at(t_s, now_ns))
            for datagram in waiting:
                send_datagram(sock, datagram, to)
            sent = PlaybackSummary(
                sent.bursts + 1,
                sent.datagrams + len(waiting),
                sent.bytes + sum(map(len, waiting)),
                (clock.now_ns() - start_ns) / NS_PER_S,
                (to[1],),
            )
            on_sent(sent)
            waiting = []
    return sent


def _socket(to: Address) -> socket.socket:
    """Return a socket at the phone's usual port, where that is free."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    host = "127.0.0.1" if to[0].startswith(_LOOPBACK) else ""
    try:
        sock.bind((host, DEFAULT_PORT))
    except OSError:
        sock.bind((host, 0))  # only who asks for the stream would miss the usual port
    return sock


def _answers(
    phone: Fmv3Phone, sock: socket.socket, to: Address, now_ns: int
) -> tuple[list[bytes], Address]:
    """Hear what the receiver says; return what it is owed, and who it is now."""
    owed: list[bytes] = []
    for _ in range(_MOST_ANSWERS):
        try:
            datagram, sender = sock.recvfrom(_LONGEST_DATAGRAM)
        except (BlockingIOError, ConnectionError):
            break
        with contextlib.suppress(PacketError):
            answers = phone.receive(datagram, now_ns)
            if answers:
                owed, to = owed + answers, sender
    return owed, to
