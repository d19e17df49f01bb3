"""Irises tell where the eyes look, whichever way the head is turned."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.datatypes import Gaze
from vtbridge.tracking.webcam import gaze as module
from vtbridge.tracking.webcam.eyes import LEFT_EYE, RIGHT_EYE, Lids
from vtbridge.tracking.webcam.gaze import (
    LEFT_IRIS,
    RIGHT_IRIS,
    GazeTracker,
    looks_from_gaze,
    network_pitch_rad,
)

WIDTH = 40.0
OPEN, SHUT = Lids(0.0, 0.0), Lids(1.0, 0.0)
F64Array = NDArray[np.float64]


def turned(pitch: float, yaw: float, roll: float) -> F64Array:
    """Return a head rotation of our angles in degrees, built from its three axes."""
    a, b, c = (math.radians(v) for v in (-yaw, -pitch, roll))
    about_y = [[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]]
    about_x = [[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]]
    about_z = [[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]]
    rotation: F64Array = np.array(about_y) @ np.array(about_x) @ np.array(about_z)
    return rotation


def face_looking(pitch: float, yaw: float, rotation: F64Array) -> F64Array:
    """Return landmarks of a face whose eyeballs look there, angles against the head."""
    p, y = math.radians(pitch), math.radians(yaw)
    direction = np.array([-math.sin(y) * math.cos(p), math.sin(p), math.cos(y) * math.cos(p)])
    head = np.zeros((478, 3))
    for eye, iris, outward in ((LEFT_EYE, LEFT_IRIS, 1.0), (RIGHT_EYE, RIGHT_IRIS, -1.0)):
        middle = np.array([outward * 60.0, 0.0, 0.0])
        half = np.array([outward * WIDTH / 2, 0.0, 0.0])
        head[eye.outer], head[eye.inner] = middle + half, middle - half
        centre = np.array([outward * module._OUTWARD, module._UPWARD, -module._DEPTH])
        head[iris] = middle + WIDTH * (centre + module._RADIUS * direction)
    points: F64Array = (head @ rotation.T) * (1, -1, -1) + (300, 200, 0)
    points[[LEFT_IRIS, RIGHT_IRIS], 2] = 1e3  # the depth of an iris is a guess: never used
    return points


def network_looking(pitch: float) -> dict[str, float]:
    """Return what the network says of eyes that look ``pitch`` degrees up."""
    look = (math.radians(pitch) + module._NETWORK_REST_RAD) / module.GAZE_RAD_PER_LOOK
    sides = ("Left", "Right")
    return {f"eyeLookUp{s}": max(look, 0.0) for s in sides} | {
        f"eyeLookDown{s}": max(-look, 0.0) for s in sides
    }


@pytest.mark.parametrize("head", [(0, 0, 0), (20, 0, 0), (0, -20, 0), (-10, 15, 30)])
@pytest.mark.parametrize(("pitch", "yaw"), [(0, 0), (0, 25), (15, -20), (-20, 5)])
def test_gaze_is_against_the_head(
    head: tuple[float, float, float], pitch: float, yaw: float
) -> None:
    rotation = turned(*head)
    gaze = GazeTracker().measure(
        face_looking(pitch, yaw, rotation),
        rotation,
        math.radians(head[1]),
        network_looking(pitch),
        (OPEN, OPEN),
    )
    assert math.degrees(gaze.yaw_rad) == pytest.approx(yaw, abs=0.01)
    assert math.degrees(gaze.pitch_rad) == pytest.approx(pitch, abs=0.01)


def test_shut_eyes_keep_their_last_gaze() -> None:
    tracker, ahead = GazeTracker(), turned(0, 0, 0)

    def look(yaw: float, *lids: Lids) -> float:
        points = face_looking(0, yaw, ahead)
        gaze = tracker.measure(points, ahead, 0.0, network_looking(0), (lids[0], lids[1]))
        return math.degrees(gaze.yaw_rad)

    assert look(20, SHUT, SHUT) == 0.0
    assert look(20, OPEN, OPEN) == pytest.approx(20)
    assert look(-20, SHUT, SHUT) == pytest.approx(20)
    assert look(-20, SHUT, OPEN) == pytest.approx(-20)  # a wink
    tracker.reset()
    assert look(-20, SHUT, SHUT) == 0.0


def test_impossible_irises_stay_in_range() -> None:
    points, ahead = face_looking(0, 0, turned(0, 0, 0)), turned(0, 0, 0)
    points[LEFT_IRIS, :2] += 5000
    for each in (points, np.zeros((478, 3))):
        gaze = GazeTracker().measure(each, ahead, 0.0, network_looking(0), (OPEN, OPEN))
        assert abs(gaze.yaw_rad) <= math.pi / 2
        assert abs(gaze.pitch_rad) <= math.pi / 2


def test_network_that_sees_somebody_look_ahead_gives_no_pitch() -> None:
    assert network_pitch_rad(network_looking(0)) == pytest.approx(0)


def test_looks_are_arkits() -> None:
    looks = looks_from_gaze(Gaze(pitch_rad=math.radians(7), yaw_rad=math.radians(17.5)))
    # To the own right: the left eye turns in, the right eye out.
    assert {name: value for name, value in looks.items() if value} == pytest.approx(
        {
            "eyeLookUpLeft": 0.2,
            "eyeLookUpRight": 0.2,
            "eyeLookInLeft": 0.5,
            "eyeLookOutRight": 0.5,
        }
    )
    other = looks_from_gaze(Gaze(math.radians(-70), math.radians(-70)))
    assert other["eyeLookDownLeft"] == other["eyeLookOutLeft"] == other["eyeLookInRight"] == 1.0
    assert all(math.copysign(1, value) > 0 for value in looks.values())
