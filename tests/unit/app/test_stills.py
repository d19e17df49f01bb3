"""Stills: networks are opened when they are asked for, kept warm, and given back."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from tests.support.painted_poser import PaintedPoser
from vtbridge.app import stills as module
from vtbridge.app.stills import Stills, exact_settings
from vtbridge.characters import BUILTIN, load_picture
from vtbridge.clock import ManualClock
from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError
from vtbridge.pose_params import POSE_SIZE
from vtbridge.render.settings import Precision, Quality, RenderSettings, RuntimeName
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.telemetry import Telemetry

MICHI, REN = (load_picture(BUILTIN[name]) for name in ("michi", "ren"))
RUNTIMES = (RuntimeName.NATIVE, RuntimeName.OPENVINO, RuntimeName.PYTORCH)


def pose(value: float) -> F32Array:
    return np.full(POSE_SIZE, value, np.float32)


class Desk:
    """Stills whose networks only paint."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[tuple[RenderSettings, PaintedPoser]] = []
        monkeypatch.setattr("vtbridge.render.tha3.open_poser", self.open)
        self.stills = Stills(RenderSettings(weights="mine"), ManualClock())

    def open(self, settings: RenderSettings, telemetry: Telemetry) -> PaintedPoser:
        del telemetry
        self.opened.append((settings, PaintedPoser(settings.runtime)))
        return self.opened[-1][1]

    def posers(self) -> list[PaintedPoser]:
        return [poser for _, poser in self.opened]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def test_still_is_a_picture_of_the_pose_by_the_avatars_own_weights(desk: Desk) -> None:
    still = desk.stills.draw(MICHI, pose(1.0))
    rgba = np.asarray(Image.open(io.BytesIO(still.png)))
    assert rgba.shape == (512, 512, 4)
    assert (rgba == 255).all()
    assert still.runtime == "auto"
    ((settings, poser),) = desk.opened
    assert (settings.weights, settings.quality) == ("mine", Quality.EXACT)
    assert settings.precision is Precision.F32
    assert poser.pictures == [MICHI]


def test_pose_asked_for_again_is_not_drawn_again(desk: Desk) -> None:
    first = desk.stills.draw(MICHI, pose(0.5))
    drawn = desk.posers()[0].drawn
    assert desk.stills.draw(MICHI, pose(0.5)) is first
    assert desk.posers()[0].drawn == drawn
    assert desk.stills.draw(MICHI, pose(0.25)).png != first.png


def test_two_are_kept_open_and_the_third_takes_the_place_of_the_oldest(desk: Desk) -> None:
    for runtime in RUNTIMES:
        desk.stills.draw(MICHI, pose(0), runtime=runtime)
    assert [poser.closed for poser in desk.posers()] == [True, False, False]
    desk.stills.draw(MICHI, pose(0.5), runtime=RUNTIMES[1])
    assert len(desk.opened) == 3


def test_another_picture_closes_those_of_the_old_one(desk: Desk) -> None:
    desk.stills.draw(MICHI, pose(0))
    desk.stills.draw(REN, pose(0))
    assert [poser.closed for poser in desk.posers()] == [True, False]
    assert desk.posers()[1].pictures == [REN]


def test_networks_that_fail_are_closed_and_opened_anew(desk: Desk) -> None:
    desk.stills.draw(MICHI, pose(0))
    desk.posers()[0].failing = True
    with pytest.raises(InferenceError):
        desk.stills.draw(MICHI, pose(1))
    assert desk.posers()[0].closed
    desk.stills.draw(MICHI, pose(1))
    assert len(desk.opened) == 2


def test_networks_that_nobody_asks_are_closed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    desk.stills.draw(MICHI, pose(0))
    deadline = time.monotonic() + 30
    while not desk.posers()[0].closed and time.monotonic() < deadline:
        time.sleep(0.005)
    assert desk.posers()[0].closed


def test_what_is_closed_keeps_nothing_open(desk: Desk) -> None:
    desk.stills.draw(MICHI, pose(0))
    desk.stills.close()
    assert desk.posers()[0].closed


def test_student_of_one_character_does_not_pose_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(WeightStore, "is_student", lambda _self, name: name == "alone")
    assert exact_settings(RenderSettings(weights="alone")).weights == DEFAULT_WEIGHTS
    assert exact_settings(RenderSettings(weights="mine")).weights == "mine"
