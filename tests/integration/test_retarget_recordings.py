"""Faces of real people become poses that blink whole, lag little and jitter less."""

from __future__ import annotations

import gzip
import itertools
import json
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame
from vtbridge.pose_params import POSE_MAX, POSE_MIN, POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA3
from vtbridge.retarget.gaze import iris_from_face
from vtbridge.retarget.one_euro import pose_filter
from vtbridge.retarget.retargeter import Retargeter
from vtbridge.retarget.settings import (
    EyeSettings,
    FilterSettings,
    GazeSettings,
    RetargetSettings,
    SmoothingSettings,
)
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.recordings.livelink_csv import iter_livelink_csv
from vtbridge.tracking.recordings.udpcap import iter_capture

F64Array = NDArray[np.float64]

FPS = 30
"""Samples a second of the iPhone's recording: its time codes count 60, it has every other."""

_TRANSPARENT = FilterSettings(min_cutoff_hz=1000, beta=0, speed_cutoff_hz=1, max_speed=1000)
UNSMOOTHED = RetargetSettings(
    smoothing=SmoothingSettings(
        **dict.fromkeys(("brows", "eyes", "mouth", "gaze", "head", "body"), _TRANSPARENT),
        blink_hold_s=0,
    )
)
REFERENCE = RetargetSettings(preset="reference")


@pytest.fixture(scope="module")
def iphone(captures: Path) -> list[FaceFrame]:
    """Return 40 s of a face as Live Link Face recorded it, its head still."""
    return list(iter_livelink_csv(captures / "livelinkface_iphone_40s.csv.gz"))


def film(
    faces: list[FaceFrame], settings: RetargetSettings | None = None, *, calibrate_at: int = -1
) -> F64Array:
    """Return the poses at the faces' times, [len(faces), 45]."""
    retargeter, values = Retargeter(settings or RetargetSettings()), []
    for i, face in enumerate(faces):
        if i == calibrate_at:
            retargeter.calibrate()
        retargeter.feed(face)
        values.append(retargeter.pose_at(face.t_ns).values)
    return np.array(values, np.float64)


def closure(values: F64Array) -> F64Array:
    """Return how far the left eye is closed by its lid shapes together, 0..1."""
    lids = (PoseParam.EYE_WINK_LEFT, PoseParam.EYE_HAPPY_WINK_LEFT, PoseParam.EYE_RELAXED_LEFT)
    closed: F64Array = values[:, lids].sum(axis=1)
    assert closed.max() <= 1.0 + 1e-6, "an eye cannot be more than closed"
    return closed


def lag_s(original: F64Array, delayed: F64Array) -> float:
    """Return the delay at which the two agree best, to a tenth of a sample."""
    t = np.arange(len(original))
    fine = np.arange(0, len(original), 0.1)
    a = np.interp(fine, t, original) - original.mean()
    b = np.interp(fine, t, delayed) - original.mean()
    likeness = [float(np.dot(a[: len(a) - shift], b[shift:])) for shift in range(60)]
    return float(np.argmax(likeness)) / 10 / FPS


def test_the_face_uses_the_range_of_the_character(iphone: list[FaceFrame]) -> None:
    values = film(iphone)
    assert (values >= np.array(POSE_MIN)).all()
    assert (values <= np.array(POSE_MAX)).all()
    for param in (
        PoseParam.EYEBROW_RAISED_LEFT,
        PoseParam.EYEBROW_ANGRY_LEFT,
        PoseParam.EYE_WINK_LEFT,
        PoseParam.EYE_SURPRISED_LEFT,
        PoseParam.MOUTH_AAA,
        PoseParam.MOUTH_LOWERED_CORNER_LEFT,
        PoseParam.IRIS_ROTATION_X,
        PoseParam.IRIS_ROTATION_Y,
    ):
        assert np.ptp(values[:, param]) > 0.5, param.name


