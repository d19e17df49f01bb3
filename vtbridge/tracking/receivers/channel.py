"""One protocol at one port: its sender, its faces, and what it refused."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.protocol import Greeting, TrackerProtocol
from vtbridge.tracking.receivers.admission import Address, Admission, Verdict
from vtbridge.tracking.source_status import RateMeter, SourceState, SourceStatus
from vtbridge.tracking.tap import Tap

log = logging.getLogger(__name__)

SILENT_NS = NS_PER_S
"""Time without a valid packet after which a source is called silent."""

UNANSWERED_NS = 5 * NS_PER_S
"""Time without an answer after which it is told; a phone that is there needs one second."""

_TURNED_AWAY = {
    Verdict.NOT_ALLOWED: "%s: %s:%d is not one that may send (tracking.allow, or the named "
    "phone); ignored",
    Verdict.OTHER_SENDER: "%s: %s:%d sends too, but another was first; ignored until that "
    "one falls silent",
    Verdict.THROTTLED: "%s: %s:%d sends more than any tracker; what is too much is dropped",
}


@dataclass(frozen=True, slots=True)
class _Unanswered:
    """Requests that a device has not answered; as text the trouble and its remedy."""

    host: str
    since_ns: int
    times: int

    def __str__(self) -> str:
        return (
            f"{self.host} was asked {self.times} times and is silent: is the app open, is it in "
            "the same network, and is its address in the settings right?"
        )


class Channel:
    """Take what arrives for one protocol from one sender at a time; used by one thread.

    ``status`` alone may be called from any thread.

    Attributes:
        refused: True if the last packet taken was not of the protocol after all.

    Args:
        protocol: turns datagrams into faces.
        admission: decides who may speak.
        sink: takes each face.
        telemetry: gets ``tracking.*`` counters and durations.
        clock: for how long parsing takes.
        title: what people call what sends here.
        guest_port: the port, where it is not the protocol's own; then part of the source's
            name, so that one host's senders at two ports are two sources.
        peer: the one host it waits for, None if it waits for anyone.
        tap: sees each datagram of the chosen sender.
    """

    def __init__(
        self,
        protocol: TrackerProtocol,
        admission: Admission,
        sink: Callable[[FaceFrame], object],
        telemetry: Telemetry,
        clock: Clock,
        *,
        title: str = "",
        guest_port: int | None = None,
        peer: str | None = None,
        tap: Tap | None = None,
    ) -> None:
        self._protocol = protocol
        self._admission = admission
        self._sink = sink
        self._telemetry = telemetry
        self._clock = clock
        self._title = title or protocol.name
        self._place = "" if guest_port is None else f"@{guest_port}"
        self._peer = peer
        self._tap = tap
        self._counts: Counter[str] = Counter()
        self._rejects: dict[str, int] = {}
        self._packets = 0
        self._source = protocol.name
        self._warned: set[str] = set()
        self._parse_ns = 0
        self._rate = RateMeter()
        self._last_packet_ns: int | None = None
        self._face: FaceFrame | None = None
        self._unanswered: _Unanswered | None = None
        self.refused = False

    @property
    def name(self) -> str:
        """The protocol's name."""
        return self._protocol.name

    @property
    def used(self) -> bool:
        """True once anything came for it, good or refused."""
        return self._packets > 0 or bool(self._rejects)

    @property
    def waiting(self) -> bool:
        """True while ``flush`` has something to give after ``QUIET_NS``."""
        return self._protocol.waiting

    def recognises(self, datagram: bytes) -> bool:
        """Return whether ``datagram`` looks like this protocol."""
        return self._protocol.recognises(datagram)

    def awaits(self, sender: Address) -> bool:
        """Return whether ``sender`` is the one that the settings name for this protocol."""
        return sender[0] == self._peer

    def take(self, datagram: bytes, sender: Address, t_ns: int) -> list[bytes]:
        """Take one datagram that arrived at ``t_ns``; return what its sender must be answered."""
        self._counts["tracking.packets"] += 1
        self.refused = False
        verdict = self._admission.judge(sender, len(datagram), t_ns)
        if verdict is Verdict.CANDIDATE:
            self._protocol.reset(self._source_of(sender))
        elif verdict is not Verdict.OWNER and verdict is not Verdict.SUCCESSOR:
            self._turn_away(verdict, sender)
            return []
        self._unanswered = None
        if self._tap is not None and verdict is not Verdict.CANDIDATE:
            self._tap.datagram(self._source, datagram, t_ns)
        dropped_before = self._protocol.values_dropped
        try:
            faces = self._protocol.feed(datagram, t_ns)
        except PacketError as error:
            self.refused = True
            self.refuse(error, sender[0])
            if verdict is Verdict.CANDIDATE:
                self._admission.release()  # the protocol has forgotten the owner already
            return []
        if verdict is Verdict.CANDIDATE:
            self._source = self._source_of(sender)
            log.info("%s: listening to %s:%d", self.name, *sender)
            if self._tap is not None:  # only now: what strangers send is not recorded
                self._tap.datagram(self._source, datagram, t_ns, fresh=True)
        self._admission.accept(sender, t_ns)
        self._packets += 1
        self._last_packet_ns = t_ns
        self._parse_ns += self._clock.now_ns() - t_ns
        if dropped := self._protocol.values_dropped - dropped_before:
            self._counts["tracking.values_dropped"] += dropped
            self._reject("bad values", dropped)
        self._emit(faces)
        return self._protocol.replies()

    def flush(self, t_ns: int) -> None:
        """Let go the face that only waited for more."""
        self._emit(self._protocol.flush(t_ns))

    def greeting(self, t_ns: int) -> Greeting | None:
        """Return what must be sent now to keep the tracker talking."""
        greeting = self._protocol.greeting(t_ns)
        before = self._unanswered
        if greeting is not None:
            since_ns, times = (t_ns, 0) if before is None else (before.since_ns, before.times)
            self._unanswered = _Unanswered(greeting.host, since_ns, times + 1)
        if before is not None and t_ns - before.since_ns >= UNANSWERED_NS:
            self.warn_once("unanswered", "%s: %s", self.name, before)
        return greeting

    def refuse(self, error: PacketError, host: str) -> None:
        """Count what could not be read, and tell it the first time."""
        self._counts["tracking.rejected"] += 1
        self._counts[f"tracking.rejected.{error.reason.replace(' ', '_')}"] += 1
        self._reject(error.reason)
        self.warn_once(error.reason, "%s: packet from %s refused: %s", self.name, host, error)

    def restart(self) -> None:
        """Begin anew, as on a new connection: ask at once, and take who speaks as new."""
        self._admission.release()
        self._protocol.reset(self._source)

    def admits(self, sender: Address) -> bool:
        """Return whether ``sender`` may connect; one that may not is counted and told."""
        if self._admission.allows(sender[0]):
            return True
        self._turn_away(Verdict.NOT_ALLOWED, sender)
        return False

    def send(self, sock: socket.socket, greeting: Greeting) -> bool:
        """Send ``greeting`` from the UDP socket ``sock``; return whether it went.

        What hinders it is told once.
        """
        try:
            sock.sendto(greeting.data, (greeting.host, greeting.port))
        except OSError as error:
            self.warn_once(
                "greeting",
                "%s: cannot reach %s:%d (%s); is it on the same network as this computer?",
                self.name,
                greeting.host,
                greeting.port,
                error,
            )
            return False
        return True

    def count(self, counter: str) -> None:
        """Add one to ``counter`` of the telemetry, with the next report."""
        self._counts[counter] += 1

    def report(self) -> None:
        """Hand the counts on, seldom enough that a flood does not queue for the lock."""
        for name, count in self._counts.items():
            self._telemetry.count(name, count)
        self._counts.clear()

    def warn_once(self, reason: str, message: str, *arguments: object) -> None:
        """Log trouble the first time; a counter tells how often it came back."""
        if reason not in self._warned:
            self._warned.add(reason)
            log.warning(message, *arguments)

    def status(self, place: str, now_ns: int, trouble: str | None = None) -> SourceStatus:
        """Return what this channel is doing; safe from any thread.

        Args:
            place: where it listens.
            now_ns: monotonic time, to tell silence.
            trouble: why it cannot listen now, None if it can.
        """
        state = SourceState.BLOCKED if trouble is not None else self._state(now_ns)
        unanswered = None if state.speaks else self._unanswered
        if trouble is None and unanswered is not None:
            is_long = now_ns - unanswered.since_ns >= UNANSWERED_NS
            trouble = str(unanswered) if is_long else None
        return SourceStatus(
            source=self._source,
            title=self._title,
            place=place,
            state=state,
            fps=self._rate.fps if state.speaks else 0.0,
            jitter_ms=self._rate.jitter_ms if state.speaks else 0.0,
            packets=self._packets,
            lost=self._protocol.lost,
            rejects=self._rejects.copy(),
            last_ns=self._last_packet_ns,
            trouble=trouble,
            face=self._face,
            asked=None if unanswered is None else unanswered.host,
        )

    def _source_of(self, sender: Address) -> str:
        return f"{self.name}:{sender[0]}{self._place}"

    def _state(self, now_ns: int) -> SourceState:
        last_ns, face = self._last_packet_ns, self._face
        if last_ns is None:
            return SourceState.WAITING
        if now_ns - last_ns >= SILENT_NS:
            return SourceState.SILENT
        if face is None or not face.tracked or now_ns - face.t_ns >= SILENT_NS:
            return SourceState.NO_FACE
        return SourceState.LIVE

    def _turn_away(self, verdict: Verdict, sender: Address) -> None:
        self._counts[f"tracking.turned_away.{verdict.value}"] += 1
        self._reject(verdict.value.replace("_", " "))
        self.warn_once(verdict.value, _TURNED_AWAY[verdict], self.name, *sender)

    def _reject(self, reason: str, count: int = 1) -> None:
        self._rejects[reason] = self._rejects.get(reason, 0) + count

    def _emit(self, faces: list[FaceFrame]) -> None:
        for face in faces:
            last_ns = self._rate.last_ns
            if last_ns is not None:
                self._telemetry.observe("tracking.interval", max(face.t_ns - last_ns, 1))
            self._rate.saw(face.t_ns)
            self._face = face
            self._counts["tracking.frames"] += 1
            self._telemetry.observe("tracking.parse", self._parse_ns)
            self._parse_ns = 0
            self._sink(face)
