"""What every tracker protocol looks like: bytes and time in, faces out, no socket.

A new tracker is one file with a class of this shape, and one row in
``vtbridge.tracking.protocols.PROTOCOLS``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from vtbridge.datatypes import FaceFrame

PLAUSIBLE_WEIGHT = 10.0
"""A blendshape beyond this is damage, not an exaggerating sender; it is dropped."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """A datagram that asks a tracker to start sending, and where it goes."""

    data: bytes
    host: str
    port: int


class TrackerProtocol(Protocol):
    """Turn one sender's datagrams into faces.

    Called from one thread. Times are the receiver's monotonic nanoseconds and never
    run backwards. A frame carries the time of the datagram that completed it.

    Attributes:
        name: short name, first part of ``FaceFrame.source``.
        default_port: UDP port to listen on.
        values_dropped: values refused so far though their datagram was accepted
            (not finite, absurdly large, of a wrong type); the last good one is kept.
    """

    name: str
    default_port: int
    values_dropped: int

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram and return the faces it completes, usually none or one.

        Raises:
            PacketError: it is not of this protocol; nothing of it was used.
        """

    def flush(self, t_ns: int) -> list[FaceFrame]:
        """Return the face that only waited for more, if the wait has been long enough."""

    @property
    def waiting(self) -> bool:
        """True while ``flush`` has something to return after about 5 ms of quiet."""

    def greeting(self, t_ns: int) -> Greeting | None:
        """Return what must be sent now to keep the tracker talking; asked often."""


def weight_from_number(value: object) -> float | None:
    """Return a blendshape weight clamped to 0..1, or None if ``value`` cannot be one."""
    if isinstance(value, (int, float)) and -PLAUSIBLE_WEIGHT <= value <= PLAUSIBLE_WEIGHT:
        return 0.0 if value < 0 else 1.0 if value > 1 else float(value)
    return None  # also NaN, which fails every comparison


def finite_or_none(value: object, limit: float) -> float | None:
    """Return ``value`` as a float if it is a number within ``±limit``, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and abs(value) <= limit else None
