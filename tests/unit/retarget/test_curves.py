"""Sensitivity bends each part by its own curve, and plain curves change nothing."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from vtbridge.retarget.curves import Curves, bent, bent_both_ways
from vtbridge.retarget.gaze import IrisTarget
from vtbridge.retarget.settings import CurveSettings, RetargetSettings, SensitivitySettings

NAMES = {"mouth": ("jawOpen", "aa"), "brows": ("browInnerUp",)}


@pytest.mark.parametrize(
    ("curve", "value", "expected"),
    [
        (CurveSettings(gain=1.5), 0.4, 0.6),
        (CurveSettings(gain=1.5), 0.9, 1.0),
        (CurveSettings(gain=0.5), 1.0, 0.5),
        (CurveSettings(gain=0), 1.0, 0.0),
        (CurveSettings(dead_zone=0.2), 0.2, 0.0),
        (CurveSettings(dead_zone=0.2), 0.6, 0.5),
        (CurveSettings(dead_zone=0.2), 1.0, 1.0),
        (CurveSettings(full_at=0.5), 0.25, 0.5),
        (CurveSettings(full_at=0.5), 0.8, 1.0),
        (CurveSettings(gamma=2), 0.5, 0.25),
        (CurveSettings(gamma=0.5), 0.25, 0.5),
        (CurveSettings(), 3.0, 1.0),
    ],
)
def test_gain_dead_zone_full_and_gamma(curve: CurveSettings, value: float, expected: float) -> None:
    assert bent(value, curve) == pytest.approx(expected)
    assert bent_both_ways(-value, curve) == pytest.approx(-expected)


def test_a_curve_never_falls() -> None:
    curve = CurveSettings(gain=1.3, dead_zone=0.1, full_at=0.7, gamma=0.6)
    values = [bent(i / 100, curve) for i in range(101)]
    assert values == sorted(values)


def test_each_shape_follows_the_curve_of_its_part() -> None:
    sensitivity = SensitivitySettings(mouth=CurveSettings(gain=2), gaze=CurveSettings(gain=0.5))
    curves = Curves(sensitivity, NAMES)
    shapes = {"jawOpen": 0.3, "aa": 0.4, "browInnerUp": 0.3, "unknown": 0.3}
    assert curves.shapes(shapes) == {
        "jawOpen": 0.6,
        "aa": 0.8,
        "browInnerUp": 0.3,
        "unknown": 0.3,
    }
    assert shapes["jawOpen"] == 0.3
    assert curves.iris(IrisTarget(0.4, -0.6)) == pytest.approx((0.2, -0.3))
    assert curves.head is None


def test_plain_curves_leave_everything_as_it_is() -> None:
    curves = Curves(SensitivitySettings(), NAMES)
    shapes = {"jawOpen": 0.3}
    assert curves.shapes(shapes) is shapes
    assert curves.iris(IrisTarget(2.0, -3.0)) == (2.0, -3.0)


def test_a_bare_number_is_a_gain() -> None:
    settings = RetargetSettings.model_validate(
        {"sensitivity": {"mouth": 1.4, "head": {"dead_zone": 0.1}}}
    )
    assert settings.sensitivity.mouth == CurveSettings(gain=1.4)
    assert settings.sensitivity.head == CurveSettings(dead_zone=0.1)


@pytest.mark.parametrize(
    "curve",
    [{"dead_zone": 0.5, "full_at": 0.5}, {"gain": -1}, {"gamma": math.nan}, {"gamma": 0}, True],
)
def test_curves_that_make_no_sense_are_refused(curve: object) -> None:
    with pytest.raises(ValidationError):
        SensitivitySettings.model_validate({"mouth": curve})
