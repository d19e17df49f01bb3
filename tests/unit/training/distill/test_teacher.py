"""What the teacher is asked, and whom it takes for one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from tests.support.baking import picture_of
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import InferenceError, WeightsError
from vtbridge.pose_params import POSE_SIZE, ROTATION_SLICE
from vtbridge.render.models.variants import Family
from vtbridge.render.poser import Poser
from vtbridge.render.settings import Quality, RenderSettings, RuntimeName
from vtbridge.render.weights.store import WeightStore
from vtbridge.training.distill import teacher as teaching
from vtbridge.training.distill.teacher import Teacher, open_teacher, require_teachable


class StandInPoser:
    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[F32Array] = []
        self.closed = False
        self._fails = fails
        self._frame = np.zeros((512, 512, 4), np.uint8)

    def describe(self) -> str:
        return "stand-in"

    def set_picture(self, picture: object) -> None:
        if self._fails:
            raise InferenceError("out of memory")

    def fields(self, values: F32Array) -> F32Array:
        self.asked.append(values.copy())
        return values

    def render(self, values: F32Array) -> U8Array:
        self._frame += 1
        return self._frame

    def close(self) -> None:
        self.closed = True


def store_of(family: Family, *, student: bool = False) -> WeightStore:
    store = SimpleNamespace(
        is_student=lambda name: student, variant=lambda name: SimpleNamespace(family=family)
    )
    return cast("WeightStore", store)


def test_the_body_is_asked_for_with_the_face_at_rest() -> None:
    poser = StandInPoser()
    rotation = np.linspace(-1, 1, 6, dtype=np.float32)
    with Teacher(cast("Poser", poser)) as teacher:
        teacher.body(rotation)
        teacher.body(-rotation)
        assert teacher.describe() == "stand-in"
    for asked, given in zip(poser.asked, (rotation, -rotation), strict=True):
        assert asked.shape == (POSE_SIZE,)
        assert (asked[: ROTATION_SLICE.start] == 0).all()
        assert (asked[ROTATION_SLICE] == given).all()
    assert poser.closed


def test_frames_outlast_the_next_one() -> None:
    teacher = Teacher(cast("Poser", StandInPoser()))
    pose = np.zeros(POSE_SIZE, np.float32)
    first, second = teacher.frame(pose), teacher.frame(pose)
    assert (first.max(), second.max()) == (1, 2)


def test_it_is_exact_and_its_own_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[RenderSettings] = []
    poser = StandInPoser()

    def opening(settings: RenderSettings, *_: object, **__: object) -> StandInPoser:
        opened.append(settings)
        return poser

    monkeypatch.setattr(teaching, "open_poser", opening)
    open_teacher("some", picture_of(), store_of(Family.THA3), threads=1).close()
    (settings,) = opened
    assert settings.quality is Quality.EXACT
    assert settings.runtime is RuntimeName.NATIVE
    assert (settings.weights, settings.threads) == ("some", 1)


def test_one_that_cannot_take_the_picture_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    poser = StandInPoser(fails=True)
    monkeypatch.setattr(teaching, "open_poser", lambda *_, **__: poser)
    with pytest.raises(InferenceError, match="out of memory"):
        open_teacher("some", picture_of(), store_of(Family.THA3), threads=1)
    assert poser.closed


@pytest.mark.parametrize(
    "store", [store_of(Family.THA3, student=True), store_of(Family.THA4), store_of(Family.THA2)]
)
def test_weights_of_other_systems_are_refused_with_a_remedy(store: WeightStore) -> None:
    with pytest.raises(WeightsError, match="--weights tha3-separable-float"):
        require_teachable("other", store)