def test_every_blink_of_the_recording_closes_the_eye(iphone: list[FaceFrame]) -> None:
    blink = np.array([face.blendshapes["eyeBlinkLeft"] for face in iphone])
    peaks = [
        i
        for i in range(8, len(blink) - 8)
        if blink[i] > 0.8
        and blink[i] == blink[i - 8 : i + 9].max()
        and blink[i - 8 : i].min() < 0.5
    ]
    assert len(peaks) >= 6
    closed = closure(film(iphone))
    for peak in peaks:
        assert closed[peak : peak + 3].max() > 0.9, f"blink at {peak / FPS:.1f} s"


@pytest.mark.parametrize(
    ("param", "at_most_s"),
    [
        (PoseParam.EYE_WINK_LEFT, 0.02),  # a closing that takes 50 ms is given 110
        (PoseParam.MOUTH_AAA, 0.02),
        (PoseParam.MOUTH_UUU, 0.03),
        (PoseParam.IRIS_ROTATION_Y, 0.03),
        (PoseParam.EYEBROW_RAISED_LEFT, 0.04),
    ],
)
def test_smoothing_lags_little_by_sample_time(
    iphone: list[FaceFrame], param: PoseParam, at_most_s: float
) -> None:
    # Holding a blink delays its end on purpose; here only the filter is looked at.
    no_hold = RetargetSettings(smoothing=SmoothingSettings(blink_hold_s=0))
    raw = film(iphone, UNSMOOTHED)[:, param]
    assert lag_s(raw, film(iphone, no_hold)[:, param]) <= at_most_s
    assert lag_s(raw, np.roll(raw, 3)) > 0.08  # the measure itself sees three samples


def test_a_noisy_tracker_is_calmed_where_the_face_rests(iphone: list[FaceFrame]) -> None:
    """Noise of 0.01 on each blendshape, as a webcam gives."""
    rng = np.random.default_rng(0)
    noisy = [
        FaceFrame(
            face.t_ns, blendshapes={n: v + rng.normal(0, 0.01) for n, v in face.blendshapes.items()}
        )
        for face in iphone
    ]
    true, raw, smooth = film(iphone, UNSMOOTHED), film(noisy, UNSMOOTHED), film(noisy)
    for param, share in (
        (PoseParam.EYEBROW_RAISED_LEFT, 0.4),
        (PoseParam.MOUTH_AAA, 0.45),
        (PoseParam.IRIS_ROTATION_X, 0.4),
        (PoseParam.IRIS_ROTATION_Y, 0.4),
    ):
        speed = np.convolve(np.gradient(true[:, param]) * FPS, np.ones(9) / 9, "same")
        resting = np.abs(speed) < 0.15
        steps_raw = np.diff(raw[:, param])[resting[1:]]
        steps_smooth = np.diff(smooth[:, param])[resting[1:]]
        assert np.std(steps_smooth) < share * np.std(steps_raw), param.name


def test_calibration_opens_eyes_that_look_down_at_a_phone(iphone: list[FaceFrame]) -> None:
    # From 20 s on the face rests, looking down: its lids are a third closed.
    unaware = RetargetSettings(eyes=EyeSettings(look_down_compensation=0))
    before = np.median(closure(film(iphone, unaware))[660:])
    calibrated = film(iphone, unaware, calibrate_at=600)
    after = np.median(closure(calibrated)[660:])
    assert before > 0.3
    assert after < 0.15
    assert closure(calibrated)[660:].max() > 0.9  # it still blinks
    assert abs(np.median(calibrated[660:, PoseParam.IRIS_ROTATION_X])) < 0.15


def test_looking_down_at_a_phone_does_not_close_the_eyes(iphone: list[FaceFrame]) -> None:
    closed = closure(film(iphone))[660:]
    assert np.median(closed) < 0.12
    assert closed.max() > 0.99  # it still blinks


