"""A replay follows the recorded times and settings, and says what it cannot use."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vtbridge.app.replay import (
    MAX_SOURCES,
    Moment,
    calibrated_retargeter,
    duration_s,
    moments,
    poses_at_beat,
    seed_of_recording,
)
from vtbridge.app.replay_source import ReplaySource
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame, HeadPose
from vtbridge.errors import ConfigError, PacketError
from vtbridge.expressions.idle import IdleMotion
from vtbridge.expressions.settings import IdleSettings
from vtbridge.flow.slot import LatestSlot
from vtbridge.pose_params import PoseParam
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.formats import Packing
from vtbridge.tracking.protocols.protocol import QUIET_NS
from vtbridge.tracking.recordings.open import Recording
from vtbridge.tracking.recordings.session import (
    Record,
    RecordedCalibration,
    RecordedDatagram,
    RecordedFace,
    RecordedLoss,
    SessionHeader,
)
from vtbridge.tracking.senders.fmv3 import Fmv3Phone
from vtbridge.tracking.senders.performance import face_at
from vtbridge.tracking.senders.vmc import encode_vmc
from vtbridge.tracking.settings import TrackingSettings

T0 = 5_000 * NS_PER_S
MS = NS_PER_S // 1000
VMC = "vmc:127.0.0.1"


def recording(*records: Record, header: SessionHeader | None = None) -> Recording:
    return Recording(Path("bug.vtbrec"), "recording", lambda: iter(records), header)


def vmc(face: FaceFrame, t_ns: int, *, source: str = VMC, fresh: bool = False) -> RecordedDatagram:
    (bundle,) = encode_vmc(face)
    return RecordedDatagram(t_ns, source, "vmc", bundle, fresh)


def local(face: FaceFrame, *, age_ns: int = 0) -> RecordedFace:
    return RecordedFace(face.t_ns + age_ns, face)


def found(*records: Record, telemetry: Telemetry | None = None) -> list[Moment]:
    return list(moments(recording(*records), TrackingSettings(), telemetry or Telemetry()))


def faces(*records: Record, telemetry: Telemetry | None = None) -> list[FaceFrame]:
    return [m.face for m in found(*records, telemetry=telemetry) if m.face is not None]


def test_datagram_becomes_a_face_at_its_time() -> None:
    face = face_at(1.0, T0)
    (seen,) = faces(vmc(face, T0))
    assert (seen.t_ns, seen.source) == (T0, VMC)
    assert seen.blendshapes == pytest.approx(face.blendshapes, abs=1e-6)


def test_face_that_waits_for_quiet_comes_when_it_came_live() -> None:
    *values, _apply = encode_vmc(face_at(1.0, T0), Packing.SINGLE)
    datagrams = [RecordedDatagram(T0, VMC, "vmc", value) for value in values]
    late = local(FaceFrame(T0 + 40 * MS, "webcam:0"))
    shown = [m for m in found(*datagrams, late) if m.face is not None]
    assert [(m.t_ns, m.face.source) for m in shown if m.face] == [(T0 + QUIET_NS, VMC)]
    (alone,) = [m for m in found(*datagrams) if m.face is not None]
    assert alone.t_ns == T0 + QUIET_NS


def test_sources_keep_their_order_of_time() -> None:
    times = [m.t_ns for m in found(vmc(face_at(0, 0), T0), vmc(face_at(1, 0), T0 + 1))]
    assert times == sorted(times)


def test_second_tracker_steps_in_as_it_did_live() -> None:
    webcam = [local(FaceFrame(T0 + n * NS_PER_S, "webcam:0")) for n in range(1, 4)]
    shown = faces(vmc(face_at(0, 0), T0), *webcam)
    assert [face.source for face in shown] == [VMC, "webcam:0", "webcam:0"]


def test_face_shows_when_it_came_and_is_dated_by_when_it_was_seen() -> None:
    picture = FaceFrame(T0, "webcam:0", head=HeadPose(0.1))
    (moment,) = [m for m in found(local(picture, age_ns=40 * MS)) if m.face is not None]
    assert (moment.t_ns, moment.face) == (T0 + 40 * MS, picture)


def test_new_sender_inherits_nothing_of_the_one_before() -> None:
    smiling = FaceFrame(0, blendshapes={"mouthSmileLeft": 1.0}, head=HeadPose())
    talking = FaceFrame(0, blendshapes={"jawOpen": 1.0}, head=HeadPose())
    *_, kept = faces(vmc(smiling, T0), vmc(talking, T0 + MS))
    assert set(kept.blendshapes) == {"mouthSmileLeft", "jawOpen"}
    *_, anew = faces(vmc(smiling, T0), vmc(talking, T0 + MS, fresh=True))
    assert set(anew.blendshapes) == {"jawOpen"}


def test_refused_datagram_is_counted_and_left_out() -> None:
    telemetry = Telemetry()
    junk = RecordedDatagram(T0, VMC, "vmc", b"junk")
    (face,) = faces(junk, vmc(face_at(1.0, 0), T0 + 1), telemetry=telemetry)
    assert face.t_ns == T0 + 1
    assert telemetry.counters()["tracking.rejected"] == 1


def test_protocol_of_a_newer_vtbridge_is_left_out_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strange = [RecordedDatagram(T0 + n, "telepathy:x", "telepathy", b"") for n in range(5)]
    (face,) = faces(*strange, vmc(face_at(1.0, 0), T0 + 9))
    assert face.source == VMC
    assert [m for m in caplog.messages if "telepathy" in m] == [
        "this vtbridge knows no protocol 'telepathy'; its datagrams are left out"
    ]


def test_what_the_disk_was_too_slow_for_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    found(RecordedLoss(T0, 7), RecordedLoss(T0, 9))
    (warning,) = caplog.messages
    assert "7 records were lost" in warning


def test_crowd_of_senders_is_refused() -> None:
    crowd = [vmc(face_at(0, 0), T0, source=f"vmc:10.0.0.{n}") for n in range(MAX_SOURCES + 1)]
    assert found(*crowd[:-1])
    with pytest.raises(PacketError, match="more than 64 senders"):
        found(*crowd)


def test_phone_that_answered_a_greeting_of_then_is_understood_now() -> None:
    from vtbridge.tracking.protocols.fmv3 import Fmv3Protocol

    phone, asking = Fmv3Phone(), Fmv3Protocol("192.168.1.20")
    asking.reset("fmv3:192.168.1.20")
    greeting = asking.greeting(T0)
    assert greeting is not None
    sent = phone.receive(greeting.data, T0)
    for datagram in sent:
        asking.feed(datagram, T0)
    for reply in asking.replies():
        phone.receive(reply, T0)
    sent += phone.frames(face_at(1.0, T0))
    records = [RecordedDatagram(T0, "fmv3:192.168.1.20", "fmv3", datagram) for datagram in sent]
    (face,) = faces(*records)
    assert face.source == "fmv3:192.168.1.20"


def still(t_ns: int, face: FaceFrame | None = None) -> Moment:
    return Moment(t_ns, face)


def at_beat(*arrivals: Moment, fps: float = 10.0) -> list[tuple[float, float]]:
    poses = poses_at_beat(
        arrivals, Retargeter(RetargetSettings()), IdleMotion(IdleSettings(), seed=1), fps
    )
    return [(timed.t_s, timed.pose.presence) for timed in poses]


def test_beats_reach_from_the_first_record_to_the_last() -> None:
    assert [t for t, _ in at_beat(still(T0), still(T0 + NS_PER_S))] == [
        pytest.approx(n / 10) for n in range(11)
    ]
    assert [t for t, _ in at_beat(still(T0), still(T0 + 99 * MS))] == [0.0]
    assert [t for t, _ in at_beat(still(T0))] == [0.0]
    assert at_beat() == []


def test_beat_sees_what_came_until_then_and_nothing_later() -> None:
    face = face_at(1.0, T0 + 200 * MS)
    presence = dict(at_beat(still(T0), still(face.t_ns, face), still(T0 + 900 * MS)))
    assert presence[0.1] == 0.0
    assert presence[0.2] == 0.0  # it begins to ease in
    assert presence[0.3] > 0.0


def test_beat_sees_what_came_at_its_own_time() -> None:
    first, second = face_at(0.0, T0), face_at(1.0, T0 + 500 * MS)
    arrivals = [still(T0, first), still(second.t_ns, second), still(T0 + 900 * MS)]
    poses = poses_at_beat(
        arrivals, Retargeter(RetargetSettings()), IdleMotion(IdleSettings(), seed=1), 10.0
    )
    shown = {timed.t_s: timed.pose.t_ns for timed in poses}
    assert (shown[0.4], shown[0.5]) == (first.t_ns, second.t_ns)


@pytest.mark.parametrize("preset", ["vtbridge", "reference"])
def test_face_on_the_beat_shows_as_one_just_before_it(preset: str) -> None:
    def shown(shift_ns: int) -> list[list[float]]:
        faces = [face_at(n / 10, T0 + n * NS_PER_S // 10) for n in range(20)]
        arrivals = [still(face.t_ns - shift_ns * (n > 0), face) for n, face in enumerate(faces)]
        retargeter = Retargeter(RetargetSettings.model_validate({"preset": preset}))
        idle = IdleMotion(IdleSettings(), seed=1)
        timed = poses_at_beat([*arrivals, still(T0 + 2 * NS_PER_S)], retargeter, idle, 10.0)
        return [[float(value) for value in one.pose.values] for one in timed]

    assert np.allclose(shown(0), shown(1), atol=1e-3)


def header(**fields: object) -> SessionHeader:
    return SessionHeader("9.9.9", **fields)  # type: ignore[arg-type]


def test_neutral_face_of_the_recording_is_used() -> None:
    learned = Retargeter(RetargetSettings())
    learned.calibrate()
    for number in range(200):
        learned.feed(FaceFrame(T0 + number * 20 * MS, VMC, head=HeadPose(0.3, 0.2, 0.1)))
    assert learned.calibrated
    kept = header(calibration=learned.save_calibration())
    retargeter = calibrated_retargeter(recording(header=kept), Config(), Telemetry())
    assert retargeter.save_calibration() == learned.save_calibration()
    assert not calibrated_retargeter(recording(), Config(), Telemetry()).calibrated


def test_neutral_face_that_cannot_be_used_is_told() -> None:
    kept = header(calibration={"version": 99})
    with pytest.raises(ConfigError, match=r"bug\.vtbrec.*9\.9\.9.*calibration"):
        calibrated_retargeter(recording(header=kept), Config(), Telemetry())


TWO = recording(vmc(face_at(0, 0), T0 + 7 * NS_PER_S), vmc(face_at(1, 0), T0 + 8 * NS_PER_S))


def test_calibration_during_the_recording_is_done_again() -> None:
    tilted = [vmc(FaceFrame(0, head=HeadPose(0.3)), T0 + n * 20 * MS) for n in range(200)]
    recorded = recording(RecordedCalibration(T0), *tilted)

    def last_head_x(calibrated: bool) -> float:
        arrivals = list(moments(recorded, TrackingSettings(), Telemetry()))
        if not calibrated:
            arrivals = arrivals[1:]
        retargeter = Retargeter(RetargetSettings())
        *_, timed = poses_at_beat(arrivals, retargeter, IdleMotion(IdleSettings(), seed=0), 30.0)
        return float(timed.pose.values[PoseParam.HEAD_X])

    assert abs(last_head_x(calibrated=True)) < 0.05
    assert abs(last_head_x(calibrated=False)) > 0.5


def test_tracker_of_a_recording_passes_calibrations_on() -> None:
    asked: list[int] = []
    clock = ManualClock(T0)
    replay = ReplaySource(
        recording(RecordedCalibration(T0), *TWO.records()),
        TrackingSettings(),
        LatestSlot(),
        Telemetry(),
        clock,
        calibrate=lambda: asked.append(clock.now_ns()),
    )
    replay.serve()
    assert asked == [T0]


def test_seed_and_length_are_the_recordings() -> None:
    assert seed_of_recording(recording(header=header(idle_seed=5))) == 5
    assert seed_of_recording(recording()) == 0
    assert duration_s(recording(RecordedLoss(T0, 1), RecordedLoss(T0 + NS_PER_S, 1))) == 1.0
    assert duration_s(recording()) == 0.0

    def damaged() -> Iterator[Record]:
        yield RecordedLoss(T0, 1)
        yield RecordedLoss(T0 + 2 * NS_PER_S, 1)
        raise PacketError("cut")

    assert duration_s(Recording(Path("x"), "recording", damaged)) == 2.0


class Shown(LatestSlot[FaceFrame]):
    """Keeps every face, and when by ``clock`` it was put."""

    def __init__(self, clock: ManualClock, then: Callable[[int], None]) -> None:
        super().__init__()
        self.puts: list[tuple[int, FaceFrame]] = []
        self._clock = clock
        self._then = then

    def put(self, value: FaceFrame) -> int:
        self.puts.append((self._clock.now_ns(), value))
        self._then(len(self.puts))
        return super().put(value)


def source(
    recorded: Recording, *, stop_after: int = 1 << 30, speed: float = 1.0, loop: bool = False
) -> tuple[ReplaySource, Shown]:
    clock = ManualClock(T0)
    slot = Shown(clock, lambda count: replay.stopping.set() if count >= stop_after else None)
    replay = ReplaySource(
        recorded, TrackingSettings(), slot, Telemetry(), clock, speed=speed, loop=loop
    )
    return replay, slot


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_tracker_of_a_recording_keeps_its_pace(speed: float) -> None:
    replay, shown = source(TWO, speed=speed)
    replay.serve()
    step_ns = round(NS_PER_S / speed)
    assert [when for when, _ in shown.puts] == [T0, T0 + step_ns]
    assert [face.t_ns for _, face in shown.puts] == [T0, T0 + step_ns]
    assert replay.over
    status = replay.status()
    assert (status.place, status.packets, status.source) == ("bug.vtbrec", 2, VMC)


def test_loop_begins_again_and_time_goes_on() -> None:
    replay, shown = source(TWO, loop=True, stop_after=6)
    replay.serve()
    times = [face.t_ns for _, face in shown.puts]
    assert len(times) == 6
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    first, again = shown.puts[0][1], shown.puts[2][1]
    assert first.blendshapes == again.blendshapes


def test_damage_ends_the_replay_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    def damaged() -> Iterator[Record]:
        yield vmc(face_at(0, 0), T0)
        raise PacketError("bug.vtbrec is damaged")

    replay, shown = source(Recording(Path("bug.vtbrec"), "recording", damaged))
    caplog.set_level(logging.WARNING)
    replay.serve()
    assert len(shown.puts) == 1
    assert "the replay ends here: bug.vtbrec is damaged" in caplog.text


def test_empty_recording_does_not_loop_for_ever() -> None:
    replay, shown = source(recording(), loop=True)
    replay.serve()
    assert replay.over
    assert not shown.puts


def test_idle_motion_follows_the_seed() -> None:
    def last(seed: int) -> list[float]:
        idle = IdleMotion(IdleSettings(), seed=seed)
        arrivals = [still(T0), still(T0 + 3 * NS_PER_S)]
        *_, timed = poses_at_beat(arrivals, Retargeter(RetargetSettings()), idle, 30.0)
        return [float(value) for value in timed.pose.values]

    assert last(1) == last(1)
    assert not np.array_equal(last(1), last(2))
