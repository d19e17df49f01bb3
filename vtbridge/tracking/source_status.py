"""What one source of faces is doing, told the same way by sockets, webcam and microphone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame

_SMOOTHING = 1 / 16
_SHORTEST_INTERVAL_NS = NS_PER_S // 1000


class SourceState(StrEnum):
    """Where a source stands, from no chance of a face to a face."""

    BLOCKED = "blocked"
    """Its port or device cannot be had; tried again in the background."""
    WAITING = "waiting"
    """Ready, but nothing has come yet."""
    SILENT = "silent"
    """Something came, and then no more."""
    NO_FACE = "no face"
    """It speaks, and says that it sees no face."""
    LIVE = "live"
    """It sends a face."""

    @property
    def speaks(self) -> bool:
        """True while something comes, so that its rate means anything."""
        return self in {SourceState.NO_FACE, SourceState.LIVE}


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What one source of faces is doing.

    Attributes:
        source: as in ``FaceFrame.source``; the protocol's name while nobody sends.
        title: what people call it.
        place: where it comes in: ``127.0.0.1:39539``, ``webcam 0``, ``me.wav``.
        state: see ``SourceState``.
        fps: faces a second, smoothed; 0 unless it speaks.
        jitter_ms: mean deviation of the interval between two faces, smoothed; 0 unless it
            speaks.
        packets: datagrams, pictures or blocks of sound taken in so far.
        lost: datagrams missing by the sender's own numbering, None where it has none.
        rejects: what was refused so far, by reason.
        last_ns: monotonic time of the last of these, None before the first.
        trouble: what keeps it from working, in a sentence with the remedy, None if nothing.
        face: the newest face, None before the first.
        asked: address of the device that is asked to send and does not answer, None where
            nobody is asked.
    """

    source: str
    title: str
    place: str
    state: SourceState
    fps: float = 0.0
    jitter_ms: float = 0.0
    packets: int = 0
    lost: int | None = None
    rejects: Mapping[str, int] = field(default_factory=dict)
    last_ns: int | None = None
    trouble: str | None = None
    face: FaceFrame | None = None
    asked: str | None = None


def plain_status(
    status: SourceStatus, now_ns: int, *, with_face: bool = False
) -> dict[str, object]:
    """Return ``status`` as JSON can hold it, the time of the last packet as an age.

    Args:
        status: of one source.
        now_ns: monotonic time of the same process.
        with_face: whether the newest face comes along.
    """
    last_ns = status.last_ns
    plain: dict[str, object] = {
        "source": status.source,
        "title": status.title,
        "place": status.place,
        "state": status.state.value,
        "fps": round(status.fps, 1),
        "jitter_ms": round(status.jitter_ms, 1),
        "packets": status.packets,
        "lost": status.lost,
        "rejects": dict(status.rejects),
        "age_s": None if last_ns is None else round(max(now_ns - last_ns, 0) / NS_PER_S, 2),
        "trouble": status.trouble,
        "asked": status.asked,
    }
    if with_face:
        plain["face"] = None if status.face is None else plain_face(status.face, now_ns)
    return plain


def plain_face(face: FaceFrame, now_ns: int) -> dict[str, object]:
    """Return ``face`` as JSON can hold it, for people: degrees, three decimals, an age."""
    head = face.head
    return {
        "source": face.source,
        "tracked": face.tracked,
        "age_s": round(max(now_ns - face.t_ns, 0) / NS_PER_S, 2),
        "blendshapes": _rounded(face.blendshapes),
        "presets": _rounded(face.presets),
        "head_deg": None
        if head is None
        else _degrees(pitch=head.pitch_rad, yaw=head.yaw_rad, roll=head.roll_rad),
        **{
            f"{side}_deg": None
            if gaze is None
            else _degrees(pitch=gaze.pitch_rad, yaw=gaze.yaw_rad)
            for side, gaze in (("left_eye", face.left_eye), ("right_eye", face.right_eye))
        },
    }


def _rounded(weights: Mapping[str, float]) -> dict[str, float]:
    return {name: round(weight, 3) for name, weight in weights.items()}


def _degrees(**angles_rad: float) -> dict[str, float]:
    return {name: round(math.degrees(angle), 1) for name, angle in angles_rad.items()}


class RateMeter:
    """Measure how often and how evenly faces come, by their times of arrival."""

    def __init__(self) -> None:
        self.last_ns: int | None = None
        self._interval_ns = 0.0
        self._deviation_ns = 0.0

    @property
    def interval_ns(self) -> float:
        """Time between two faces, 0 before the second one."""
        return self._interval_ns

    @property
    def fps(self) -> float:
        """Faces a second, 0 before the second one."""
        return NS_PER_S / self._interval_ns if self._interval_ns else 0.0

    @property
    def jitter_ms(self) -> float:
        """Mean deviation of the interval, milliseconds."""
        return self._deviation_ns / 1e6

    def saw(self, t_ns: int) -> None:
        """Count a face that arrived at ``t_ns``; after a second of silence start anew."""
        last_ns, self.last_ns = self.last_ns, t_ns
        if last_ns is None:
            return
        interval_ns = max(t_ns - last_ns, _SHORTEST_INTERVAL_NS)
        if interval_ns > NS_PER_S:
            self._interval_ns = self._deviation_ns = 0.0
        elif not self._interval_ns:
            self._interval_ns = float(interval_ns)
        else:
            deviation_ns = abs(interval_ns - self._interval_ns)
            self._interval_ns += (interval_ns - self._interval_ns) * _SMOOTHING
            self._deviation_ns += (deviation_ns - self._deviation_ns) * _SMOOTHING
