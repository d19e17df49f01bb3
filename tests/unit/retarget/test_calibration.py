"""A neutral face is the median of a window, blended in, and survives a file."""

from __future__ import annotations

import itertools
import json
import math

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import HeadPose
from vtbridge.errors import ConfigError
from vtbridge.retarget.calibration import (
    MAX_REST,
    Calibration,
    FaceSample,
    NeutralFace,
    shapes_from_neutral,
    tracker_from_source,
)
from vtbridge.retarget.gaze import IrisTarget
from vtbridge.retarget.settings import CalibrationSettings

SETTINGS = CalibrationSettings()
RESTING = {"jawOpen": 0.05, "eyeBlinkLeft": 0.3}
HEAD = HeadPose(0.2, -0.1, 0.05)
IRIS = IrisTarget(-0.4, 0.1)


def sample(
    t_s: float, head: HeadPose | None = HEAD, source: str = "phone:1", /, **shapes: float
) -> FaceSample:
    return FaceSample(round(t_s * NS_PER_S), head, IRIS, RESTING | shapes, source)


def calibration() -> Calibration:
    return Calibration(SETTINGS, ["eyeBlinkLeft"])


def take(subject: Calibration, *, start_s: float = 1.0, seconds: float = 2.0) -> NeutralFace:
    """Feed a resting face at 60 fps and return the neutral face at the end."""
    neutral = NeutralFace()
    for i in range(round(seconds * 60)):
        neutral = subject.neutral_at(sample(start_s + i / 60))
    return neutral


def test_before_calibration_neutral_is_the_trackers_zero() -> None:
    subject = calibration()
    assert take(subject) == NeutralFace()
    assert not subject.calibrated


def test_a_resting_face_becomes_neutral() -> None:
    subject = calibration()
    subject.request()
    assert subject.pending
    assert take(subject) == NeutralFace(HEAD, IRIS, RESTING)
    assert (subject.calibrated, subject.pending) == (True, False)


def test_a_blink_during_the_window_does_not_count() -> None:
    subject = calibration()
    subject.request()
    for i in range(60):
        subject.neutral_at(sample(1 + i / 60, eyeBlinkLeft=0.95 if 10 <= i < 18 else 0.3))
    assert take(subject, start_s=2.0).rest == RESTING


def test_the_new_neutral_face_is_blended_in() -> None:
    subject = calibration()
    subject.request()
    pitches = [subject.neutral_at(sample(1 + i / 60)).head.pitch_rad for i in range(120)]
    assert pitches[:45] == [0.0] * 45  # the window is 0.75 s
    assert max(b - a for a, b in itertools.pairwise(pitches)) < 0.2 * 0.06
    assert pitches[-1] == HEAD.pitch_rad


def test_a_second_calibration_starts_from_where_the_first_stands() -> None:
    subject = calibration()
    subject.request()
    pitches = []
    for i in range(180):
        if i == 50:
            subject.request()
        head = HEAD if i < 50 else HeadPose(-0.3, 0.0, 0.0)
        pitches.append(subject.neutral_at(sample(1 + i / 60, head)).head.pitch_rad)
    assert max(abs(b - a) for a, b in itertools.pairwise(pitches)) < 0.5 * 0.06
    assert pitches[-1] == -0.3


def test_eyelids_keep_their_zero_when_left_out() -> None:
    subject = calibration()
    subject.request(eyelids=False)
    assert take(subject).rest == {"jawOpen": 0.05}
    subject.request(eyelids=True)
    assert take(subject, start_s=4.0).rest == RESTING
    subject.request(eyelids=False)  # keeps what was calibrated before
    subject.neutral_at(sample(7.0))
    assert take(subject, start_s=7.1).rest == RESTING


def test_a_window_torn_by_silence_starts_again() -> None:
    subject = calibration()
    subject.request()
    for i in range(30):
        subject.neutral_at(sample(1 + i / 60, HeadPose(9.0, 0.0, 0.0)))
    assert take(subject, start_s=10.0).head == HEAD


def test_three_samples_are_the_least() -> None:
    subject = calibration()
    subject.request()
    subject.neutral_at(sample(1.0))
    pending = []
    for t_s in (1.9, 2.8):
        subject.neutral_at(sample(t_s))
        pending.append(subject.pending)
    assert pending == [True, False]


def test_a_face_without_head_calibrates_the_rest() -> None:
    subject = calibration()
    subject.request()
    for i in range(120):
        neutral = subject.neutral_at(sample(1 + i / 60, None))
    assert neutral == NeutralFace(HeadPose(), IRIS, RESTING)


