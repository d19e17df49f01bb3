"""OpenSeeFace's features become blendshapes, its angles a head, each face a source."""

from __future__ import annotations

import math
import struct

import pytest

from vtbridge.datatypes import FaceFrame
from vtbridge.errors import PacketError
from vtbridge.tracking.protocols.openseeface import (
    FACE,
    MAX_FACES,
    MAX_ID,
    OpenSeeFaceProtocol,
    euler_from_head,
    head_from_euler,
)
from vtbridge.tracking.rotation import IDENTITY

T0 = 1_000_000_000
FEATURES = 14
NEUTRAL_EULER = (180.0, 0.0, 90.0)


def packet(
    number: int = 0,
    *,
    opened: tuple[float, float] = (1.0, 1.0),
    found: int = 1,
    euler: tuple[float, float, float] = NEUTRAL_EULER,
    pupils: tuple[tuple[float, float, float], ...] = ((0, 0, -0.1), (0, 0, -0.1)),
    features: dict[int, float] | None = None,
) -> bytes:
    """Return a face, right side before left as on the wire; pupils relative to eyeballs."""
    feature_values = [0.0] * FEATURES
    for place, value in (features or {}).items():
        feature_values[place] = value
    points = [0.0] * (3 * 66)
    points += [n for pupil in pupils for n in pupil] + [0.0] * 6
    data = struct.pack("<di4fBf", 0.0, number, 640.0, 480.0, *opened, found, 1.0)
    data += struct.pack("<10f", 0.0, 0.0, 0.0, 1.0, *euler, 0.0, 0.0, -4.0)
    data += struct.pack("<68f136f", *[1.0] * 68, *[0.0] * 136)
    return data + struct.pack("<210f14f", *points, *feature_values)


@pytest.fixture
def tracker() -> OpenSeeFaceProtocol:
    protocol = OpenSeeFaceProtocol()
    protocol.reset("openseeface:test")
    return protocol


def only(frames: list[FaceFrame]) -> FaceFrame:
    (frame,) = frames
    return frame


def moved(face: FaceFrame) -> dict[str, float]:
    return {name: weight for name, weight in face.blendshapes.items() if weight > 0}


def test_a_face_has_1785_bytes() -> None:
    assert FACE.size == len(packet()) == 1785


def test_each_face_is_a_source(tracker: OpenSeeFaceProtocol) -> None:
    faces = tracker.feed(packet(0) + packet(3, found=0), T0)
    assert [face.source for face in faces] == ["openseeface:test#0", "openseeface:test#3"]
    assert [face.tracked for face in faces] == [True, False]
    assert [face.t_ns for face in faces] == [T0, T0]
    assert faces[1].head is None


@pytest.mark.parametrize(
    ("opened", "blinks"),
    [
        ((1.0, 1.0), {}),
        ((0.0, 1.0), {"eyeBlinkRight": 1.0}),
        ((1.0, 0.25), {"eyeBlinkLeft": 0.75}),
        ((1.5, -0.5), {"eyeBlinkLeft": 1.0}),
    ],
)
def test_openness_closes_the_lids(
    tracker: OpenSeeFaceProtocol, opened: tuple[float, float], blinks: dict[str, float]
) -> None:
    assert moved(only(tracker.feed(packet(opened=opened), T0))) == blinks


@pytest.mark.parametrize(
    ("place", "value", "shapes"),
    [
        (3, 0.5, {"browOuterUpLeft": 0.5, "browInnerUp": 0.25}),
        (3, -0.5, {"browDownLeft": 0.5}),
        (6, 0.5, {"browOuterUpRight": 0.5, "browInnerUp": 0.25}),
        (6, -0.5, {"browDownRight": 0.5}),
        (8, 0.5, {"mouthFrownLeft": 0.5}),
        (8, -0.5, {"mouthSmileLeft": 0.5}),
        (10, 0.5, {"mouthFrownRight": 0.5}),
        (10, -0.5, {"mouthSmileRight": 0.5}),
        (12, 0.5, {"jawOpen": 0.5}),
        (12, -0.5, {}),
        (13, 0.5, {"mouthStretchLeft": 0.5, "mouthStretchRight": 0.5}),
        (13, -0.5, {"mouthPucker": 0.5}),
        (13, -3.0, {"mouthPucker": 1.0}),
    ],
)
def test_features_move_their_shapes(
    tracker: OpenSeeFaceProtocol, place: int, value: float, shapes: dict[str, float]
) -> None:
    assert moved(only(tracker.feed(packet(features={place: value}), T0))) == shapes


