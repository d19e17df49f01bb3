"""Real faces in pictures and videos: what the tracker must see in them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import cv2
import numpy as np
import pytest

from tests.support import videos
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, U8Array
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.webcam.detector import find_faces
from vtbridge.tracking.webcam.eyes import LEFT_EYE, RIGHT_EYE, aspect_ratio
from vtbridge.tracking.webcam.landmarks import FaceLandmarks
from vtbridge.tracking.webcam.region import whole_picture
from vtbridge.tracking.webcam.tracker import FaceTracker


class Seen:
    """What came out of a video, picture by picture."""

    def __init__(self, faces: list[FaceFrame], ratios: list[float]) -> None:
        self.faces = faces
        self.ratios = np.array(ratios)

    def __getitem__(self, index: int) -> FaceFrame:
        return self.faces[index]

    def shape(self, stem: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Return one blendshape over time, the mean of both sides if it has sides."""
        return np.array([shape(face, stem) for face in self.faces])

    def degrees(self, angle: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.array([math.degrees(getattr(face.head, angle)) for face in self.faces])


def shape(face: FaceFrame, stem: str) -> float:
    names = [stem] if stem in face.blendshapes else [f"{stem}Left", f"{stem}Right"]
    return sum(face.blendshapes[name] for name in names) / len(names)


def roll_deg(face: FaceFrame) -> float:
    assert face.head is not None
    return math.degrees(face.head.roll_rad)


def track_all(tracker: FaceTracker, pictures: Iterable[U8Array], fps: Fraction | int) -> Seen:
    """Track pictures in order; also note the eyes' aspect ratios behind the blinks."""
    ratios: list[float] = []
    measure = tracker._measure

    def noting(landmarks: FaceLandmarks, t_ns: int, source: str) -> FaceFrame:
        ratios.append(
            (aspect_ratio(landmarks.points, LEFT_EYE) + aspect_ratio(landmarks.points, RIGHT_EYE))
            / 2
        )
        return measure(landmarks, t_ns, source)

    tracker._measure = noting  # type: ignore[method-assign]
    try:
        faces = [
            tracker.track(rgb, round(index * NS_PER_S / fps)) for index, rgb in enumerate(pictures)
        ]
    finally:
        tracker._measure = measure  # type: ignore[method-assign]
    return Seen(faces, ratios)


@pytest.fixture(scope="module")
def carphone(shared_face_tracker: FaceTracker) -> Seen:
    shared_face_tracker.reset()
    pictures = videos.pictures_of(videos.carphone(), enlarged=4)
    return track_all(shared_face_tracker, pictures, Fraction(30000, 1001))


@pytest.fixture(scope="module")
def wolfgang(shared_face_tracker: FaceTracker) -> Seen:
    shared_face_tracker.reset()
    pictures = videos.pictures_of(videos.wolfgang())
    return track_all(shared_face_tracker, pictures, Fraction(24000, 1001))


def test_face_is_as_a_phone_would_send_it(face_tracker: FaceTracker) -> None:
    face = face_tracker.track(videos.astronaut(), 5, "webcam:0")
    assert (face.t_ns, face.source, face.tracked) == (5, "webcam:0", True)
    assert set(face.blendshapes) == set(ARKIT_NAMES) - {"tongueOut"}
    assert face.left_eye == face.right_eye
    assert face.left_eye is not None
    assert face.head is not None


def test_astronaut_smiles_with_open_eyes(face_tracker: FaceTracker) -> None:
    face = face_tracker.track(videos.astronaut(), 0)
    assert shape(face, "mouthSmile") > 0.7
    assert shape(face, "jawOpen") < 0.1
    assert shape(face, "eyeBlink") < 0.15
    assert shape(face, "mouthFrown") < 0.1
    assert face.left_eye is not None
    # She looks into the camera, her head a little down.
    assert abs(math.degrees(face.left_eye.yaw_rad)) < 6
    assert abs(math.degrees(face.left_eye.pitch_rad)) < 10


def test_roll_follows_the_picture_within_a_degree(face_tracker: FaceTracker) -> None:
    picture = videos.astronaut()
    upright = roll_deg(face_tracker.track(picture, 0))
    for degrees in range(-30, 31, 5):
        # Counter-clockwise in the picture is towards her own right shoulder.
        turn = cv2.getRotationMatrix2D((224, 110), degrees, 1.0)
        turned = np.asarray(cv2.warpAffine(picture, turn, (512, 512)), np.uint8)
        face_tracker.reset()
        error = roll_deg(face_tracker.track(turned, 0)) - upright - degrees
        assert abs(error) <= 0.7, degrees


def test_mirrored_picture_is_a_mirrored_face(face_tracker: FaceTracker) -> None:
    pictures = videos.pictures_of(videos.wolfgang())
    plain, mirrored = list[FaceFrame](), list[FaceFrame]()
    for index in (152, 192, 400):
        for faces, picture in ((plain, pictures[index]), (mirrored, pictures[index][:, ::-1])):
            face_tracker.reset()
            faces.append(face_tracker.track(picture, 0))
    for one, other in zip(plain, mirrored, strict=True):
        assert one.head is not None
        assert other.head is not None
        assert one.left_eye is not None
        assert other.left_eye is not None
        assert math.degrees(one.head.yaw_rad + other.head.yaw_rad) == pytest.approx(0, abs=2.5)
        assert math.degrees(one.head.roll_rad + other.head.roll_rad) == pytest.approx(0, abs=2.5)
        assert math.degrees(one.head.pitch_rad - other.head.pitch_rad) == pytest.approx(0, abs=2.5)
        gaze = one.left_eye.yaw_rad + other.left_eye.yaw_rad
        assert math.degrees(gaze) == pytest.approx(0, abs=7)
    # Her head is turned to her own right, her eyes once to either side.
    assert plain[0].head is not None
    assert math.degrees(plain[0].head.yaw_rad) > 8
    looks = [math.degrees(face.left_eye.yaw_rad) for face in plain if face.left_eye]
    assert looks[0] > 15
    assert looks[1] < -15


def test_talking_man_is_never_lost(carphone: Seen) -> None:
    assert len(carphone.faces) == 120
    assert all(face.tracked for face in carphone.faces)


def test_talking_mans_blinks_are_seen_and_nothing_else(carphone: Seen) -> None:
    blink = carphone.shape("eyeBlink")
    for at in (42, 92):
        around = carphone.ratios[at - 6 : at + 7]
        assert int(around.argmin()) + at - 6 == at
        assert around.min() < 0.4 * np.median(around)
        assert int(blink[at - 6 : at + 7].argmax()) + at - 6 == at
        assert blink[at] > 0.6
    # At 112 he screws up his eyes, before his mouth opens.
    awake = np.delete(blink, [41, 42, 43, 44, 91, 92, 93, 94, 112, 113])
    assert awake.max() < 0.15
    assert blink[112:114].max() < 0.5


def test_talking_mans_mouth_opens_and_shuts(carphone: Seen) -> None:
    jaw = carphone.shape("jawOpen")
    assert jaw[58] > 0.4
    assert jaw[115] > 0.5
    assert jaw[2] < 0.1
    assert jaw[70] < 0.1


def test_talking_man_raises_his_brows(carphone: Seen) -> None:
    assert carphone.shape("browInnerUp")[58] > 0.6
    assert carphone.shape("browInnerUp")[40] < 0.1


def test_talking_man_tilts_his_head(carphone: Seen) -> None:
    roll = carphone.degrees("roll_rad")
    assert roll.min() >= 10
    assert roll.max() <= 35
    assert roll[90] - roll[5] > 15
    assert np.abs(np.diff(roll)).max() < 5


def test_shut_eyes_are_shut_for_as_long_as_they_are(wolfgang: Seen) -> None:
    blink = wolfgang.shape("eyeBlink")
    assert all(face.tracked for face in wolfgang.faces)
    assert wolfgang.ratios[90:116].max() < 0.10
    assert blink[18:138].min() > 0.7
    assert blink[90:116].min() > 0.85


def test_open_eyes_are_open(wolfgang: Seen) -> None:
    # At 202 her lids twitch: 0.19.
    awake = np.r_[190:201, 204:236]
    assert wolfgang.ratios[awake].min() > 0.2
    assert wolfgang.shape("eyeBlink")[awake].max() < 0.15
    assert wolfgang.shape("eyeBlink")[201:204].max() < 0.5


def test_both_eyes_agree(wolfgang: Seen) -> None:
    # The network alone says 0.6 for one and 0.9 for the other of two shut eyes.
    left = np.array([face.blendshapes["eyeBlinkLeft"] for face in wolfgang.faces])
    right = np.array([face.blendshapes["eyeBlinkRight"] for face in wolfgang.faces])
    assert np.abs(left - right)[18:].mean() < 0.05
    assert np.abs(left - right)[18:138].max() < 0.25


def test_smile_is_seen(wolfgang: Seen) -> None:
    assert wolfgang.shape("mouthSmile")[330:371].max() > 0.7
    assert wolfgang.shape("mouthSmile")[165:185].max() < 0.1


def test_eyes_lowered_at_the_end_are_lowered(wolfgang: Seen) -> None:
    assert wolfgang.shape("eyeBlink")[445:].min() > 0.6


def test_face_that_leaves_is_lost_and_not_found_in_the_wall(face_tracker: FaceTracker) -> None:
    seen = track_all(face_tracker, videos.pictures_of(videos.face_noface()), 30)
    tracked = [index for index, face in enumerate(seen.faces) if face.tracked]
    # Her face fills pictures 0..71. A 73rd, 163, is found by a detector that is not asked
    # to look twice; it is a patch of wall. One picture more or less at the cut is fine.
    assert tracked == list(range(len(tracked)))
    assert 71 <= len(tracked) <= 73
    assert all(not face.blendshapes and face.head is None for face in seen.faces[73:])


def test_no_face_is_found_where_there_is_none(face_tracker: FaceTracker) -> None:
    seen = track_all(face_tracker, videos.pictures_of(videos.no_face()), 24)
    assert len(seen.faces) == 95
    assert not any(face.tracked for face in seen.faces)


@pytest.mark.parametrize(("x", "y"), [(60, 60), (1000, 500), (640, 360)])
def test_small_face_is_found_before_a_second_has_passed(
    face_tracker: FaceTracker, x: int, y: int
) -> None:
    # The face is 108 pixels wide in the picture; here 5 % of the width, too small at once.
    width = 1280
    scale = 0.05 * width / 108
    small = cv2.resize(videos.astronaut(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((720, width, 3), 90, np.uint8)
    shift = np.array([[1.0, 0, x - 224 * scale], [0, 1, y - 110 * scale]])
    canvas = np.asarray(
        cv2.warpAffine(small, shift, (width, 720), dst=canvas, borderMode=cv2.BORDER_TRANSPARENT),
        np.uint8,
    )
    faces = [face_tracker.track(canvas, i * NS_PER_S // 30) for i in range(30)]
    assert faces[-1].tracked
    assert shape(faces[-1], "mouthSmile") > 0.6


def test_face_that_moves_away_is_found_again_at_once(face_tracker: FaceTracker) -> None:
    picture = videos.astronaut()
    moved = np.ascontiguousarray(np.roll(picture, (180, 200), (0, 1)))
    assert face_tracker.track(picture, 0).tracked
    assert face_tracker.track(moved, NS_PER_S // 30).tracked


def test_largest_of_several_faces_is_tracked(face_tracker: FaceTracker) -> None:
    picture = videos.astronaut()
    head = picture[:256, 96:352]
    both = np.full((512, 768, 3), 60, np.uint8)
    both[100:356, :256] = head
    both[:, 256:] = cv2.resize(head, (512, 512), interpolation=cv2.INTER_CUBIC)
    found = find_faces(face_tracker._networks, both, whole_picture(both))
    assert len(found) == 2
    face = face_tracker.track(both, 0)
    assert face.tracked
    assert face_tracker._region is not None
    assert face_tracker._region.x > 400


def test_two_trackers_agree_after_a_reset(face_tracker: FaceTracker) -> None:
    pictures = videos.pictures_of(videos.single_face())[:12]
    first = track_all(face_tracker, pictures, 30).faces
    face_tracker.track(videos.astronaut(), 0)
    face_tracker.reset()
    assert track_all(face_tracker, pictures, 30).faces == first
