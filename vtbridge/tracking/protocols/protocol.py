"""What every tracker protocol looks like: bytes and time in, faces out, no socket.

A new tracker is one file with a class of this shape, and one row in
``vtbridge.tracking.protocols.table.PROTOCOLS``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from vtbridge.datatypes import FaceFrame

QUIET_NS = 5_000_000
"""A pause after which a receiver asks ``flush`` for the face that waits for more."""
PLAUSIBLE_WEIGHT = 10.0
"""A blendshape beyond this is damage, not an exaggerating sender; it is dropped."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """A datagram that asks a tracker to start sending, and where it goes."""

    data: bytes
    host: str
    port: int


class TrackerProtocol(ABC):
    """Turn one sender's datagrams into faces.

    Called from one thread. Times are the receiver's monotonic nanoseconds and never
    run backwards. A frame carries the time of the datagram that completed it.

    Attributes:
        name: short name, first part of ``FaceFrame.source``.
        values_dropped: values refused so far though their datagram was accepted
            (not finite, absurdly large, of a wrong type); the last good one is kept.
        lost: datagrams that the sender's own numbering says are missing so far; None
            where the protocol has no numbering.
        replayed: set where the datagrams come from a recording: whom they answered is
            not known then, so that answers to any greeting are taken.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.values_dropped = 0
        self.lost: int | None = None
        self.replayed = False

    @classmethod
    @abstractmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether ``datagram`` looks like this protocol.

        Tells apart the protocols that share a port: a look at the first bytes, cheap and
        never raising. ``feed`` may still refuse what this lets through.
        """

    @abstractmethod
    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""

    @abstractmethod
    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram and return the faces it completes, usually none or one.

        Raises:
            PacketError: it is not of this protocol; nothing of it was used.
        """

    @property
    def waiting(self) -> bool:
        """True while ``flush`` has something to return after ``QUIET_NS``."""
        return False

    def flush(self, t_ns: int) -> list[FaceFrame]:
        """Return the face that only waited for more, if the wait has been long enough."""
        return []

    def greeting(self, t_ns: int) -> Greeting | None:
        """Return what must be sent now to keep the tracker talking; asked often."""
        return None

    def replies(self) -> list[bytes]:
        """Return, once, what the last ``feed`` owes its sender, such as an acknowledgement."""
        return []


def weight_from_number(value: object) -> float | None:
    """Return a blendshape weight clamped to 0..1, or None if ``value`` cannot be one."""
    if type(value) is float and 0.0 <= value <= 1.0:
        return value  # nearly every one
    if isinstance(value, (int, float)) and -PLAUSIBLE_WEIGHT <= value <= PLAUSIBLE_WEIGHT:
        return 0.0 if value < 0 else 1.0 if value > 1 else float(value)
    return None  # also NaN, which fails every comparison


def finite_or_none(value: object, limit: float) -> float | None:
    """Return ``value`` as a float if it is a number within ``±limit``, else None."""
    if type(value) is float:  # nearly every one
        return value if abs(value) <= limit else None  # NaN fails every comparison
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) <= limit else None  # NaN fails every comparison
