"""Play a recording through tracking, retargeting and idle motion on its own times.

No socket, no clock and no network of neurons: the same file gives the same poses on
every run, however fast they are asked for.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vtbridge.app.recorded_settings import unusable
from vtbridge.clock import NS_PER_S
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame, Pose
from vtbridge.errors import ConfigError, PacketError, VtbridgeError
from vtbridge.expressions.idle import IdleMotion
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.fusion import Fusion
from vtbridge.tracking.protocols.protocol import QUIET_NS, TrackerProtocol
from vtbridge.tracking.protocols.table import PROTOCOLS
from vtbridge.tracking.recordings.open import Recording
from vtbridge.tracking.recordings.session import (
    RecordedCalibration,
    RecordedDatagram,
    RecordedFace,
    RecordedLoss,
)
from vtbridge.tracking.settings import TrackingSettings

log = logging.getLogger(__name__)

MAX_SOURCES = 64
"""Senders of one recording whose datagrams are parsed."""

_MAX_FLUSHES = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """What a recording brings at one time of its own, monotonic nanoseconds.

    Attributes:
        t_ns: when.
        face: what all trackers together show from then on, None where nothing changes.
        calibrate: True where the user asked for a new neutral face.
    """

    t_ns: int
    face: FaceFrame | None
    calibrate: bool = False


@dataclass(frozen=True, slots=True)
class TimedPose:
    """A pose and its time since the recording's start, seconds."""

    t_s: float
    pose: Pose


def calibrated_retargeter(recording: Recording, config: Config, telemetry: Telemetry) -> Retargeter:
    """Return a retargeter with the settings of ``config`` and the recording's neutral face."""
    retargeter = Retargeter(config.retarget, telemetry=telemetry)
    load_recorded_calibration(recording, retargeter)
    return retargeter


