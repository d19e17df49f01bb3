"""What a tracker does not tell about is not believed: idle motion may have it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.support.retargeting import MOUTH_ONLY, SETTINGS, WHOLE, belief, degrees, ns, watch
from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.pose_params import PoseParam
from vtbridge.retarget.retargeter import Retargeter


def test_a_whole_face_covers_everything() -> None:
    poses = watch(Retargeter(SETTINGS), WHOLE, 1.0, 1.0, head=degrees(yaw=3))
    assert all(pose.coverage is None for pose in poses)


def test_a_microphone_covers_only_the_mouth() -> None:
    retargeter = Retargeter(SETTINGS)
    for i in range(60):
        t_ns = ns(1 + i / 60)
        face = FaceFrame(t_ns, "microphone:x", blendshapes=MOUTH_ONLY, presets={"aa": 0.7})
        retargeter.feed(face)
        pose = retargeter.pose_at(t_ns)
    mouth = range(PoseParam.MOUTH_AAA, PoseParam.MOUTH_SMIRK + 1)
    for param in PoseParam:
        assert belief(pose, param) == (1.0 if param in mouth else 0.0), param.label
    assert pose.values[PoseParam.MOUTH_AAA] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("shapes", "parts", "covered"),
    [
        (WHOLE, {}, {"brows", "eyes", "mouth", "gaze"}),
        ({}, {"head": degrees(yaw=3)}, {"head", "body"}),
        ({}, {"left_eye": Gaze(0.1, 0.0)}, {"gaze"}),
        ({"eyeBlinkRight": 0.0}, {}, {"eyes"}),
        ({"browDownLeft": 0.0}, {}, {"brows"}),
        ({}, {"presets": {"blink": 0.0}}, {"eyes"}),
        ({}, {"presets": {"browsUp": 0.0, "lookUp": 0.0}}, {"brows", "gaze"}),
        ({"browInnerUp": math.nan, "unknown": 1.0}, {}, set()),
    ],
)
def test_each_part_is_covered_by_what_tells_about_it(
    shapes: dict[str, float], parts: dict[str, Any], covered: set[str]
) -> None:
    pose = watch(Retargeter(SETTINGS), shapes, 1.0, 1.0, **parts)[-1]
    assert {param.group for param in PoseParam if belief(pose, param) == 1.0} == covered
    assert all(belief(pose, param) in (0.0, 1.0) for param in PoseParam)


def test_an_emotion_covers_its_shapes_but_leaves_blinking_to_idle() -> None:
    pose = watch(Retargeter(SETTINGS), {}, 1.0, 1.0, presets={"surprised": 1.0})[-1]
    assert belief(pose, PoseParam.EYE_SURPRISED_LEFT) == 1.0
    assert belief(pose, PoseParam.EYEBROW_RAISED_LEFT) == 1.0
    assert belief(pose, PoseParam.EYE_WINK_LEFT) == 0.0
    assert pose.values[PoseParam.EYE_SURPRISED_LEFT] == 1.0


def test_a_part_that_is_no_longer_sent_is_held_and_eased_away_and_comes_back_eased() -> None:
    retargeter = Retargeter(SETTINGS)
    watch(retargeter, WHOLE, 1.0, 2.0, head=degrees(yaw=5))
    without = watch(retargeter, WHOLE, 3.0, 2.0)
    believed = [belief(pose, PoseParam.HEAD_Y) for pose in without]
    assert believed[:15] == [1.0] * 15  # held for 0.3 s
    assert believed[66:] == [0.0] * len(believed[66:])  # eased away in 0.7 s
    assert np.abs(np.diff(believed)).max() < 0.05
    # What is not sent stays where it was, and nothing else is doubted.
    assert all(pose.values[PoseParam.HEAD_Y] == pytest.approx(0.5) for pose in without)
    assert all(belief(pose, PoseParam.MOUTH_AAA) == pytest.approx(1.0) for pose in without)
    again = watch(retargeter, WHOLE, 5.0, 1.0, head=degrees(yaw=-5))
    believed = [belief(pose, PoseParam.HEAD_Y) for pose in again]
    assert believed[0] < 0.05
    assert believed[-1] == 1.0
    assert np.abs(np.diff(believed)).max() < 0.08
    # Unseen, it need not travel from where it was.
    assert again[0].values[PoseParam.HEAD_Y] == pytest.approx(-0.5, abs=1e-6)
    assert again[-1].coverage is None


def test_a_part_that_is_missing_for_a_moment_neither_fades_nor_moves() -> None:
    retargeter = Retargeter(SETTINGS)
    poses = []
    for i in range(120):
        head = degrees(yaw=5) if i % 6 == 0 else None
        t_ns = ns(1 + i / 60)
        retargeter.feed(FaceFrame(t_ns, blendshapes=WHOLE, head=head))
        poses.append(retargeter.pose_at(t_ns))
    assert all(pose.values[PoseParam.HEAD_Y] == pytest.approx(0.5) for pose in poses)
    assert all(belief(pose, PoseParam.HEAD_Y) == pytest.approx(1.0) for pose in poses[30:])


def test_a_lost_face_keeps_what_it_covered() -> None:
    retargeter = Retargeter(SETTINGS)
    watch(retargeter, MOUTH_ONLY, 1.0, 1.0)
    for seconds in (2.5, 4.0, 60.0):
        pose = retargeter.pose_at(ns(seconds))
        assert pose.coverage is not None
        assert pose.coverage[PoseParam.MOUTH_AAA] == pytest.approx(1.0)
        assert pose.coverage[PoseParam.HEAD_X] == 0.0
