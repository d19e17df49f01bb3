"""Open every input that the settings name, and let one tracker at a time have the face."""

from __future__ import annotations

import logging
import threading
from ipaddress import IPv4Network

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PortInUse
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.protocols.table import PROTOCOLS, ProtocolRow
from vtbridge.tracking.receivers.udp import ANY_ADDRESS, LOOPBACK, UdpReceiver
from vtbridge.tracking.settings import TrackingSettings

log = logging.getLogger(__name__)


class StickyOwner:
    """Pass one source's faces to the slot; another takes over only after silence.

    A source that says it lost the face counts as silent, so that a second tracker may
    step in; its faces still pass until then. Safe to use from any thread.

    Args:
        slot: gets the owner's faces, never an older one after a newer one.
        telemetry: gets ``tracking.not_owner`` and ``tracking.takeovers``.
        takeover_ns: silence after which another source may take over.
    """

    def __init__(self, slot: LatestSlot[FaceFrame], telemetry: Telemetry, takeover_ns: int) -> None:
        self._slot = slot
        self._telemetry = telemetry
        self._takeover_ns = takeover_ns
        self._lock = threading.Lock()
        self._owner: str | None = None
        self._last_tracked_ns = 0
        self._newest_ns = 0

    @property
    def owner(self) -> str | None:
        """The source whose faces are shown, None before the first."""
        return self._owner

    def offer(self, frame: FaceFrame) -> bool:
        """Put ``frame`` into the slot if its source has the face; return whether it did."""
        with self._lock:
            if frame.source != self._owner and not self._may_take_over(frame):
                self._telemetry.count("tracking.not_owner")
                return False
            if frame.t_ns < self._newest_ns:
                self._telemetry.count("tracking.out_of_order")
                return False
            if frame.source != self._owner:
                self._telemetry.count("tracking.takeovers")
                log.info("the face now comes from %s", frame.source)
                self._owner = frame.source
            if frame.tracked:
                self._last_tracked_ns = frame.t_ns
            self._newest_ns = frame.t_ns
            self._slot.put(frame)
            return True

    def _may_take_over(self, frame: FaceFrame) -> bool:
        if self._owner is None:
            return True
        return frame.tracked and frame.t_ns - self._last_tracked_ns >= self._takeover_ns


def open_inputs(
    settings: TrackingSettings,
    slot: LatestSlot[FaceFrame],
    telemetry: Telemetry,
    clock: Clock,
) -> list[UdpReceiver]:
    """Return a receiver for every enabled input, its port taken; ``start`` and ``stop`` are yours.

    A port that is taken keeps only its own input waiting: it is tried again in the
    background while the others work.

    Raises:
        PortInUse: inputs are enabled, but not one of their ports could be had.
    """
    owner = StickyOwner(slot, telemetry, round(settings.takeover_s * NS_PER_S))
    receivers = [
        _receiver(row, settings, owner, telemetry, clock)
        for row in PROTOCOLS
        if row.settings(settings).enabled
    ]
    failures: list[PortInUse | OSError] = []
    for receiver in receivers:
        try:
            receiver.bind()
        except (PortInUse, OSError) as error:
            failures.append(error)
    if failures and len(failures) == len(receivers):
        raise PortInUse("; ".join(str(failure) for failure in failures)) from failures[0]
    return receivers


def _receiver(
    row: ProtocolRow,
    settings: TrackingSettings,
    owner: StickyOwner,
    telemetry: Telemetry,
    clock: Clock,
) -> UdpReceiver:
    """Return the receiver of one row; an input with a peer listens to the LAN for it alone."""
    peer = row.peer(settings)
    allow = settings.allow
    reaches_lan = settings.lan
    if peer is not None:
        allow = (IPv4Network(peer),)
        reaches_lan = not peer.is_loopback
    return UdpReceiver(
        row.create(settings),
        owner.offer,
        telemetry,
        clock,
        host=ANY_ADDRESS if reaches_lan else LOOPBACK,
        port=row.settings(settings).port,
        allow=allow,
        release_s=settings.release_s,
    )
