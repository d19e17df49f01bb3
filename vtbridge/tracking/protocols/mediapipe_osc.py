"""Receive blendshapes whose names are the OSC addresses: MediaPipe-OSC, Project Babble.

``/jawOpen f``, one message a datagram, 52 a frame from MediaPipe-OSC (all but
``tongueOut``, and ``/_neutral``). No head and no gaze; Project Babble's mouth tracker
sends the lower face only, its cheeks by side.

Source: a capture of Codel1417/MediaPipe-OSC; the table of addresses in Project Babble's
receivers.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial

from vtbridge.tracking.arkit import ARKIT_NAMES, ShapeKind
from vtbridge.tracking.protocols.osc_face import (
    Handler,
    OscArguments,
    OscFaceProtocol,
    leading_addresses,
)
from vtbridge.tracking.protocols.osc_reading import NumberKey
from vtbridge.tracking.protocols.protocol import weight_from_number

NEUTRAL = "/_neutral"
NOT_SENT = "tongueOut"
"""The one blendshape that MediaPipe does not know."""
_NAMES = frozenset(ARKIT_NAMES)
_WHOLE_FACE = frozenset(ARKIT_NAMES) - {NOT_SENT}
_CHEEKS = ("cheekPuffLeft", "cheekPuffRight")
_ADDRESSES = frozenset(f"/{name}".encode() for name in (*ARKIT_NAMES, *_CHEEKS))


class MediaPipeOscProtocol(OscFaceProtocol):
    """One sender; a face is complete once each name that MediaPipe knows has come."""

    name = "mediapipe_osc"

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the packet begins with a blendshape's name as an address."""
        return any(
            address in _ADDRESSES or address == NEUTRAL.encode()
            for address in leading_addresses(datagram)
        )

    def _handlers_by_address(self) -> Mapping[str, Handler]:
        handlers: dict[str, Handler] = {
            f"/{name}": partial(self._take_part, name) for name in ARKIT_NAMES
        }
        handlers |= {f"/{cheek}": partial(self._take_cheek, cheek) for cheek in _CHEEKS}
        return handlers | {NEUTRAL: self._take_nothing}

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        super().reset(source)
        self._missing = set(_WHOLE_FACE)
        self._cheeks: dict[str, float] = {}

    def _settle(self) -> None:
        self._missing = set(_WHOLE_FACE)
        if self._cheeks:
            self._blendshapes["cheekPuff"] = sum(self._cheeks.values()) / len(self._cheeks)

    def _number_key(self, address: str, leading: OscArguments) -> NumberKey | None:
        name = address.removeprefix("/")
        return NumberKey(ShapeKind.ARKIT, name) if name in _NAMES and not leading else None

    def _take_number(self, key: NumberKey, number: float) -> bool:
        name = key.name
        self._missing.discard(name)
        self._ended = not self._missing
        if 0.0 <= number <= 1.0:  # nearly every one
            self._blendshapes[name] = number
            return True
        return self._keep_weight(name, number)

    def _take_numbers(
        self, group: Hashable, names: Sequence[str], numbers: Sequence[float]
    ) -> bool:
        self._missing.difference_update(names)
        self._ended = not self._missing
        return super()._take_numbers(group, names, numbers)

    def _take_part(self, name: str, arguments: OscArguments) -> bool:
        self._missing.discard(name)
        self._ended = not self._missing
        return self._take_weight(name, arguments)

    def _take_cheek(self, cheek: str, arguments: OscArguments) -> bool:
        weight = weight_from_number(arguments[0] if arguments else None)
        if weight is None:
            return self._drop()
        self._cheeks[cheek] = weight
        return True
