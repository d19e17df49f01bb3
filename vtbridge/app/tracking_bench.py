"""How long a frame takes from a tracker's datagrams to a pose, for every protocol."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.expressions.idle import IdleMotion
from vtbridge.expressions.settings import IdleSettings
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.fusion import Fusion
from vtbridge.tracking.protocols.protocol import QUIET_NS
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.settings import TrackingSettings

LIMIT_MS = 0.5
"""What parsing, smoothing and retargeting may take together, at the 99th percentile."""
FPS = 60.0
"""Frames a second of the performance that is sent."""

ROUNDS = 5
"""Times that each protocol is measured, in turn with the others; its quietest one counts, for
what else the machine does can only add to it."""

_WARM_UP = 30


@dataclass(frozen=True, slots=True)
class TrackingResult:
    """What one protocol needed.

    Attributes:
        name: of the protocol.
        title: what people call it.
        frames: frames that count.
        faces: faces that came of them; fewer mean that some were not understood.
        p50_ms: median of a frame, milliseconds.
        p99_ms: what 99 frames of 100 stay within, milliseconds.
        cpu_p50_ms: median of the processor's time for a frame, milliseconds.
        cpu_p99_ms: what 99 frames of 100 stay within of it. Where ``p99_ms`` is far above,
            the machine did something else meanwhile.
    """

    name: str
    title: str
    frames: int
    faces: int
    p50_ms: float
    p99_ms: float
    cpu_p50_ms: float
    cpu_p99_ms: float

    @property
    def kept(self) -> bool:
        """True if the promise was kept."""
        return self.faces >= self.frames and self.p99_ms < LIMIT_MS


def measure_tracking(
    frames: int,
    clock: Clock,
    *,
    rows: Sequence[ProtocolRow] = PROTOCOLS,
    rounds: int = ROUNDS,
    cpu_ns: Callable[[], int] = time.thread_time_ns,
    advanced: Callable[[int], None] = lambda measurements_done: None,
) -> list[TrackingResult]:
    """Return what each protocol needs for a frame of the performance.

    A frame is one face's datagrams, parsed, fused, smoothed, retargeted and joined with
    idle motion; what the socket costs is not in it.

    Args:
        frames: how many count in a round, for each protocol.
        clock: measures.
        rows: the protocols.
        rounds: how often each is measured; the round of the lowest 99th percentile counts.
        cpu_ns: returns the processor's time that this thread has used.
        advanced: called with the number of measurements done, of protocols times rounds.
    """
    times_ns = [NS_PER_S + round(n / FPS * NS_PER_S) for n in range(frames + _WARM_UP)]
    faces = [face_at((t_ns - NS_PER_S) / NS_PER_S, t_ns) for t_ns in times_ns]
    # All before the first that counts: what writing them leaves behind is not measured.
    sent = [[encode(face) for face in faces] for encode in (row.encoder() for row in rows)]
    measured: list[list[TrackingResult]] = [[] for _ in rows]
    for turn in range(rounds):
        for done, (row, datagrams, results) in enumerate(zip(rows, sent, measured, strict=True), 1):
            results.append(_measure(row, times_ns, datagrams, clock, cpu_ns))
            advanced(turn * len(rows) + done)
    # A face lost in any round is lost.
    return [min(results, key=lambda result: (result.faces, result.p99_ms)) for results in measured]


def _measure(
    row: ProtocolRow,
    times_ns: Sequence[int],
    sent: Sequence[Sequence[bytes]],
    clock: Clock,
    cpu_ns: Callable[[], int],
) -> TrackingResult:
    settings, telemetry = TrackingSettings(), Telemetry(clock)
    protocol = row.create(settings)
    protocol.reset(f"{row.name}:bench")
    fusion = Fusion(settings.fusion, round(settings.takeover_s * NS_PER_S), telemetry)
    retargeter = Retargeter(RetargetSettings(), telemetry=telemetry)
    idle = IdleMotion(IdleSettings(), seed=0)
    gc.collect()
    took_ns: list[tuple[int, int]] = []
    faces = 0
    for number, (t_ns, datagrams) in enumerate(zip(times_ns, sent, strict=True)):
        start_ns, cpu_start_ns = clock.now_ns(), cpu_ns()
        seen = []
        for datagram in datagrams:
            seen += protocol.feed(datagram, t_ns)
            protocol.replies()
        if protocol.waiting:
            seen += protocol.flush(t_ns + QUIET_NS)
        for face in seen:
            fused = fusion.offer(face)
            if fused is not None:
                retargeter.feed(fused)
        now_ns = t_ns + QUIET_NS
        idle.apply(retargeter.pose_at(now_ns), now_ns)
        if number >= _WARM_UP:
            cpu_took_ns = cpu_ns() - cpu_start_ns
            took_ns.append((clock.now_ns() - start_ns, cpu_took_ns))
            faces += len(seen)
    (p50, cpu_p50), (p99, cpu_p99) = np.percentile(took_ns, (50, 99), axis=0) / 1e6
    return TrackingResult(
        name=row.name,
        title=row.title,
        frames=len(times_ns) - _WARM_UP,
        faces=faces,
        p50_ms=float(p50),
        p99_ms=float(p99),
        cpu_p50_ms=float(cpu_p50),
        cpu_p99_ms=float(cpu_p99),
    )
