"""Eyelids are measured against the person's own eyes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.tracking.webcam.eyes import (
    LEFT_EYE,
    RIGHT_EYE,
    EyeContour,
    EyelidCalibration,
    Eyelids,
    Lids,
    aspect_ratio,
    near_eye_weights,
)

FRAME_S = 1 / 30
OPEN, SHUT = 0.05, 0.8
"""What the network says about an open and a shut eye."""


def put_eye(points: NDArray[np.float64], eye: EyeContour, ratio: float, x: float) -> None:
    """Draw an eye 30 wide around ``x``."""
    points[eye.outer, :2], points[eye.inner, :2] = (x - 15, 0), (x + 15, 0)
    for (upper, lower), dx in zip(eye.lids, (-5, 5), strict=True):
        points[upper, :2], points[lower, :2] = (x + dx, -15 * ratio), (x + dx, 15 * ratio)


def face_with(left: float, right: float) -> NDArray[np.float64]:
    points = np.zeros((478, 3))
    put_eye(points, LEFT_EYE, left, 40)
    put_eye(points, RIGHT_EYE, right, -40)
    return points


def watched(calibration: EyelidCalibration, ratio: float, network: float, seconds: float) -> Lids:
    for _ in range(round(seconds / FRAME_S)):
        lids = calibration.lids(ratio, network, 0.0, FRAME_S)
    return lids


def test_ratio_is_height_over_width() -> None:
    points = face_with(left=0.3, right=0.1)
    assert aspect_ratio(points, LEFT_EYE) == pytest.approx(0.3)
    assert aspect_ratio(points, RIGHT_EYE) == pytest.approx(0.1)
    assert aspect_ratio(np.zeros((478, 3)), LEFT_EYE) == 0.0


@pytest.mark.parametrize("yaw", [-40, 25])
def test_ratio_stays_when_the_head_turns(yaw: float) -> None:
    angle = math.radians(yaw)
    turn = np.array(
        [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
    )
    points = face_with(left=0.3, right=0.3) @ turn.T
    assert aspect_ratio(points, LEFT_EYE) == pytest.approx(0.3)


@pytest.mark.parametrize("wide_open", [0.16, 0.22, 0.30, 0.42])
def test_narrow_and_wide_eyes_open_and_shut_alike(wide_open: float) -> None:
    eye = EyelidCalibration()
    assert watched(eye, wide_open, OPEN, 10.0).blink < 0.1
    assert watched(eye, wide_open * 0.1, SHUT, 0.1).blink > 0.9
    assert watched(eye, wide_open, OPEN, 0.1).blink < 0.1


def test_first_picture_already_tells_open_from_shut() -> None:
    assert EyelidCalibration().lids(0.30, OPEN, 0.0, FRAME_S).blink < 0.1
    assert EyelidCalibration().lids(0.03, SHUT, 0.0, FRAME_S).blink > 0.9


def test_eyes_shut_for_a_long_time_stay_shut() -> None:
    eye = EyelidCalibration()
    watched(eye, 0.3, OPEN, 2.0)
    assert watched(eye, 0.03, SHUT, 120.0).blink > 0.9
    reopened = watched(eye, 0.3, OPEN, 0.1)
    assert reopened.blink < 0.1
    assert reopened.wide < 0.1


def test_lids_that_never_meet_on_the_mesh_learn_to_shut() -> None:
    eye = EyelidCalibration()
    watched(eye, 0.3, OPEN, 5.0)
    first = eye.lids(0.1, SHUT, 0.0, FRAME_S).blink
    for _ in range(20):
        watched(eye, 0.3, OPEN, 2.0)
        last = watched(eye, 0.1, SHUT, 0.15).blink
    assert first < 0.8
    assert last > 0.9


def test_lowered_lids_are_not_learnt_as_shut() -> None:
    eye = EyelidCalibration()
    watched(eye, 0.3, OPEN, 5.0)
    before = eye.lids(0.15, 0.4, 0.0, FRAME_S).blink
    after = watched(eye, 0.15, 0.4, 5.0).blink
    assert 0.3 < before < 0.7
    assert after <= before


def test_blink_falls_as_the_eye_opens() -> None:
    blinks = []
    for ratio in np.linspace(0.0, 0.5, 26):
        eye = EyelidCalibration()
        watched(eye, 0.3, OPEN, 5.0)
        blinks.append(eye.lids(float(ratio), OPEN, 0.0, 0.0).blink)
    assert blinks == sorted(blinks, reverse=True)
    assert (blinks[0], blinks[-1]) == (1.0, 0.0)


def test_wide_eyes_are_wide_by_either_measure() -> None:
    eye = EyelidCalibration()
    watched(eye, 0.3, OPEN, 5.0)
    assert eye.lids(0.3, OPEN, 0.05, FRAME_S).wide == pytest.approx(0.0, abs=0.01)
    assert eye.lids(0.40, OPEN, 0.0, FRAME_S).wide > 0.4
    assert eye.lids(0.3, OPEN, 0.30, FRAME_S).wide > 0.5


def test_reset_forgets_whose_eyes_they_were() -> None:
    eye = EyelidCalibration()
    watched(eye, 0.16, OPEN, 20.0)
    assert eye.lids(0.16, OPEN, 0.0, 0.0).blink < 0.1
    eye.reset()
    assert eye.lids(0.16, OPEN, 0.0, 0.0).blink > 0.3


def test_eye_behind_the_nose_follows_the_other() -> None:
    network = {"eyeBlinkLeft": OPEN, "eyeBlinkRight": OPEN, "eyeWideLeft": 0, "eyeWideRight": 0}
    points = face_with(left=0.3, right=0.02)
    ahead_left, ahead_right = Eyelids().measure(points, network, 0.0, FRAME_S)
    assert (ahead_left.blink < 0.1, ahead_right.blink > 0.9) == (True, True)
    turned_left, turned_right = Eyelids().measure(points, network, math.radians(45), FRAME_S)
    assert turned_right == turned_left
    assert turned_left.blink < 0.1


def test_turned_to_its_own_right_a_head_hides_its_right_eye() -> None:
    assert near_eye_weights(0.0) == (1.0, 1.0)
    assert near_eye_weights(math.radians(20)) == (1.0, 1.0)
    assert near_eye_weights(math.radians(50)) == (1.0, 0.0)
    assert near_eye_weights(math.radians(-50)) == (0.0, 1.0)
    left, right = near_eye_weights(math.radians(30))
    assert left == 1.0
    assert 0.5 < right < 1.0
