"""Receive the text of iFacialMocap, versions 1 and 2, over UDP or TCP.

A datagram is a list of parts split by ``|``: ``mouthSmile_R-12`` (v1) or
``mouthSmile_R&12`` (v2) is a blendshape in percent; ``=head#x,y,z,px,py,pz``,
``rightEye#x,y,z`` and ``leftEye#x,y,z`` are angles in degrees and metres. The phone
sends after being greeted and stops unless greeted again when the line falls silent.
Newer apps say ``trackingStatus-0`` when the face is lost; older ones only repeat the
last datagram byte for byte.

For TCP another greeting goes out, still over UDP; the phone then connects to this
computer, and ``protocols.stream.TextFramer`` finds the datagrams in what it sends.

Source: ifacialmocap.com/for-developer; signs as in VMagicMirror.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.arkit import ShapeKind, shape_from_spelling
from vtbridge.tracking.protocols.protocol import Greeting, TrackerProtocol, weight_from_number
from vtbridge.tracking.protocols.spellings import ARKIT_BY_SPELLING

DEFAULT_PORT = 49983
GREETING = b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
GREETING_TCP = b"iFacialMocap_UDPTCP_sahuasouryya9218sauhuiayeta91555dy3719"
GREETING_V2_SUFFIX = b"|sendDataVersion=v2"
GREETING_INTERVAL_NS = 1_500_000_000
"""Silence after which the phone is greeted (again)."""
DOUBLED_NS = 5_000_000
"""An identical datagram within this time was doubled on its way; a phone sends every 16 ms."""
MAX_BYTES = 8192
"""A datagram of all 52 shapes has about 950."""

LARGEST_ANGLE_DEG = 360.0
PERCENT = 100.0
_ARKIT = ShapeKind.ARKIT  # asking an enum for a member costs as much as parsing the number
_WEIGHT_OF_PERCENT = {str(percent): percent / PERCENT for percent in range(101)}
_TRACKING_STATUS = "trackingStatus"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 32
_ANGLE = r"(-?[0-9]{1,3}(?:\.[0-9]{1,20})?)"
_THREE_ANGLES = re.compile(rf"=?(head|leftEye|rightEye)#{_ANGLE},{_ANGLE},{_ANGLE}(?:,|\Z)")
"""Angles as the apps write them; ``_take_angles`` understands more."""
_BEGINNING = re.compile(rb"[|=]{0,2}[A-Za-z][A-Za-z0-9_ ]{1,63}[-&#]")


@dataclass(slots=True)
class FaceParts:
    """What one datagram says."""

    blendshapes: dict[str, float] = field(default_factory=dict)
    head: HeadPose | None = None
    left_eye: Gaze | None = None
    right_eye: Gaze | None = None
    tracked: bool | None = None
    dropped: int = 0


class TextProtocol(TrackerProtocol):
    """One app, or one program, that sends a face as a list of parts.

    Args:
        greeting: asks the app to send, and where; None to wait for a sender that needs none.
    """

    def __init__(self, greeting: Greeting | None) -> None:
        super().__init__()
        self._greeting = greeting
        self._unanswered_ns: int | None = None  # survives reset: a silent phone is not pestered
        self.reset("")

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        self._source = source
        self._blendshapes: dict[str, float] = {}
        self._head: HeadPose | None = None
        self._left_eye: Gaze | None = None
        self._right_eye: Gaze | None = None
        self._last_datagram: bytes | None = None
        self._last_arrival_ns: int | None = None
        self._lost = False

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
            self._lost = parts.tracked is False
        self._last_datagram = datagram
        self._last_arrival_ns = t_ns
        self._unanswered_ns = None
        return [
            FaceFrame(
                t_ns=t_ns,
                source=self._source,
                tracked=not (repeated or self._lost),
                blendshapes=MappingProxyType(dict(self._blendshapes)),
                head=self._head,
                left_eye=self._left_eye,
                right_eye=self._right_eye,
            )
        ]

    def greeting(self, t_ns: int) -> Greeting | None:
        """Return the greeting when the phone has been silent and not just been greeted."""
        if self._greeting is None:
            return None
        for last_ns in (self._last_arrival_ns, self._unanswered_ns):
            if last_ns is not None and t_ns - last_ns < GREETING_INTERVAL_NS:
                return None
        self._unanswered_ns = t_ns
        return self._greeting


class IFacialMocapProtocol(TextProtocol):
    """One phone, or one program that sends the phone's text.

    Args:
        phone: address to greet, None to wait for a sender that needs no greeting.
        phone_port: where the phone listens for the greeting.
        ask_for_v2: ask for the text with ``&``; both are understood anyway.
        transport: with ``tcp`` the phone is asked to connect instead of sending datagrams.
    """

    name = "ifacialmocap"

    def __init__(
        self,
        phone: str | None = None,
        *,
        phone_port: int = DEFAULT_PORT,
        ask_for_v2: bool = True,
        transport: Literal["udp", "tcp"] = "udp",
    ) -> None:
        words = GREETING_TCP if transport == "tcp" else GREETING
        words += GREETING_V2_SUFFIX if ask_for_v2 else b""
        super().__init__(None if phone is None else Greeting(words, phone, phone_port))

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether the datagram is a list of parts."""
        return b"|" in datagram and _BEGINNING.match(datagram) is not None


