"""Each tracker is measured by its own neutral face, and eased to."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.retargeting import SETTINGS, WHOLE, degrees, moved, ns, watch
from vtbridge.datatypes import FaceFrame
from vtbridge.pose_params import PoseParam
from vtbridge.retarget.retargeter import Retargeter


def test_a_held_blink_does_not_become_the_neutral_face() -> None:
    retargeter = Retargeter(SETTINGS)
    retargeter.calibrate()
    for i in range(120):
        blink = 0.9 if i % 6 == 0 else 0.1
        retargeter.feed(FaceFrame(ns(1 + i / 60), blendshapes={"eyeBlinkLeft": blink}))
    saved = retargeter.save_calibration()
    assert saved["trackers"] == {
        "": {"head_rad": [0, 0, 0], "iris": [0, 0], "rest": {"eyeBlinkLeft": 0.1}}
    }


def test_calibration_makes_the_present_face_neutral() -> None:
    retargeter = Retargeter(SETTINGS)
    resting = {"eyeBlinkLeft": 0.24, "jawOpen": 0.2, "eyeLookDownLeft": 0.4, "mouthPucker": 0.1}
    retargeter.calibrate()
    assert retargeter.calibrating
    values = []
    for i in range(240):
        retargeter.feed(FaceFrame(ns(1 + i / 60), blendshapes=resting, head=degrees(-20, 8, 5)))
        values.append(retargeter.pose_at(ns(1 + i / 60)).values)
    assert retargeter.calibrated
    assert moved(values[0])["head_x"] == -1.0
    np.testing.assert_allclose(values[-1], 0.0, atol=0.01)
    assert np.abs(np.diff(values, axis=0)).max() < 0.25
    blinking = resting | {"eyeBlinkLeft": 1.0}
    other = Retargeter(SETTINGS)
    other.load_calibration(retargeter.save_calibration())
    other.feed(FaceFrame(ns(1), blendshapes=blinking, head=degrees(-20, 8, 5)))
    assert other.pose_at(ns(1)).values[PoseParam.EYE_WINK_LEFT] == 1.0
    other.clear_calibration()
    assert not other.calibrated


def test_another_tracker_is_measured_by_its_own_neutral_face_and_eased_to() -> None:
    retargeter = Retargeter(SETTINGS)
    resting = {"phone:10.0.0.2": 6.0, "webcam:0": -6.0}
    t_s = 1.0
    for source, pitch in resting.items():
        retargeter.calibrate()
        watch(retargeter, {}, t_s, 2.0, head=degrees(pitch=pitch), source=source)
        assert retargeter.calibrated
        assert not retargeter.calibrating
        t_s += 2.0
    saved = retargeter.save_calibration()
    assert isinstance(trackers := saved["trackers"], dict)
    assert set(trackers) == {"phone", "webcam"}
    # Another address of the same phone is the same tracker.
    phone = watch(retargeter, {}, 5.0, 1.5, head=degrees(pitch=6), source="phone:10.0.0.9")
    heads = [float(pose.values[PoseParam.HEAD_X]) for pose in phone]
    assert np.abs(heads).max() < 0.02  # at rest it was, at rest it stays
    other = watch(retargeter, {}, 6.5, 1.5, head=degrees(yaw=9), source="stranger:1")
    turns = [float(pose.values[PoseParam.HEAD_Y]) for pose in other]
    assert np.abs(np.diff(turns)).max() < 0.08  # eased, not only limited
    assert turns[-1] == pytest.approx(0.9, abs=0.01)


def test_a_microphone_that_joins_in_changes_nothing_of_the_head() -> None:
    retargeter = Retargeter(SETTINGS)
    retargeter.calibrate()
    watch(retargeter, WHOLE, 1.0, 2.0, head=degrees(pitch=6), source="phone:10.0.0.2")
    shown = []
    for i in range(120):
        source = "phone:10.0.0.2+microphone:x" if i % 2 else "phone:10.0.0.2"
        face = FaceFrame(
            ns(3 + i / 60), source, blendshapes=WHOLE, head=degrees(pitch=6, yaw=i / 20)
        )
        retargeter.feed(face)
        shown.append(retargeter.pose_at(face.t_ns).values)
    assert abs(shown[-1][PoseParam.HEAD_X]) < 0.02
    assert shown[-1][PoseParam.HEAD_Y] == pytest.approx(0.59, abs=0.05)  # it follows on