@pytest.mark.parametrize(
    ("euler", "angles"),
    [
        ((180.0, 0.0, 90.0), (0, 0, 0)),
        ((170.0, 0.0, 90.0), (10, 0, 0)),
        ((-170.0, 0.0, 90.0), (-10, 0, 0)),
        ((180.0, 20.0, 90.0), (0, -20, 0)),
        ((180.0, 0.0, 105.0), (0, 0, 15)),
    ],
)
def test_head_angles_have_their_signs(
    tracker: OpenSeeFaceProtocol,
    euler: tuple[float, float, float],
    angles: tuple[float, float, float],
) -> None:
    head = only(tracker.feed(packet(euler=euler), T0)).head
    assert head is not None
    degrees = [math.degrees(a) for a in (head.pitch_rad, head.yaw_rad, head.roll_rad)]
    assert degrees == pytest.approx(angles, abs=1e-4)


def test_a_tilted_head_that_looks_up_looks_up_and_aside() -> None:
    head = head_from_euler(170.0, 0.0, 120.0)  # 10 degrees up, then tilted by 30
    assert math.degrees(head.pitch_rad) == pytest.approx(
        math.degrees(math.asin(0.17365 * 0.86603)), abs=0.01
    )
    assert math.degrees(head.yaw_rad) == pytest.approx(5.04, abs=0.02)
    assert math.degrees(head.roll_rad) == pytest.approx(30, abs=0.5)


def test_level_head_has_the_neutral_angles() -> None:
    assert euler_from_head(IDENTITY) == pytest.approx(NEUTRAL_EULER)


@pytest.mark.parametrize(
    ("pupil", "pitch", "yaw"),
    [
        ((0.0, 0.0, -0.1), 0, 0),
        ((0.1, 0.0, -0.1), 0, 45),
        ((-0.1, 0.0, -0.1), 0, -45),
        ((0.0, -0.1, -0.1), 45, 0),
        ((0.0, 0.1, -0.1), -45, 0),
    ],
)
def test_pupils_tell_the_gaze(
    tracker: OpenSeeFaceProtocol, pupil: tuple[float, float, float], pitch: float, yaw: float
) -> None:
    face = only(tracker.feed(packet(pupils=(pupil, pupil)), T0))
    assert face.left_eye == face.right_eye
    assert face.left_eye is not None
    assert math.degrees(face.left_eye.pitch_rad) == pytest.approx(pitch, abs=1e-4)
    assert math.degrees(face.left_eye.yaw_rad) == pytest.approx(yaw, abs=1e-4)


def test_eyes_that_squint_look_where_their_mean_looks(tracker: OpenSeeFaceProtocol) -> None:
    face = only(tracker.feed(packet(pupils=((0.03, 0, -0.1), (-0.03, 0, -0.1))), T0))
    assert face.left_eye is not None
    assert face.left_eye.yaw_rad == pytest.approx(0.0, abs=1e-6)


def test_pupil_without_direction_gives_no_gaze(tracker: OpenSeeFaceProtocol) -> None:
    face = only(tracker.feed(packet(pupils=((0, 0, 0), (0, 0, -0.1))), T0))
    assert (face.left_eye, face.right_eye) == (None, None)


@pytest.mark.parametrize(
    "damaged",
    [
        packet(features={12: math.nan}),
        packet(opened=(math.inf, 1.0)),
        packet(euler=(math.nan, 0.0, 90.0)),
        packet(pupils=((math.inf, 0, 0), (0, 0, -1))),
        packet(-1),
        packet(MAX_ID + 1),
    ],
)
def test_damaged_face_is_left_out_and_the_others_kept(
    tracker: OpenSeeFaceProtocol, damaged: bytes
) -> None:
    assert only(tracker.feed(damaged + packet(1), T0)).source == "openseeface:test#1"
    assert tracker.values_dropped == 1
    with pytest.raises(PacketError):
        tracker.feed(damaged, T0)


@pytest.mark.parametrize("size", [0, 1, 1784, 1786, 2 * 1785 - 1, (MAX_FACES + 1) * 1785])
def test_other_sizes_are_refused(tracker: OpenSeeFaceProtocol, size: int) -> None:
    assert not tracker.recognises(bytes(size))
    with pytest.raises(PacketError):
        tracker.feed(bytes(size), T0)
