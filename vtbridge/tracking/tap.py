"""Where a recorder listens in: everything that comes in, before anything is made of it."""

from __future__ import annotations

from typing import Protocol

from vtbridge.datatypes import FaceFrame


class Tap(Protocol):
    """Sees what the inputs see; called from any of their threads, so it must not block."""

    def datagram(self, source: str, data: bytes, t_ns: int, *, fresh: bool = False) -> None:
        """Take one datagram of a pinned sender, whole, before it is parsed.

        Args:
            source: as in ``FaceFrame.source``: ``vmc:127.0.0.1``.
            data: the datagram, or one record of a TCP stream.
            t_ns: its arrival, monotonic nanoseconds.
            fresh: True for the first of a new sender: what came before no longer holds.
        """

    def face(self, face: FaceFrame) -> None:
        """Take one face that no datagram carried: the webcam's or the microphone's."""