def test_a_jaw_dropped_behind_closed_lips_does_not_open_the_mouth(iphone: list[FaceFrame]) -> None:
    """From 22 to 24 s jawOpen goes up to 0.4 while mouthClose keeps the lips shut."""
    vowels = slice(PoseParam.MOUTH_AAA, PoseParam.MOUTH_DELTA + 1)
    ours = film(iphone)[22 * FPS : 24 * FPS, vowels].sum(axis=1)
    reference = film(iphone, REFERENCE)[22 * FPS : 24 * FPS, vowels].sum(axis=1)
    assert reference.max() > 0.5
    assert ours.max() < 0.2


def at_60_fps(faces: list[FaceFrame]) -> list[FaceFrame]:
    """Return ``faces``, 30 a second, with one interpolated between each two."""
    doubled = []
    for face, after in itertools.pairwise(faces):
        shapes = {n: (v + after.blendshapes[n]) / 2 for n, v in face.blendshapes.items()}
        doubled += [face, FaceFrame((face.t_ns + after.t_ns) // 2, "livelink:x", True, shapes)]
    return doubled


def shown_at_60_fps(faces: list[FaceFrame], settings: RetargetSettings) -> F64Array:
    """Return what a renderer shows that asks 60 times a second, [beats, 45]."""
    retargeter, upcoming, values = Retargeter(settings), deque(faces), []
    for beat in range((faces[-1].t_ns - faces[0].t_ns) * 60 // NS_PER_S):
        now_ns = faces[0].t_ns + beat * NS_PER_S // 60
        while upcoming and upcoming[0].t_ns <= now_ns:
            retargeter.feed(upcoming.popleft())
        values.append(retargeter.pose_at(now_ns).values)
    return np.array(values, np.float64)


def ifacialmocap(captures: Path) -> list[FaceFrame]:
    protocol = IFacialMocapProtocol(None)
    protocol.reset("test")
    return [
        face
        for datagram in iter_capture(captures / "ifacialmocap_v1_ExpressionAppBridge.udpcap")
        for face in protocol.feed(datagram.data, NS_PER_S + round(datagram.t_s * NS_PER_S))
    ]


def test_no_parameter_jumps_where_the_reference_does(
    iphone: list[FaceFrame], captures: Path
) -> None:
    """At 60 fps: a phone's face at 60 and at 30 samples a second, and a head that turns."""
    for faces, reference_jump in (
        (at_60_fps(iphone), 0.9),
        (iphone, 0.9),
        (ifacialmocap(captures), 0.7),
    ):
        jumps = np.abs(np.diff(shown_at_60_fps(faces, RetargetSettings()), axis=0))
        assert jumps.max() <= 0.15, PoseParam(int(jumps.max(axis=0).argmax())).name
        there = np.abs(np.diff(shown_at_60_fps(faces, REFERENCE), axis=0))
        assert there.max() > reference_jump


def test_shown_between_the_samples_every_blink_still_closes_the_eye(
    iphone: list[FaceFrame],
) -> None:
    closed = closure(shown_at_60_fps(iphone, RetargetSettings()))
    shut = closed > 0.99
    starts = np.flatnonzero(shut[1:] & ~shut[:-1])
    assert len(starts) >= 8
    for start in starts:
        assert shut[start + 1 : start + 5].all()  # held for 0.08 s at least


def test_half_closed_scowling_eyes_look_unimpressed(iphone: list[FaceFrame]) -> None:
    """From 11 to 12 s the brows are lowered and the lids half closed."""
    unimpressed = film(iphone)[11 * FPS : 12 * FPS, PoseParam.EYE_UNIMPRESSED_LEFT]
    assert np.median(unimpressed) > 0.4
    assert not film(iphone, REFERENCE)[:, PoseParam.EYE_UNIMPRESSED_LEFT].any()


def test_eye_angles_and_look_blendshapes_agree(iphone: list[FaceFrame]) -> None:
    """The default degrees of a full turn make the two sources of gaze interchangeable."""
    settings = GazeSettings()
    shapes = np.array([iris_from_face(f.blendshapes, {}, None, None, settings) for f in iphone])
    eyes = np.array([iris_from_face({}, {}, f.left_eye, f.right_eye, settings) for f in iphone])
    for axis in (0, 1):
        slope = np.polyfit(eyes[:, axis], shapes[:, axis], 1)[0]
        assert slope == pytest.approx(1.0, abs=0.1)
        assert np.corrcoef(eyes[:, axis], shapes[:, axis])[0, 1] > 0.99


def recorded_poses(shared_data: Path) -> F64Array:
    with gzip.open(shared_data / "recorded_poses_20fps.json.gz", "rt") as file:
        poses = np.array(json.load(file), np.float64)
    assert poses.shape == (2000, POSE_SIZE)
    return poses


def params_that_move(values: F64Array) -> set[PoseParam]:
    return {param for param in PoseParam if np.ptp(values[:, param]) > 0}


def test_the_default_mapping_moves_all_that_the_reference_moves_and_more(
    iphone: list[FaceFrame], shared_data: Path
) -> None:
    moved_there = params_that_move(recorded_poses(shared_data))
    head_and_breath = {p for p in PoseParam if p >= PoseParam.HEAD_X}  # still in this recording
    moved_by_reference = params_that_move(film(iphone, REFERENCE))
    assert moved_there - moved_by_reference <= head_and_breath
    assert moved_by_reference - moved_there <= {PoseParam.MOUTH_OOO}  # that person never said o
    moved_here = params_that_move(film(iphone))
    assert moved_there - moved_here <= head_and_breath
    beyond = {
        PoseParam.EYEBROW_TROUBLED_LEFT,
        PoseParam.EYE_RELAXED_LEFT,
        PoseParam.EYE_UNIMPRESSED_LEFT,
        PoseParam.MOUTH_EEE,
        PoseParam.MOUTH_DELTA,
    }
    assert beyond <= moved_here - moved_by_reference


def test_a_recorded_performance_keeps_its_extremes_through_the_filter(shared_data: Path) -> None:
    poses = recorded_poses(shared_data)
    smooth = pose_filter(THA3, SmoothingSettings())
    values = np.array(
        [smooth.filter(pose, NS_PER_S + i * NS_PER_S // 20) for i, pose in enumerate(poses)]
    )
    for param in PoseParam:
        if np.ptp(poses[:, param]) == 0 or param is PoseParam.BREATHING:
            continue
        reached = np.ptp(values[:, param]) / np.ptp(poses[:, param])
        likeness = np.corrcoef(poses[:, param], values[:, param])[0, 1]
        assert 0.8 < reached <= 1.0, param.name
        assert likeness > 0.95, param.name


@pytest.mark.parametrize(
    ("capture", "protocol", "moving"),
    [
        (
            "vmc_osc-js_xranimator-layout.udpcap",
            VmcProtocol(),
            {PoseParam.EYEBROW_RAISED_LEFT, PoseParam.MOUTH_OOO, PoseParam.HEAD_X},
        ),
        (
            "vmc_vmcp-pypi.udpcap",
            VmcProtocol(),
            {PoseParam.EYE_WINK_LEFT, PoseParam.MOUTH_AAA, PoseParam.HEAD_X},
        ),
        (
            "ifacialmocap_v1_ExpressionAppBridge.udpcap",
            IFacialMocapProtocol(None),
            {PoseParam.IRIS_ROTATION_X, PoseParam.HEAD_Y, PoseParam.NECK_Z, PoseParam.BODY_Z},
        ),
    ],
)
def test_what_trackers_send_moves_the_character(
    captures: Path, capture: str, protocol: TrackerProtocol, moving: set[PoseParam]
) -> None:
    retargeter, values = Retargeter(RetargetSettings()), []
    protocol.reset("test")
    for datagram in iter_capture(captures / capture):
        for face in protocol.feed(datagram.data, NS_PER_S + round(datagram.t_s * NS_PER_S)):
            retargeter.feed(face)
            values.append(retargeter.pose_at(face.t_ns).values)
    moved = {param for param in PoseParam if np.ptp(np.array(values)[:, param]) > 0.1}
    assert moving <= moved