def load_recorded_calibration(recording: Recording, retargeter: Retargeter) -> None:
    """Give ``retargeter`` the neutral face of ``recording``, if it has one.

    Raises:
        ConfigError: this vtbridge cannot use it.
    """
    if recording.header is None or not recording.header.calibration:
        return
    try:
        retargeter.load_calibration(dict(recording.header.calibration))
    except (ConfigError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise unusable(recording, f"calibration: {error}") from error


def seed_of_recording(recording: Recording) -> int:
    """Return the seed of the idle motion of ``recording``, 0 if it keeps none."""
    return 0 if recording.header is None else recording.header.idle_seed


def duration_s(recording: Recording) -> float:
    """Return the seconds from the first record to the last, or to the file's damage."""
    first_ns = last_ns = None
    with contextlib.suppress(VtbridgeError):
        for record in recording.records():
            last_ns = record.t_ns
            first_ns = last_ns if first_ns is None else first_ns
    return 0.0 if first_ns is None or last_ns is None else (last_ns - first_ns) / NS_PER_S


def moments(
    recording: Recording, settings: TrackingSettings, telemetry: Telemetry
) -> Iterator[Moment]:
    """Yield what a recording brings, in order of time; each record gives one at least.

    Datagrams that their protocol refuses are counted as ``tracking.rejected`` and left out,
    as when they came.

    Raises:
        PacketError: the file is damaged, or names more senders than can be.
        OSError: it cannot be read.
    """
    fusion = Fusion(settings.fusion, round(settings.takeover_s * NS_PER_S), telemetry)
    inlets = _Inlets(settings, telemetry)
    last_ns = 0
    warned = False
    for record in recording.records():
        last_ns = record.t_ns
        for t_ns, face in inlets.flushed(until_ns=last_ns):
            yield Moment(t_ns, fusion.offer(face))
        faces: list[FaceFrame] = []
        match record:
            case RecordedDatagram():
                faces = inlets.fed(record)
            case RecordedFace(_, face):
                faces = [face]
            case RecordedLoss(_, count) if not warned:
                warned = True
                log.warning(
                    "%s: %d records were lost to a slow disk; what follows may differ",
                    recording.path,
                    count,
                )
        yield Moment(last_ns, None, calibrate=isinstance(record, RecordedCalibration))
        for face in faces:
            yield Moment(last_ns, fusion.offer(face))
    for t_ns, face in inlets.flushed(until_ns=last_ns + _MAX_FLUSHES * QUIET_NS):
        yield Moment(t_ns, fusion.offer(face))


def poses_at_beat(
    arrivals: Iterable[Moment], retargeter: Retargeter, idle: IdleMotion, fps: float
) -> Iterator[TimedPose]:
    """Yield the pose of each beat from the first moment to the last, ``fps`` a second."""
    start_ns = end_ns = None
    beats = 0

    def shown_at(beat_ns: int) -> Pose:
        return idle.apply(retargeter.pose_at(beat_ns), beat_ns)

    for moment in arrivals:
        if start_ns is None:
            start_ns = moment.t_ns
        end_ns = moment.t_ns
        while (beat_ns := start_ns + round(beats * NS_PER_S / fps)) < end_ns:
            yield TimedPose(beats / fps, shown_at(beat_ns))
            beats += 1
        if moment.calibrate:
            retargeter.calibrate()
        if moment.face is not None:
            retargeter.feed(moment.face)
    if start_ns is not None and end_ns is not None:
        beat_ns = start_ns + round(beats * NS_PER_S / fps)
        if beat_ns == end_ns:
            yield TimedPose(beats / fps, shown_at(beat_ns))


class _Inlet:
    """One sender's protocol, and when it is to be asked for what waits."""

    def __init__(self, protocol: TrackerProtocol) -> None:
        self.protocol = protocol
        self._quiet_since_ns = 0
        self._flushes = _MAX_FLUSHES

    @property
    def due_ns(self) -> int | None:
        """When the next flush is due, None if nothing waits."""
        if not self.protocol.waiting or self._flushes >= _MAX_FLUSHES:
            return None
        return self._quiet_since_ns + (self._flushes + 1) * QUIET_NS

    def feed(self, data: bytes, t_ns: int) -> list[FaceFrame]:
        self._quiet_since_ns, self._flushes = t_ns, 0
        faces = self.protocol.feed(data, t_ns)
        self.protocol.replies()  # nobody is there to hear them
        return faces

    def flush_before(self, t_ns: int) -> list[FaceFrame]:
        """Return what a receiver asks for when the next datagram interrupts its wait."""
        return self.protocol.flush(t_ns) if self.protocol.waiting else []

    def flush(self, t_ns: int) -> list[FaceFrame]:
        self._flushes += 1
        return self.protocol.flush(t_ns)


class _Inlets:
    """A protocol for each sender of a recording."""

    def __init__(self, settings: TrackingSettings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._rows = {row.name: row for row in PROTOCOLS}
        self._inlets: dict[tuple[str, str], _Inlet] = {}
        self._unknown: set[str] = set()

    def fed(self, record: RecordedDatagram) -> list[FaceFrame]:
        inlet = self._inlet(record)
        if inlet is None:
            return []
        faces = inlet.flush_before(record.t_ns)
        try:
            return faces + inlet.feed(record.data, record.t_ns)
        except PacketError:
            self._telemetry.count("tracking.rejected")
            return faces

    def flushed(self, until_ns: int) -> Iterator[tuple[int, FaceFrame]]:
        """Yield what waited for a pause that ended by ``until_ns``, in order of time."""
        while True:
            due = [(inlet.due_ns, inlet) for inlet in self._inlets.values()]
            waiting = [(due_ns, inlet) for due_ns, inlet in due if due_ns is not None]
            if not waiting:
                return
            due_ns, inlet = min(waiting, key=lambda pair: pair[0])
            if due_ns > until_ns:
                return
            for face in inlet.flush(due_ns):
                yield due_ns, face

    def _inlet(self, record: RecordedDatagram) -> _Inlet | None:
        key = (record.protocol, record.source)
        known = self._inlets.get(key)
        if known is not None:
            if record.fresh:
                known.protocol.reset(record.source)
            return known
        row = self._rows.get(record.protocol)
        if row is None:
            if record.protocol not in self._unknown and len(self._unknown) < MAX_SOURCES:
                self._unknown.add(record.protocol)
                log.warning(
                    "this vtbridge knows no protocol %r; its datagrams are left out",
                    record.protocol[:40],
                )
            return None
        if len(self._inlets) >= MAX_SOURCES:
            raise PacketError(
                f"the recording names more than {MAX_SOURCES} senders, {record.source!r:.80} "
                "among them; record again with [tracking] allow set to your own",
                reason="recording",
            )
        protocol = row.create(self._settings)
        protocol.replayed = True
        protocol.reset(record.source)
        return self._inlets.setdefault(key, _Inlet(protocol))
