"""Irises follow whichever source of gaze moves, with THA3's signs."""

from __future__ import annotations

import math

import pytest

from vtbridge.datatypes import Gaze
from vtbridge.retarget.gaze import IrisTarget, iris_from_face
from vtbridge.retarget.settings import GazeSettings

SETTINGS = GazeSettings(pitch_full_deg=20, yaw_full_deg=30)
OWN_RIGHT = {"eyeLookInLeft": 0.6, "eyeLookOutRight": 0.6}
EYES_UP = Gaze(math.radians(10), 0.0)


def test_looking_to_the_own_right_is_positive() -> None:
    iris = iris_from_face(OWN_RIGHT, {}, None, None, SETTINGS)
    assert iris == pytest.approx((0.0, 0.8))
    assert iris_from_face({"eyeLookOutLeft": 0.6}, {}, None, None, SETTINGS).own_right < 0


def test_looking_up_is_positive() -> None:
    shapes = {"eyeLookUpLeft": 0.3, "eyeLookUpRight": 0.3, "eyeLookDownLeft": 0.0}
    assert iris_from_face(shapes, {}, None, None, SETTINGS) == pytest.approx((0.4, 0.0))
    assert iris_from_face({"eyeLookDownRight": 0.3}, {}, None, None, SETTINGS).up < 0


def test_eyes_count_where_the_blendshapes_rest_at_zero() -> None:
    still = dict.fromkeys((*OWN_RIGHT, "eyeLookUpLeft"), 0.0)
    eyes = Gaze(math.radians(10), math.radians(-15))
    assert iris_from_face(still, {}, eyes, eyes, SETTINGS) == pytest.approx((0.5, -0.5))


def test_moving_blendshapes_count_more_than_eyes() -> None:
    assert iris_from_face(OWN_RIGHT, {}, EYES_UP, EYES_UP, SETTINGS) == pytest.approx((0, 0.8))


def test_the_source_can_be_fixed() -> None:
    eyes_only = SETTINGS.model_copy(update={"source": "eyes"})
    assert iris_from_face(OWN_RIGHT, {}, EYES_UP, None, eyes_only) == pytest.approx((0.5, 0))
    shapes_only = SETTINGS.model_copy(update={"source": "blendshapes"})
    assert iris_from_face({}, {}, EYES_UP, EYES_UP, shapes_only) == IrisTarget()


def test_both_eyes_are_averaged_and_one_is_enough() -> None:
    level = Gaze()
    assert iris_from_face({}, {}, EYES_UP, level, SETTINGS) == pytest.approx((0.25, 0))
    assert iris_from_face({}, {}, None, EYES_UP, SETTINGS) == pytest.approx((0.5, 0))


def test_look_presets_move_the_irises() -> None:
    presets = {"lookLeft": 0.5, "lookDown": 0.25, "lookUp": 0.0, "lookRight": 0.0}
    assert iris_from_face({}, presets, None, None, SETTINGS) == pytest.approx((-0.25, -0.5))
