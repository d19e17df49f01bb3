"""Receive blendshapes whose names are the OSC addresses: MediaPipe-OSC, Project Babble.

``/jawOpen f``, one message a datagram, 52 a frame from MediaPipe-OSC (all but
``tongueOut``, and ``/_neutral``). No head and no gaze; Project Babble's mouth tracker
sends the lower face only, its cheeks by side.

Source: a capture of Codel1417/MediaPipe-OSC; the table of addresses in Project Babble's
receivers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.osc_face import (
    Handler,
    OscArguments,
    OscFaceProtocol,
    leading_addresses,
)
from vtbridge.tracking.protocols.protocol import weight_from_number

DEFAULT_PORT = 8888
NEUTRAL = "/_neutral"
NOT_SENT = "tongueOut"
"""The one blendshape that MediaPipe does not know."""
_WHOLE_FACE = frozenset(ARKIT_NAMES) - {NOT_SENT}
_CHEEKS = ("cheekPuffLeft", "cheekPuffRight")
_ADDRESSES = frozenset(f"/{name}".encode() for name in (*ARKIT_NAMES, *_CHEEKS))


class MediaPipeOscProtocol(OscFaceProtocol):
    """One sender; a face is complete once each name that MediaPipe knows has come."""

    name = "mediapipe_osc"
    default_port = DEFAULT_PORT

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the packet begins with a blendshape's name as an address."""
        return any(
            address in _ADDRESSES or address == NEUTRAL.encode()
            for address in leading_addresses(datagram)
        )

    def _handlers_by_address(self) -> Mapping[str, Handler]:
        handlers: dict[str, Handler] = {
            f"/{name}": partial(self._take_weight, name) for name in ARKIT_NAMES
        }
        handlers |= {f"/{cheek}": partial(self._take_cheek, cheek) for cheek in _CHEEKS}
        return handlers | {NEUTRAL: self._take_nothing}

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        super().reset(source)
        self._heard: set[str] = set()
        self._cheeks: dict[str, float] = {}

    def _settle(self) -> None:
        self._heard.clear()
        if self._cheeks:
            self._blendshapes["cheekPuff"] = sum(self._cheeks.values()) / len(self._cheeks)

    def _take_weight(self, name: str, arguments: OscArguments) -> bool:
        taken = self._keep_weight(name, arguments[0] if arguments else None)
        self._heard.add(name)
        self._ended = self._heard >= _WHOLE_FACE
        return taken

    def _take_cheek(self, cheek: str, arguments: OscArguments) -> bool:
        weight = weight_from_number(arguments[0] if arguments else None)
        if weight is None:
            return self._drop()
        self._cheeks[cheek] = weight
        return True
