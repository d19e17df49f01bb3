"""Open every network input that the settings name, and make one face of what they give."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PortInUse
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.fusion import Fusion
from vtbridge.tracking.protocols.table import ProtocolRow
from vtbridge.tracking.receivers.admission import Admission
from vtbridge.tracking.receivers.channel import Channel
from vtbridge.tracking.receivers.port_holder import holders_of_ports, ports_taken
from vtbridge.tracking.receivers.ports import (
    Listener,
    allowed,
    listeners,
    reaches_lan,
    streams,
)
from vtbridge.tracking.receivers.streams import open_stream
from vtbridge.tracking.receivers.udp import UdpReceiver
from vtbridge.tracking.settings import TrackingSettings
from vtbridge.tracking.source_status import SourceStatus
from vtbridge.tracking.tap import Tap

log = logging.getLogger(__name__)

_TRACKERS_LEAVE_NS = 2 * NS_PER_S
"""How long `vtbridge trackers` may take to make room for an avatar that starts."""
_LOOK_AGAIN_NS = NS_PER_S // 10

Sink = Callable[[FaceFrame], object]


class FusedFaces:
    """Where all sources put their faces: one lock, one fusion, one slot."""

    def __init__(self, slot: LatestSlot[FaceFrame], fusion: Fusion) -> None:
        self._slot = slot
        self._fusion = fusion
        self._lock = threading.Lock()

    def offer(self, face: FaceFrame) -> bool:
        """Show ``face`` if it moves anything, and return whether it did; from any thread."""
        with self._lock:
            fused = self._fusion.offer(face)
            if fused is None:
                return False
            self._slot.put(fused)
            return True

    def movers(self) -> dict[str, str]:
        """Return which source moves which part of the face shown last."""
        with self._lock:
            return {part.value: source for part, source in self._fusion.movers.items()}


class Inputs:
    """The running inputs: what to start and stop, and how each source is doing.

    Attributes:
        services: to be started and stopped by whoever opened them.
    """

    def __init__(self, faces: FusedFaces | None = None, tap: Tap | None = None) -> None:
        self.services: list[ThreadService] = []
        self._faces = faces
        self._tap = tap
        self._status: list[Callable[[], Sequence[SourceStatus]]] = []

    def add(
        self,
        service: ThreadService,
        status: Callable[[], Sequence[SourceStatus]] = lambda: (),
    ) -> None:
        """Add one input.

        Args:
            service: to be started and stopped.
            status: how its sources are doing; called from any thread.
        """
        self.services.append(service)
        self._status.append(status)

    def add_absent(self, status: SourceStatus) -> None:
        """Show an input that could not be opened, with its trouble."""
        self._status.append(lambda: [status])

    def status(self) -> list[SourceStatus]:
        """Return how every source is doing, in the order of the inputs; from any thread."""
        return [source for status in self._status for source in status()]

    def movers(self) -> dict[str, str]:
        """Return which source moves which part of the face shown last."""
        return {} if self._faces is None else self._faces.movers()

    def offer_local(self, face: FaceFrame) -> None:
        """Take a face that came over no network: the sink of webcam and microphone."""
        if self._tap is not None:
            self._tap.face(face)
        if self._faces is not None:
            self._faces.offer(face)


def open_inputs(
    settings: TrackingSettings,
    slot: LatestSlot[FaceFrame],
    telemetry: Telemetry,
    clock: Clock,
    *,
    tap: Tap | None = None,
) -> Inputs:
    """Return the enabled network inputs, their ports taken; starting and stopping is yours.

    A port that is taken keeps only its own inputs waiting: it is tried again in the
    background while the others work. `vtbridge trackers` gets two seconds to leave.

    Raises:
        PortInUse: not one of the ports could be had, and no other input is enabled.
    """
    takeover_ns = round(settings.takeover_s * NS_PER_S)
    faces = FusedFaces(slot, Fusion(settings.fusion, takeover_ns, telemetry))
    inputs = Inputs(faces, tap)

    def channel(row: ProtocolRow, guest_port: int | None = None) -> Channel:
        peer = row.peer(settings)
        return Channel(
            row.create(settings),
            Admission(
                allowed(row, settings),
                round(settings.release_s * NS_PER_S),
                loopback_only=not reaches_lan(row, settings),
            ),
            faces.offer,
            telemetry,
            clock,
            title=row.title,
            guest_port=guest_port,
            peer=None if peer is None else str(peer),
            tap=tap,
        )

    receivers = [_receiver(listener, channel, telemetry, clock) for listener in listeners(settings)]
    for receiver in receivers:
        inputs.add(receiver, receiver.status)
    for row in streams(settings):
        stream = open_stream(row, settings, channel(row), telemetry, clock)
        inputs.add(stream, stream.status)
    required = not (streams(settings) or settings.webcam.enabled or settings.microphone.enabled)
    _bind(receivers, clock, required=required)
    return inputs


def _receiver(
    listener: Listener,
    channel: Callable[[ProtocolRow, int | None], Channel],
    telemetry: Telemetry,
    clock: Clock,
) -> UdpReceiver:
    return UdpReceiver(
        [
            *(channel(row, None) for row in listener.homes),
            *(channel(row, listener.port) for row in listener.guests),
        ],
        telemetry,
        clock,
        host=listener.host,
        port=listener.port,
        guests=len(listener.guests),
    )


def _bind(receivers: Sequence[UdpReceiver], clock: Clock, *, required: bool) -> None:
    """Take the ports, as far as they can be had; of the others tell once who has them.

    Raises:
        PortInUse: there are ports, but none could be had though one is required.
    """
    failures = _failures_to_bind(receivers)
    if failures and _trackers_leave([receiver.port for receiver in receivers], clock):
        failures = _failures_to_bind(receivers)
    if not failures:
        return
    taken = [port for port, error in failures.items() if isinstance(error, PortInUse)]
    others = [str(error) for error in failures.values() if not isinstance(error, PortInUse)]
    told = [ports_taken(taken, holders_of_ports(taken))] if taken else []
    trouble = "; ".join(told + others)
    if required and len(failures) == len(receivers):
        raise PortInUse(trouble) from next(iter(failures.values()))
    log.warning("%s (tried again in the background)", trouble)
    for receiver in receivers:
        if receiver.port in failures:
            receiver.told = True


def _failures_to_bind(receivers: Sequence[UdpReceiver]) -> dict[int, PortInUse | OSError]:
    """Take what ports can be had now, and return why the others cannot."""
    failures: dict[int, PortInUse | OSError] = {}
    for receiver in receivers:
        try:
            receiver.bind()
        except (PortInUse, OSError) as error:
            failures[receiver.port] = error
    return failures


def _trackers_leave(ports: Sequence[int], clock: Clock) -> bool:
    """Wait for `vtbridge trackers` to let go of ``ports``; return whether it had any and did.

    It does so once it finds the avatar's address, which was written before.
    """
    end_ns = clock.now_ns() + _TRACKERS_LEAVE_NS
    was_there = False
    while any(holder.command == "trackers" for holder in holders_of_ports(ports).values()):
        was_there = True
        now_ns = clock.now_ns()
        if now_ns >= end_ns:
            return False
        clock.sleep_until(now_ns + _LOOK_AGAIN_NS)
    return was_there
