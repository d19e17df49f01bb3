"""Values that no face can have are dropped, counted and replaced by the last good one."""

from __future__ import annotations

import math

import pytest

from vtbridge.datatypes import Gaze, HeadPose
from vtbridge.retarget.last_good import LastGood

BAD = [math.nan, math.inf, -math.inf, 1e38, -1e38, 100.0]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_blendshape_keeps_its_last_good_value(bad: float) -> None:
    good = LastGood()
    assert good.shapes({"jawOpen": 0.4}, ("jawOpen",)) == {"jawOpen": 0.4}
    assert good.shapes({"jawOpen": bad}, ("jawOpen",)) == {"jawOpen": 0.4}
    assert good.dropped == 1


def test_a_bad_blendshape_that_was_never_good_is_left_out() -> None:
    assert LastGood().shapes({"jawOpen": math.nan}, ("jawOpen",)) == {}


def test_an_absent_blendshape_stays_absent() -> None:
    good = LastGood()
    good.shapes({"jawOpen": 0.4}, ("jawOpen",))
    assert good.shapes({}, ("jawOpen",)) == {}


def test_a_slight_overshoot_is_clamped_and_not_counted() -> None:
    good = LastGood()
    sent = {"jawOpen": 1.2, "mouthPucker": -0.1}
    assert good.shapes(sent, tuple(sent)) == {"jawOpen": 1.0, "mouthPucker": 0.0}
    assert good.dropped == 0


def test_unused_names_are_neither_read_nor_remembered() -> None:
    assert LastGood().shapes({"x" * 10_000: math.nan}, ("jawOpen",)) == {}


@pytest.mark.parametrize("bad", BAD)
def test_each_bad_angle_keeps_its_own_last_value(bad: float) -> None:
    good = LastGood()
    good.head(HeadPose(0.1, 0.2, 0.3))
    assert good.head(HeadPose(0.5, bad, 0.6)) == HeadPose(0.5, 0.2, 0.6)
    good.eye("left", Gaze(0.1, 0.2))
    assert good.eye("left", Gaze(bad, 0.4)) == Gaze(0.1, 0.4)
    assert good.eye("right", Gaze(bad, 0.4)) == Gaze(0.0, 0.4)
    assert good.dropped == 3


def test_after_forgetting_a_bad_angle_is_neutral() -> None:
    good = LastGood()
    good.head(HeadPose(0.1, 0.2, 0.3))
    good.forget()
    assert good.head(HeadPose(math.nan, 0.0, 0.0)) == HeadPose()


def test_what_was_not_sent_stays_unsent() -> None:
    assert LastGood().head(None) is None
    assert LastGood().eye("left", None) is None


def test_what_is_sent_may_change_from_face_to_face() -> None:
    good, names = LastGood(), ("jawOpen", "mouthPucker", "tongueOut")
    for sent in ((0, 1), (0, 1, 2), (2,), (), (1, 2), (0,)):
        face = {names[i]: 0.25 * (i + 1) for i in sent}
        assert good.shapes({**face, "cheekPuff": 0.5}, names) == face


def test_a_bad_value_beside_good_ones_is_replaced_alone() -> None:
    names = ("jawOpen", "mouthPucker", "tongueOut")
    for bad_name in names:
        good = LastGood()
        good.shapes(dict.fromkeys(names, 0.25), names)
        face = {**dict.fromkeys(names, 0.5), bad_name: math.nan}
        assert good.shapes(face, names) == {**face, bad_name: 0.25}
        assert good.dropped == 1
