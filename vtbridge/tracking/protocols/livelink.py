"""Receive Live Link Face, version 6 of its datagrams.

Big-endian: u8 6; u32 length and the device's id; u32 length and the subject's name; i32
frame; f32 subframe; i32 frames a second; i32 denominator; then u8 61 and as many f32. A
datagram that ends before the count says that no face is seen.

Frame numbers step by 1, or by 2 where the app counts 60 and films 30 a second: the step
in use tells how many are missing. They count from the phone's time of day, or of a clip:
one set back, or played again, begins a new count.

Source: the layout as in github.com/JimWest/PyLiveLinkFace; names in ``tracking.livelink``.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from types import MappingProxyType

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.livelink import (
    SHAPE_NAMES,
    VALUE_COUNT,
    gaze_from_livelink,
    head_from_livelink,
)
from vtbridge.tracking.protocols.protocol import (
    TrackerProtocol,
    finite_or_none,
    weight_from_number,
)

VERSION = 6
MAX_TEXT_BYTES = 256
"""Longest id or subject; real ones have 32 to 36 and what a user types."""

LENGTH = struct.Struct(">I")
TIME = struct.Struct(">ifii")
VALUES = struct.Struct(f">B{VALUE_COUNT}f")

_LARGEST_ANGLE_RAD = math.tau
_LARGEST_STEP = 4
_REGULAR_STEPS = 4
_LONGEST_GAP = 600
_RESYNC_NS = NS_PER_S // 4
"""Time of nothing but late frames, however uneven, after which theirs is a new count."""


class LiveLinkProtocol(TrackerProtocol):
    """One phone, or one program that sends as it does."""

    name = "livelink"

    def __init__(self) -> None:
        super().__init__()
        self.lost = 0
        self.reset("")

    @classmethod
    def recognises(cls, datagram: bytes) -> bool:
        """Return whether version and the length of the id make sense."""
        return (
            len(datagram) > LENGTH.size
            and datagram[0] == VERSION
            and 0 < LENGTH.unpack_from(datagram, 1)[0] <= MAX_TEXT_BYTES
        )

    def reset(self, source: str) -> None:
        """Forget everything received; what follows comes from ``source``."""
        self._source = source
        self._blendshapes: dict[str, float] = {}
        self._head: HeadPose | None = None
        self._left_eye: Gaze | None = None
        self._right_eye: Gaze | None = None
        self._numbering = _Numbering()

    def feed(self, datagram: bytes, t_ns: int) -> list[FaceFrame]:
        """Take one datagram and return its face; untracked if it says that none is seen.

        Raises:
            PacketError: it is of another version, cut short, or has other numbers.
        """
        frame, values = parse_livelink(datagram)
        if frame is not None:
            missing = self._numbering.take(frame, t_ns)
            if missing is None:
                return []  # overtaken by a later one, or doubled on its way
            self.lost = (self.lost or 0) + missing
        if values is not None:
            self._take_values(values)
        return [
            FaceFrame(
                t_ns=t_ns,
                source=self._source,
                tracked=values is not None,
                blendshapes=MappingProxyType(dict(self._blendshapes)),
                head=self._head,
                left_eye=self._left_eye,
                right_eye=self._right_eye,
            )
        ]

    def _take_values(self, values: tuple[float, ...]) -> None:
        for name, value in zip(SHAPE_NAMES, values, strict=False):
            weight = weight_from_number(value)
            if weight is None:
                self.values_dropped += 1
            else:
                self._blendshapes[name] = weight
        angles = [finite_or_none(v, _LARGEST_ANGLE_RAD) for v in values[len(SHAPE_NAMES) :]]
        self.values_dropped += angles.count(None)
        match angles[:3]:
            case [float(yaw), float(pitch), float(roll)]:
                self._head = head_from_livelink(yaw, pitch, roll)
        match angles[3:5]:
            case [float(yaw), float(pitch)]:
                self._left_eye = gaze_from_livelink(yaw, pitch)
        match angles[6:8]:
            case [float(yaw), float(pitch)]:
                self._right_eye = gaze_from_livelink(yaw, pitch)


def parse_livelink(datagram: bytes) -> tuple[int | None, tuple[float, ...] | None]:
    """Return frame number and 61 values of a datagram; None where it does not say.

    Raises:
        PacketError: it is of another version, cut short, or has other numbers.
    """
    if not LiveLinkProtocol.recognises(datagram):
        raise PacketError(
            f"{datagram[:8]!r} is not Live Link Face, version {VERSION}", reason="not livelink"
        )
    place = 1
    for _text in ("id", "subject"):
        if len(datagram) < place + LENGTH.size:
            raise _malformed("it ends before the subject's name")
        (length,) = LENGTH.unpack_from(datagram, place)
        place += LENGTH.size + length
        if length > MAX_TEXT_BYTES or place > len(datagram):
            raise _malformed(f"a text of {length} bytes in {len(datagram)}")
    if len(datagram) < place + TIME.size:
        return None, None
    frame, _subframe, _fps, _denominator = TIME.unpack_from(datagram, place)
    place += TIME.size
    if len(datagram) == place:
        return frame, None
    if datagram[place] != VALUE_COUNT or len(datagram) != place + VALUES.size:
        raise _malformed(
            f"{datagram[place]} values in {len(datagram) - place} bytes, not {VALUE_COUNT}"
        )
    return frame, VALUES.unpack_from(datagram, place)[1:]


@dataclass(slots=True)
class _LateFrames:
    """Late frames with no timely one among them."""

    since_ns: int
    last: int
    even: int = 0


class _Numbering:
    """Tell missing and late frames, once the numbers have proved to rise evenly."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._step = _LARGEST_STEP
        self._even = 0
        self._late: _LateFrames | None = None

    def take(self, frame: int, t_ns: int) -> int | None:
        """Return how many are missing before ``frame``, None if it is late or doubled."""
        if self._last is None:
            self._last = frame
            return 0
        rise = frame - self._last
        if self._even >= _REGULAR_STEPS and -_LONGEST_GAP < rise <= 0:
            if not self._begins_anew(frame, t_ns):
                return None
            self._even = 0
        self._last, self._late = frame, None
        if 0 < rise < self._step:
            self._step, self._even = rise, 0
        if rise == self._step:
            self._even += 1
            return 0
        if self._even < _REGULAR_STEPS:
            self._even = 0
            return 0
        return round(rise / self._step) - 1 if 0 < rise <= _LONGEST_GAP else 0

    def _begins_anew(self, frame: int, t_ns: int) -> bool:
        """Return whether late frames rise as only a new count does, or nothing else comes."""
        late = self._late
        if late is None:
            self._late = _LateFrames(t_ns, frame)
            return False
        late.even = late.even + 1 if frame - late.last == self._step else 0
        late.last = frame
        return late.even >= _REGULAR_STEPS or t_ns - late.since_ns >= _RESYNC_NS


def _malformed(what: str) -> PacketError:
    return PacketError(f"Live Link Face: {what}", reason="malformed livelink")