def test_rest_values_leave_room_to_move() -> None:
    subject = calibration()
    subject.request()
    for i in range(120):
        neutral = subject.neutral_at(sample(1 + i / 60, jawOpen=1.0))
    assert neutral.rest["jawOpen"] == MAX_REST


def test_measured_from_rest_a_blendshape_still_reaches_one() -> None:
    shapes = {"jawOpen": 0.2, "eyeBlinkLeft": 1.0, "mouthPucker": 0.4, "browInnerUp": 0.6}
    rest = {"jawOpen": 0.3, "eyeBlinkLeft": 0.3, "browInnerUp": 0.2, "absent": 0.5}
    assert shapes_from_neutral(shapes, rest) == pytest.approx(
        {"jawOpen": 0.0, "eyeBlinkLeft": 1.0, "mouthPucker": 0.4, "browInnerUp": 0.5}
    )


def test_a_calibration_survives_a_json_file() -> None:
    subject = calibration()
    subject.request()
    neutral = take(subject)
    other = calibration()
    other.load_dict(json.loads(json.dumps(subject.to_dict())))
    assert other.calibrated
    assert other.neutral_at(sample(50.0)) == neutral


def test_an_empty_mapping_clears_the_calibration() -> None:
    subject = calibration()
    subject.load_dict(GOOD)
    subject.load_dict({})
    assert not subject.calibrated
    assert subject.to_dict() == {}


def taken(subject: Calibration, source: str, pitch_rad: float, start_s: float) -> None:
    subject.request()
    for i in range(60):
        head = HeadPose(pitch_rad, 0.0, 0.0)
        subject.neutral_at(sample(start_s + i / 60, head, source))
    assert not subject.pending


def pitch_at(subject: Calibration, source: str, t_s: float) -> float:
    return subject.neutral_at(sample(t_s, HEAD, source)).head.pitch_rad


def test_each_tracker_has_its_own_neutral_face_at_any_address() -> None:
    subject = calibration()
    taken(subject, "vmc:10.0.0.2", 0.1, 1.0)
    taken(subject, "webcam:0", 0.3, 3.0)
    assert pitch_at(subject, "vmc:10.0.0.77", 5.0) == 0.1
    assert pitch_at(subject, "webcam:/films/a+b.mp4", 6.0) == 0.3
    assert pitch_at(subject, "livelink:10.0.0.2", 7.0) == 0.0
    subject.clear()
    assert not subject.calibrated
    assert pitch_at(subject, "vmc:10.0.0.2", 8.0) == 0.0


def test_a_face_of_several_trackers_takes_what_there_is_of_them() -> None:
    subject = calibration()
    taken(subject, "vmc:a", 0.1, 1.0)
    assert pitch_at(subject, "microphone:x+vmc:a", 3.0) == 0.1
    assert pitch_at(subject, "microphone:x", 4.0) == 0.0
    taken(subject, "microphone:x+vmc:a", 0.2, 5.0)
    assert pitch_at(subject, "vmc:b+microphone:y", 7.0) == 0.2
    assert pitch_at(subject, "vmc:a", 8.0) == 0.1


def test_a_combinations_neutral_face_outlasts_a_member_that_drops_out() -> None:
    subject = calibration()
    taken(subject, "vmc:a+webcam:0", 0.2, 1.0)
    for source in ("vmc:a", "vmc:a+webcam:0", "webcam:0", "vmc:a+webcam:0", "microphone:x+vmc:b"):
        assert pitch_at(subject, source, 5.0) == 0.2, source
    assert pitch_at(subject, "livelink:a", 6.0) == 0.0
    assert subject.takeovers == 1  # by livelink only


def test_the_closest_combination_counts() -> None:
    subject = calibration()
    taken(subject, "livelink:a+vmc:a+webcam:0", 0.1, 1.0)
    taken(subject, "microphone:x+vmc:a", 0.2, 3.0)
    assert pitch_at(subject, "vmc:a", 5.0) == 0.2
    assert pitch_at(subject, "webcam:0", 6.0) == 0.1
    assert pitch_at(subject, "microphone:x+vmc:a+webcam:0", 7.0) == 0.2
    taken(subject, "vmc:a", 0.3, 8.0)  # its own is closer than any combination's
    assert pitch_at(subject, "vmc:b", 10.0) == 0.3
    assert pitch_at(subject, "livelink:a+vmc:a", 11.0) == 0.3


def test_a_member_that_comes_and_goes_leaves_the_blend_alone() -> None:
    subject = calibration()
    subject.request()
    pitches = []
    for i in range(120):
        source = "vmc:a" if i >= 50 and i % 2 else "vmc:a+webcam:0"
        pitches.append(subject.neutral_at(sample(1 + i / 60, HEAD, source)).head.pitch_rad)
    assert max(b - a for a, b in itertools.pairwise(pitches)) < 0.2 * 0.06
    assert pitches[-1] == HEAD.pitch_rad
    assert subject.takeovers == 0


