"""The built-in performance is a lively, possible face that loops without a jump."""

from __future__ import annotations

import itertools
import math

import pytest

from vtbridge.datatypes import FaceFrame
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.senders.performance import GAZE_RAD_PER_LOOK, PERIOD_S, face_at

FPS = 60
FRAMES = [face_at(number / FPS, number) for number in range(int(FPS * PERIOD_S) + 2)]


def track(name: str) -> list[float]:
    return [frame.blendshapes[name] for frame in FRAMES]


def rises(values: list[float], threshold: float) -> int:
    return sum(a < threshold <= b for a, b in itertools.pairwise(values))


def numbers(frame: FaceFrame) -> list[float]:
    assert frame.head is not None
    assert frame.left_eye is not None
    head = (frame.head.pitch_rad, frame.head.yaw_rad, frame.head.roll_rad)
    return [*frame.blendshapes.values(), *head, frame.left_eye.pitch_rad, frame.left_eye.yaw_rad]


def test_every_frame_is_a_whole_arkit_face() -> None:
    for number, frame in enumerate(FRAMES):
        assert frame.t_ns == number
        assert frame.tracked
        assert tuple(frame.blendshapes) == ARKIT_NAMES
        assert all(0.0 <= weight <= 1.0 for weight in frame.blendshapes.values())
        assert all(map(math.isfinite, numbers(frame)))


def test_nothing_jumps_between_frames_or_where_the_loop_closes() -> None:
    for before, after in itertools.pairwise(FRAMES):
        steps = [abs(b - a) for a, b in zip(numbers(before), numbers(after), strict=True)]
        assert max(steps) < 0.4  # an eyelid closes in 70 ms


def test_the_loop_repeats_exactly() -> None:
    for t_s in (0.0, 7.3, 18.1, PERIOD_S - 0.01):
        assert numbers(face_at(t_s + 3 * PERIOD_S, 0)) == pytest.approx(numbers(face_at(t_s, 0)))


def test_the_performer_blinks_like_a_person() -> None:
    assert 9 <= rises(track("eyeBlinkRight"), 0.8) <= 20


def test_the_performer_winks_with_one_eye() -> None:
    pairs = zip(track("eyeBlinkLeft"), track("eyeBlinkRight"), strict=True)
    assert sum(left > 0.9 and right < 0.3 for left, right in pairs) > FPS // 4


def test_the_performer_speaks_with_different_vowels() -> None:
    assert rises(track("jawOpen"), 0.25) > 20
    for name in ("mouthPucker", "mouthFunnel", "mouthStretchLeft", "mouthLowerDownLeft"):
        assert rises(track(name), 0.25) > 4, name


def test_the_performer_smiles_is_surprised_and_raises_the_brows() -> None:
    for name in ("mouthSmileLeft", "eyeWideLeft", "browInnerUp", "browDownLeft"):
        assert max(track(name)) > 0.5, name
        assert min(track(name)) < 0.1, name


@pytest.mark.parametrize(
    ("angle", "least_deg"), [("pitch_rad", 6), ("yaw_rad", 6), ("roll_rad", 7)]
)
def test_the_head_moves_both_ways_and_stays_within_a_necks_reach(
    angle: str, least_deg: float
) -> None:
    degrees = [math.degrees(getattr(frame.head, angle)) for frame in FRAMES]
    assert max(degrees) > least_deg
    assert min(degrees) < -least_deg
    assert max(map(abs, degrees)) < 20


def test_gaze_and_look_shapes_agree() -> None:
    for frame in FRAMES:
        assert frame.right_eye is not None
        shapes = frame.blendshapes
        look = (
            shapes["eyeLookOutRight"] - shapes["eyeLookInRight"],
            shapes["eyeLookUpRight"] - shapes["eyeLookDownRight"],
        )
        gaze = (frame.right_eye.yaw_rad, frame.right_eye.pitch_rad)
        assert gaze == pytest.approx([axis * GAZE_RAD_PER_LOOK for axis in look])


def test_the_performer_is_never_quite_still() -> None:
    half_seconds = FRAMES[:: FPS // 2]
    for before, after in itertools.pairwise(half_seconds):
        assert before.head != after.head
