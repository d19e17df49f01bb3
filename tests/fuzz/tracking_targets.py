"""What phones and other programs send as faces: each protocol of the table, and OSC itself."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable

from tests.fuzz.target import BUDGET_MS, LARGEST_DATAGRAM, Target, framed, unframed
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.osc import decode_packet
from vtbridge.tracking.protocols.stream import Fmv3Framer, StreamFramer, TextFramer
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.vmc import encode_vmc
from vtbridge.tracking.settings import TrackingSettings

PERIOD_NS = NS_PER_S // 60
MOST_DATAGRAMS = 16
"""Of one input: a session, and far fewer than what its budget is for."""


def tracking_targets() -> list[Target]:
    """Return the targets."""
    rows = [
        Target(
            f"tracking-{row.name}",
            _receiver(row),
            _sender(row),
            (),
            budget_ms=BUDGET_MS,
        )
        for row in PROTOCOLS
    ]
    return [
        Target(
            "osc",
            decode_packet,
            lambda: encode_vmc(face_at(1.0, NS_PER_S)),
            (PacketError,),
            longest=LARGEST_DATAGRAM,
            budget_ms=BUDGET_MS,
        ),
        *rows,
        Target(
            "stream-text",
            lambda data: _cut(TextFramer(), data),
            lambda: [framed(_halves(_session_of("ifacialmocap")))],
            (),
            budget_ms=BUDGET_MS,
        ),
        Target(
            "stream-fmv3",
            lambda data: _cut(Fmv3Framer(), data),
            lambda: [framed(_halves(_session_of("fmv3")))],
            (),
            budget_ms=BUDGET_MS,
        ),
    ]


def _session(row: ProtocolRow) -> list[bytes]:
    encode = row.encoder()
    moments = (1.0, 2.5, 4.0)
    return [one for t_s in moments for one in encode(face_at(t_s, round(t_s * 1e9))) if one][:8]


def _sender(row: ProtocolRow) -> Callable[[], Iterable[bytes]]:
    return lambda: [framed(_session(row))]


def _session_of(name: str) -> bytes:
    return b"".join(next(_session(row) for row in PROTOCOLS if row.name == name))


def _halves(stream: bytes) -> list[bytes]:
    return [stream[: len(stream) // 2], stream[len(stream) // 2 :]]


def _receiver(row: ProtocolRow) -> Callable[[bytes], object]:
    """Return what feeds datagrams as a port does, and looks at each face."""

    def run(data: bytes) -> bool:
        protocol = row.create(TrackingSettings())
        protocol.reset(f"{row.name}:test")
        t_ns = NS_PER_S
        for datagram in unframed(data)[:MOST_DATAGRAMS]:
            t_ns += PERIOD_NS
            faces: list[FaceFrame] = []
            with contextlib.suppress(PacketError):
                protocol.recognises(datagram)
                if protocol.waiting:
                    faces += protocol.flush(t_ns)
                faces += protocol.feed(datagram, t_ns)
            replies = protocol.replies()
            assert sum(map(len, replies)) <= max(len(datagram), 256), "no amplifier"
            protocol.greeting(t_ns)
            for face in faces:
                _check(face, t_ns)
        return True

    return run


def _check(face: FaceFrame, now_ns: int) -> None:
    """Fail unless ``face`` could be shown."""
    assert face.t_ns <= now_ns
    for weight in (*face.blendshapes.values(), *face.presets.values()):
        assert 0.0 <= weight <= 1.0  # false for NaN
    angles = []
    if face.head is not None:
        angles += [face.head.pitch_rad, face.head.yaw_rad, face.head.roll_rad]
    for eye in (face.left_eye, face.right_eye):
        if eye is not None:
            angles += [eye.pitch_rad, eye.yaw_rad]
    assert all(abs(angle) <= 2 * math.pi for angle in angles)


def _cut(framer: StreamFramer, data: bytes) -> None:
    for piece in unframed(data):
        with contextlib.suppress(PacketError):
            framer.feed(piece)