def test_another_tracker_during_the_window_starts_it_again() -> None:
    subject = calibration()
    subject.request()
    for i in range(30):
        subject.neutral_at(sample(1 + i / 60, HeadPose(0.5, 0.0, 0.0), "vmc:a"))
    for i in range(60):
        subject.neutral_at(sample(1.5 + i / 60, HeadPose(0.1, 0.0, 0.0), "webcam:0"))
    assert pitch_at(subject, "webcam:0", 4.0) == 0.1
    assert pitch_at(subject, "vmc:a", 5.0) == 0.0


def test_takeovers_are_counted_where_the_pose_would_jump() -> None:
    subject = calibration()
    for source, takeovers in (
        ("vmc:a", 0),
        ("vmc:b", 0),
        ("microphone:x+vmc:b", 0),  # joined in, the head still comes from vmc
        ("webcam:0", 1),
        ("webcam:0", 1),
        ("vmc:a", 2),
    ):
        subject.neutral_at(sample(1.0, HEAD, source))
        assert subject.takeovers == takeovers, source


@pytest.mark.parametrize(
    ("source", "trackers"),
    [
        ("vmc:127.0.0.1", "vmc"),
        ("vmc:127.0.0.1:39539", "vmc"),
        ("openseeface:127.0.0.1#0", "openseeface"),
        ("webcam:0", "webcam"),
        ("webcam:/home/me/a+b.mp4", "webcam"),
        ("vmc:::1+microphone:USB mic", "microphone+vmc"),
        ("livelink:10.0.0.2+livelink:10.0.0.3", "livelink"),
        ("", ""),
        ("demo", "demo"),
    ],
)
def test_hosts_and_devices_are_no_part_of_a_trackers_name(source: str, trackers: str) -> None:
    assert tracker_from_source(source) == trackers


def test_the_one_neutral_face_of_older_files_serves_every_tracker() -> None:
    subject = calibration()
    subject.load_dict(GOOD)
    assert pitch_at(subject, "vmc:a", 1.0) == 0.1
    taken(subject, "webcam:0", 0.3, 2.0)
    assert pitch_at(subject, "webcam:0", 4.0) == 0.3
    assert pitch_at(subject, "livelink:a", 5.0) == 0.1


GOOD = {"head_rad": [0.1, 0.0, 0.0], "iris": [0.0, 0.1], "rest": {"jawOpen": 0.1}}


@pytest.mark.parametrize(
    "damage",
    [
        {"head_rad": [0.1, 0.0]},
        {"head_rad": [math.nan, 0.0, 0.0]},
        {"head_rad": "up"},
        {"iris": [1e38, 0.0]},
        {"iris": [True, 0.0]},
        {"rest": {"jawOpen": 1.0}},
        {"rest": {"jawOpen": math.nan}},
        {"rest": {"jawOpen": "wide"}},
        {"rest": {3: 0.1}},
        {"rest": [0.1]},
        {"rest": {f"shape{i}": 0.1 for i in range(1000)}},
        {"mood": 1},
    ],
)
def test_a_damaged_calibration_is_refused_and_changes_nothing(damage: dict[str, object]) -> None:
    subject = calibration()
    subject.load_dict(GOOD)
    with pytest.raises(ConfigError, match="calibrat"):
        subject.load_dict({**GOOD, **damage})
    assert subject.to_dict() == {"version": 2, "trackers": {"*": GOOD}}


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 3},
        {"version": "2"},
        {"trackers": [GOOD]},
        {"trackers": {"vmc": {}}},
        {"trackers": {"vmc": [GOOD]}},
        {"trackers": {3: GOOD}},
        {"trackers": {"vmc": GOOD, "webcam": {**GOOD, "rest": {"jawOpen": 2.0}}}},
        {"trackers": {f"tracker{i}": GOOD for i in range(1000)}},
        {"mood": 1},
    ],
)
def test_a_damaged_table_of_trackers_is_refused_whole(damage: dict[str, object]) -> None:
    subject = calibration()
    good = {"version": 2, "trackers": {"vmc": GOOD}}
    subject.load_dict(good)
    with pytest.raises(ConfigError, match="calibrat"):
        subject.load_dict({**good, **damage})
    assert subject.to_dict() == good


@pytest.mark.parametrize("saved", [[], [1, "head"], "head_rad", 3, None])
def test_what_is_no_table_is_refused(saved: object) -> None:
    with pytest.raises(ConfigError, match="must be a table"):
        calibration().load_dict(saved)