def head_from_degrees(x: float, y: float, z: float) -> HeadPose:
    """Return the head of angles as these apps write them: +X nose down, +Y own left."""
    return HeadPose(pitch_rad=-math.radians(x), yaw_rad=-math.radians(y), roll_rad=math.radians(z))


def gaze_from_degrees(x: float, y: float) -> Gaze:
    """Return the gaze of an eye's angles as these apps write them."""
    return Gaze(pitch_rad=-math.radians(x), yaw_rad=-math.radians(y))


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
    blendshapes = parts.blendshapes
    shape_of, weight_of = ARKIT_BY_SPELLING.get, _WEIGHT_OF_PERCENT.get
    understood = 0
    for text in datagram.decode("latin-1").split("|"):
        # Nearly every part is a known name and a whole percent, or three plain angles.
        name, found, percent = text.partition("&")
        if not found:
            name, _, percent = text.partition("-")
        shape, weight = shape_of(name), weight_of(percent)
        if shape is not None and weight is not None:
            blendshapes[shape] = weight
            understood += 1
            continue
        angles = _THREE_ANGLES.match(text)
        if angles is not None:
            x, y, z = map(float, angles.group(2, 3, 4))
            if max(abs(x), abs(y), abs(z)) <= LARGEST_ANGLE_DEG:
                _ANGLES[angles[1]](parts, x, y, z)
                understood += 1
                continue
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
    name, found, percent = part.partition("&")
    if found:
        name, percent = name.strip(" "), percent.strip(" ")  # MeowFace puts spaces around it
    else:
        name, found, percent = part.partition("-")  # the number may have a sign of its own
    number = _number(percent)
    if name == _TRACKING_STATUS and number is not None:
        parts.tracked = number != 0
        return True
    weight = None if number is None else weight_from_number(number / PERCENT)
    if not found or weight is None:
        parts.dropped += 1
        return False
    shape = shape_from_spelling(name)
    if shape is None or shape.kind is not _ARKIT:
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
    if len(angles) < 3 or any(a is None or abs(a) > LARGEST_ANGLE_DEG for a in angles):
        parts.dropped += 1
        return False
    take(parts, *(angle for angle in angles if angle is not None))
    return True


def _take_head(parts: FaceParts, x: float, y: float, z: float) -> None:
    parts.head = head_from_degrees(x, y, z)


def _take_left_eye(parts: FaceParts, x: float, y: float, z: float) -> None:
    parts.left_eye = gaze_from_degrees(x, y)


def _take_right_eye(parts: FaceParts, x: float, y: float, z: float) -> None:
    parts.right_eye = gaze_from_degrees(x, y)


_ANGLES: dict[str, Callable[[FaceParts, float, float, float], None]] = {
    "head": _take_head,
    "leftEye": _take_left_eye,
    "rightEye": _take_right_eye,
}


def _number(text: str) -> float | None:
    """Return the finite number written in ``text``, else None."""
    if len(text) > _LONGEST_NUMBER:
        return None
    if not text.isdecimal() and _NUMBER.fullmatch(text) is None:  # most are whole percents
        return None
    number = float(text)
    return number if math.isfinite(number) else None
