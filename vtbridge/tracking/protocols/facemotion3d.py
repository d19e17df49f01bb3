"""Receive Facemotion3d's text: iFacialMocap's with full names, after a greeting of its own.

``eyeBlinkLeft&29|...|=head#...``, beside which ``FM_`` shapes of the app stand that no
character here has. The app needs its "Other" licence for this.

Source: facemotion3d.net/for-developer, which says that the app answers to port 49983 in
its sample and to 49993 in its words; ``[tracking.facemotion3d] port`` takes either.
"""

from __future__ import annotations

from vtbridge.tracking.protocols.ifacialmocap import TextProtocol
from vtbridge.tracking.protocols.protocol import Greeting

PHONE_PORT = 49993
GREETING = b"FACEMOTION3D_OtherStreaming"

_MARKS = (b"eyeBlinkLeft&", b"|FM_")
"""iFacialMocap writes ``eyeBlink_L``, and has no FM_ shapes."""


class Facemotion3dProtocol(TextProtocol):
    """One phone with Facemotion3d.

    Args:
        phone: address to greet, None to wait for a sender that needs no greeting.
        phone_port: where the phone listens for the greeting.
    """

    name = "facemotion3d"

    def __init__(self, phone: str | None = None, *, phone_port: int = PHONE_PORT) -> None:
        super().__init__(None if phone is None else Greeting(GREETING, phone, phone_port))

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the datagram is a list of parts in this app's spelling."""
        return any(mark in datagram for mark in _MARKS)
