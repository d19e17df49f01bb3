"""From a whole video's faces to poses: neutral, without delay, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.app.animate.pose_track import pose_track
from vtbridge.config.schema import Config
from vtbridge.datatypes import F32Array, FaceFrame, HeadPose
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA3
from vtbridge.retarget.settings import RetargetSettings
from vtbridge.tracking.arkit import ARKIT_NAMES

FPS = 30
REST = {"jawOpen": 0.12, "browDownLeft": 0.3, "browDownRight": 0.3, "eyeBlinkLeft": 0.2}
TILTED = HeadPose(0.15, -0.1, 0.3)


def face(
    index: int, *, tracked: bool = True, head: HeadPose = TILTED, **shapes: float
) -> FaceFrame:
    """Return a resting face that is tilted as a careless camera sees it, but for ``shapes``."""
    t_ns = round(index * 1e9 / FPS)
    if not tracked:
        return FaceFrame(t_ns, "webcam:video", tracked=False)
    all_shapes = dict.fromkeys(ARKIT_NAMES, 0.0) | REST | shapes
    return FaceFrame(t_ns, "webcam:video", blendshapes=all_shapes, head=head)


def without_breath(values: F32Array) -> F32Array:
    return np.delete(values, PoseParam.BREATHING, axis=1)


def test_resting_face_of_the_video_is_neutral_from_the_first_picture_on() -> None:
    track = pose_track([face(i) for i in range(60)], Config())
    assert track.values.shape == (60, POSE_SIZE)
    assert np.abs(without_breath(track.values)).max() < 0.02
    assert track.values[:, PoseParam.BREATHING].max() > 0.5


def test_without_calibration_the_face_is_taken_as_it_is() -> None:
    track = pose_track([face(i) for i in range(60)], Config(), calibrate=False)
    assert track.values[0, PoseParam.NECK_Z] > 0.9
    assert track.values[0, PoseParam.EYEBROW_ANGRY_LEFT] > 0.1


@pytest.mark.parametrize("start", [0, 7, 1000])
def test_character_is_there_from_the_first_picture_of_any_part(start: int) -> None:
    faces = [face(start + i, jawOpen=0.12 + 0.7 * (i < 5)) for i in range(60)]
    vowels = [PoseParam.MOUTH_AAA, PoseParam.MOUTH_OOO, PoseParam.MOUTH_UUU]
    mouth = pose_track(faces, Config()).values[:, vowels].sum(axis=1)
    assert mouth[0] > 0.3
    assert mouth[0] == pytest.approx(mouth[2], abs=0.02)
    assert mouth[30] < 0.02


@pytest.mark.parametrize("blink_at", [30, 31, 57])
def test_blink_is_shown_in_its_own_picture(blink_at: int) -> None:
    faces = [face(i) for i in range(90)]
    faces[blink_at] = face(blink_at, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    track = pose_track(faces, Config())
    lids = track.values[:, PoseParam.EYE_WINK_LEFT]
    assert lids.argmax() == blink_at
    assert lids[blink_at] > 0.9
    assert lids[blink_at - 2] < 0.1
    assert lids[blink_at + 2] < 0.1


def test_same_faces_give_the_same_poses_to_the_bit() -> None:
    rng = np.random.default_rng(5)
    faces = [
        face(i, tracked=not 40 <= i < 100, jawOpen=float(rng.uniform(0, 1))) for i in range(150)
    ]
    np.testing.assert_array_equal(
        pose_track(faces, Config()).values, pose_track(faces, Config()).values
    )


def test_lost_face_eases_to_idle_and_back_without_a_jump() -> None:
    turned = HeadPose(0.15, -0.1, 0.0)
    faces = [face(i, tracked=not 60 <= i < 180, head=turned) for i in range(300)]
    faces[:30] = [face(i) for i in range(30)]
    values = pose_track(faces, Config()).values
    blinks = values[100:180, PoseParam.EYE_WINK_LEFT]
    assert blinks.max() > 0.9, "nobody home"
    assert values[110:170, PoseParam.MOUTH_RAISED_CORNER_LEFT].min() > 0.25, "no idle smile"
    slow = [PoseParam.HEAD_X, PoseParam.HEAD_Y, PoseParam.NECK_Z, PoseParam.BODY_Z]
    assert np.abs(np.diff(values[40:, slow], axis=0)).max() < 0.1
    assert np.abs(without_breath(values)[299] - without_breath(values)[59]).max() < 0.02


def test_gap_of_a_few_pictures_does_not_stop_the_motion() -> None:
    def nodding(index: int) -> HeadPose:
        return HeadPose(0.2 * np.sin(index / 10), 0.0, 0.0)

    whole = [face(i, head=nodding(i)) for i in range(120)]
    gapped = [face(i, tracked=not 60 <= i < 65, head=nodding(i)) for i in range(120)]
    difference = pose_track(whole, Config()).values - pose_track(gapped, Config()).values
    assert np.abs(difference[:, PoseParam.HEAD_X]).max() < 0.1


def test_mirror_and_reference_settings_are_obeyed() -> None:
    faces = [face(i, jawOpen=0.12 + 0.5 * (i % 2), eyeBlinkLeft=0.9) for i in range(40)]
    faces[:20] = [face(i) for i in range(20)]
    plain = pose_track(faces, Config()).values
    mirrored = pose_track(faces, Config(retarget=RetargetSettings(mirror=True))).values
    np.testing.assert_array_equal(
        plain[:, PoseParam.EYE_WINK_LEFT], mirrored[:, PoseParam.EYE_WINK_RIGHT]
    )
    raw = pose_track(faces, Config(retarget=RetargetSettings(preset="reference"))).values
    mouth = PoseParam.MOUTH_AAA
    assert np.abs(np.diff(raw[25:, mouth])).min() > np.abs(np.diff(plain[25:, mouth])).max()


def test_poses_stay_within_their_ranges() -> None:
    rng = np.random.default_rng(8)
    faces = [
        FaceFrame(
            round(i * 1e9 / FPS),
            "webcam:video",
            blendshapes={name: float(rng.uniform(0, 1)) for name in ARKIT_NAMES},
            head=HeadPose(*rng.uniform(-3, 3, 3)),
        )
        for i in range(60)
    ]
    values = pose_track(faces, Config()).values
    low = [-1.0 if param.signed else 0.0 for param in PoseParam]
    assert (values >= low).all()
    assert (values <= 1).all()
    for eye in THA3.eyes:
        assert values[:, eye].sum(axis=1).max() <= 1.0001
