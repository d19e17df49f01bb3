"""``.udpcap`` files, whole."""

from __future__ import annotations

from pathlib import Path

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.protocols.protocol import QUIET_NS, TrackerProtocol
from vtbridge.tracking.recordings.udpcap import CapturedDatagram, iter_capture

FIRST_NS = NS_PER_S


def read_capture(path: Path) -> list[CapturedDatagram]:
    """Return all datagrams of a capture; raises as ``iter_capture`` does."""
    return list(iter_capture(path))


def faces_of_capture(path: Path, protocol: TrackerProtocol) -> list[FaceFrame]:
    """Return what ``protocol`` reads, flushed in every pause as the receiver does.

    Time begins at ``FIRST_NS``. Every datagram must be one that the protocol recognises, and no
    value may be dropped.
    """
    protocol.reset("test")
    frames: list[FaceFrame] = []
    last_ns = FIRST_NS
    for datagram in read_capture(path):
        assert protocol.recognises(datagram.data)
        t_ns = FIRST_NS + round(datagram.t_s * NS_PER_S)
        if t_ns - last_ns >= QUIET_NS:
            frames += protocol.flush(last_ns + QUIET_NS)
        frames += protocol.feed(datagram.data, t_ns)
        last_ns = t_ns
    assert protocol.values_dropped == 0
    return frames
