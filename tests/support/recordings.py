"""Recordings compared: what is in them, whatever it was that wrote them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from vtbridge.app.replay import moments
from vtbridge.clock import NS_PER_S
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.recordings.open import Recording
from vtbridge.tracking.recordings.session import Record, RecordedDatagram

LEAST_HEARD = 0.7
"""UDP may lose what a loaded machine has no time to read, but not most of a capture."""


def faces_of(recording: Recording) -> list[FaceFrame]:
    """Return the faces of a recording, without what differs from one run to the next."""
    found = moments(recording, Config().tracking, Telemetry())
    return [replace(moment.face, t_ns=0, source="") for moment in found if moment.face is not None]


def of_one_source(recording: Recording, protocol: str) -> Recording:
    """Return the datagrams of ``protocol`` alone."""

    def records() -> Iterator[RecordedDatagram]:
        for record in recording.records():
            if isinstance(record, RecordedDatagram) and record.protocol == protocol:
                yield record

    return replace(recording, records=records)


def data_of(recording: Recording) -> list[bytes]:
    """Return the bytes of every datagram."""
    return [record.data for record in recording.records() if isinstance(record, RecordedDatagram)]


def kinds_of(recording: Recording) -> Counter[type[Record]]:
    """Return how many records of each kind there are."""
    return Counter(type(record) for record in recording.records())


def as_sent(datagrams: list[bytes], protocol: str) -> Recording:
    """Return a recording of ``datagrams`` from a sender that nothing holds up."""
    records = [
        RecordedDatagram(NS_PER_S + n * NS_PER_S // 30, f"{protocol}:x", protocol, data)
        for n, data in enumerate(datagrams)
    ]
    return Recording(Path("sent"), "as sent", lambda: iter(records))


def is_subsequence(kept: list[bytes], whole: list[bytes]) -> bool:
    """Return True if ``kept`` is ``whole`` with some left out."""
    rest = iter(whole)
    return all(any(data == other for other in rest) for data in kept)
