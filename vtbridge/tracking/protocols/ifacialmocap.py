"""Receive the text of iFacialMocap, versions 1 and 2, over UDP.

A datagram is a list of parts split by ``|``: ``mouthSmile_R-12`` (v1) or
``mouthSmile_R&12`` (v2) is a blendshape in percent; ``=head#x,y,z,px,py,pz``,
``rightEye#x,y,z`` and ``leftEye#x,y,z`` are angles in degrees and metres. The phone
sends after being greeted and stops unless greeted again when the line falls silent.
It has no word for "face lost": it repeats the last datagram byte for byte.

Source: ifacialmocap.com/for-developer; signs as in VMagicMirror.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ShapeKind, shape_from_spelling
from vtbridge.tracking.protocols.protocol import Greeting, TrackerProtocol, weight_from_number

DEFAULT_PORT = 49983
GREETING = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
GREETING_V2_SUFFIX = b"|sendDataVersion=v2"
GREETING_INTERVAL_NS = 1_500_000_000
"""Silence after which the phone is greeted (again)."""
DOUBLED_NS = 5_000_000
"""An identical datagram within this time was doubled on its way; a phone sends every 16 ms."""
MAX_BYTES = 8192
"""A datagram of all 52 shapes has about 950."""

_LARGEST_ANGLE_DEG = 360.0
_PERCENT = 100.0
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 32


@dataclass(slots=True)
class FaceParts:
    """What one datagram says."""

    blendshapes: dict[str, float] = field(default_factory=dict)
    head: HeadPose | None = None
    left_eye: Gaze | None = None
    right_eye: Gaze | None = None
    dropped: int = 0


class IFacialMocapProtocol(TrackerProtocol):
    """One phone, or one program that sends the phone's text.

    Args:
        phone: address to greet, None to wait for a sender that needs no greeting.
        phone_port: where the phone listens for the greeting.
        ask_for_v2: ask for the text with ``&``; both are understood anyway.
    """

    name = "ifacialmocap"
    default_port = DEFAULT_PORT

    def __init__(
        self, phone: str | None = None, *, phone_port: int = DEFAULT_PORT, ask_for_v2: bool = True
    ) -> None:
        super().__init__()
        self._phone = phone
        self._phone_port = phone_port
        self._greeting = GREETING + (GREETING_V2_SUFFIX if ask_for_v2 else b"")
        self._last_greeting_ns: int | None = None
        self.reset("")

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the datagram is a list of parts."""
        return b"|" in datagram

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        self._source = source
        self._blendshapes: dict[str, float] = {}
        self._head: HeadPose | None = None
        self._left_eye: Gaze | None = None
        self._right_eye: Gaze | None = None
        self._last_datagram: bytes | None = None
        self._last_arrival_ns: int | None = None

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram and return its face; untracked if it repeats the last one.

        Raises:
            PacketError: it is too long, or holds not one part of the protocol.
        """
        since_last_ns = t_ns - self._last_arrival_ns if self._last_arrival_ns is not None else None
        repeated = datagram == self._last_datagram
        if repeated and since_last_ns is not None and since_last_ns < DOUBLED_NS:
            return []
        if not repeated:
            parts = parse_text(datagram)
            self.values_dropped += parts.dropped
            self._blendshapes |= parts.blendshapes
            self._head = parts.head or self._head
            self._left_eye = parts.left_eye or self._left_eye
            self._right_eye = parts.right_eye or self._right_eye
        self._last_datagram = datagram
        self._last_arrival_ns = t_ns
        return [
            FaceFrame(
                t_ns=t_ns,
                source=self._source,
                tracked=not repeated,
                blendshapes=MappingProxyType(dict(self._blendshapes)),
                head=self._head,
                left_eye=self._left_eye,
                right_eye=self._right_eye,
            )
        ]

    def greeting(self, t_ns: int) -> Greeting | None:
        """Return the greeting when the phone has been silent and not just been greeted."""
        if self._phone is None:
            return None
        for last_ns in (self._last_arrival_ns, self._last_greeting_ns):
            if last_ns is not None and t_ns - last_ns < GREETING_INTERVAL_NS:
                return None
        self._last_greeting_ns = t_ns
        return Greeting(self._greeting, self._phone, self._phone_port)


def parse_text(datagram: bytes) -> FaceParts:
    """Parse one datagram, dropping (and counting) the parts that make no sense.

    Raises:
        PacketError: it is too long, or holds not one part of the protocol.
    """
    if len(datagram) > MAX_BYTES:
        raise PacketError(
            f"{len(datagram)} bytes of iFacialMocap text are more than {MAX_BYTES}",
            reason="ifacialmocap size",
        )
    parts = FaceParts()
    understood = 0
    for text in datagram.decode("latin-1").split("|"):
        part = text.strip("\0\r\n =")
        if part:
            understood += _take_angles(parts, part) if "#" in part else _take_shape(parts, part)
    if not understood:
        raise PacketError(
            f"no part of iFacialMocap's text in {datagram[:40]!r}", reason="not ifacialmocap"
        )
    return parts


def _take_shape(parts: FaceParts, part: str) -> bool:
    """Take ``name&percent`` or ``name-percent``; return whether it was one."""
    separator = "&" if "&" in part else "-"
    name, found, percent = part.partition(separator)  # the number may have a sign of its own
    number = _number(percent)
    weight = None if number is None else weight_from_number(number / _PERCENT)
    if not found or weight is None:
        parts.dropped += 1
        return False
    shape = shape_from_spelling(name)
    if shape is None or shape.kind is not ShapeKind.ARKIT:
        return False  # a name that is no blendshape
    parts.blendshapes[shape.name] = weight
    return True


def _take_angles(parts: FaceParts, part: str) -> bool:
    """Take ``head#...`` or an eye; return whether it was one."""
    name, _, numbers = part.partition("#")
    take = _ANGLES.get(name)
    if take is None:
        return False
    angles = [_number(number) for number in numbers.split(",", 6)[:3]]
    if len(angles) < 3 or any(a is None or abs(a) > _LARGEST_ANGLE_DEG for a in angles):
        parts.dropped += 1
        return False
    take(parts, *(math.radians(angle) for angle in angles if angle is not None))
    return True


def _take_head(parts: FaceParts, x: float, y: float, z: float) -> None:
    parts.head = HeadPose(pitch_rad=-x, yaw_rad=-y, roll_rad=z)


def _take_left_eye(parts: FaceParts, x: float, y: float, z: float) -> None:
    parts.left_eye = Gaze(pitch_rad=-x, yaw_rad=-y)


def _take_right_eye(parts: FaceParts, x: float, y: float, z: float) -> None:
    parts.right_eye = Gaze(pitch_rad=-x, yaw_rad=-y)


_ANGLES: dict[str, Callable[[FaceParts, float, float, float], None]] = {
    "head": _take_head,
    "leftEye": _take_left_eye,
    "rightEye": _take_right_eye,
}


def _number(text: str) -> float | None:
    """Return the finite number written in ``text``, else None."""
    if len(text) > _LONGEST_NUMBER or _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if math.isfinite(number) else None
