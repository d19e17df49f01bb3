"""Posing by hand in the daemon: names are checked, and what can draw is what is here."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vtbridge.app.manual_pose import FADE_S, ManualPose
from vtbridge.app.poser_desk import RunningPoser
from vtbridge.app.stills import Stills
from vtbridge.characters import BUILTIN, load_picture
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.control.api.poser import Still, StillOrder
from vtbridge.datatypes import F32Array, Picture, Pose
from vtbridge.pose_params import POSE_SIZE, PoseParam
from vtbridge.pose_schema import THA1, THA3, PoseSchema
from vtbridge.render.settings import Quality, RenderSettings, RuntimeName

MICHI = load_picture(BUILTIN["michi"])


class NotedStills(Stills):
    """Note what is to be drawn."""

    def __init__(self) -> None:
        super().__init__(RenderSettings(), ManualClock())
        self.asked: list[tuple[F32Array, Quality, RuntimeName, str]] = []

    def draw(
        self,
        picture: Picture,
        values: F32Array,
        *,
        quality: Quality = Quality.EXACT,
        runtime: RuntimeName = RuntimeName.AUTO,
        weights: str = "",
        package: str = "",
    ) -> Still:
        assert picture is MICHI
        assert not package
        self.asked.append((values, quality, runtime, weights))
        return Still(b"png", "noted", 1.0)


class Desk:
    """A desk over nothing but its own parts."""

    def __init__(self, schema: PoseSchema = THA3) -> None:
        self.manual, self.stills = ManualPose(), NotedStills()
        self.face: Pose | None = None
        self.poser = RunningPoser(
            self.manual, self.stills, lambda: MICHI, lambda: self.face, "mine", lambda: schema
        )


def test_pose_is_held_by_its_names_and_the_rest_is_as_drawn() -> None:
    desk = Desk()
    desk.poser.hold({"mouth_aaa": 0.5, "head_y": -2.0}, "page")
    assert desk.poser.shown().held
    still = Pose(np.ones(POSE_SIZE, np.float32))
    desk.manual.apply(still, 0)
    shown = desk.manual.apply(still, round(2 * FADE_S * NS_PER_S)).values
    assert (shown[PoseParam.MOUTH_AAA], shown[PoseParam.HEAD_Y]) == (0.5, -1.0)
    assert np.count_nonzero(shown) == 2
    desk.poser.release("another")
    assert desk.poser.shown().held
    desk.poser.release()
    assert not desk.poser.shown().held


def test_shown_pose_is_the_newest_of_the_avatar() -> None:
    desk = Desk()
    assert set(desk.poser.shown().pose.values()) == {0.0}
    desk.face = Pose(np.linspace(0, 1, POSE_SIZE, dtype=np.float32))
    assert desk.poser.shown().pose["breathing"] == 1.0


@pytest.mark.parametrize(
    ("order", "near"),
    [
        (StillOrder(pose={"mouth_aa": 1.0}), "mouth_aaa"),
        (StillOrder(pose={}, runtime="openvin"), "openvino"),
        (StillOrder(pose={}, weights="min"), "mine"),
    ],
)
def test_unknown_name_is_told_with_those_near(order: StillOrder, near: str) -> None:
    desk = Desk()
    with pytest.raises(KeyError, match=near):
        desk.poser.still(order)
    assert desk.stills.asked == []


def test_still_is_drawn_as_it_is_asked_for() -> None:
    desk = Desk()
    order = StillOrder(pose={"head_x": 1.0}, runtime="native", quality="fast")
    assert desk.poser.still(order).png == b"png"
    ((values, quality, runtime, weights),) = desk.stills.asked
    assert values[PoseParam.HEAD_X] == 1.0
    assert (quality, runtime, weights) == (Quality.FAST, RuntimeName.NATIVE, "mine")


def test_choices_are_what_is_here_the_avatars_own_first() -> None:
    choices = Desk().poser.choices()
    assert choices.weights[0] == "mine"
    assert choices.runtimes[:2] == ["auto", "native"]
    assert "exact" in choices.qualities


def test_picture_is_the_drawing_itself() -> None:
    rgba = np.asarray(Image.open(io.BytesIO(Desk().poser.picture())))
    assert (rgba == MICHI.rgba).all()


def test_a_character_of_tha1_is_posed_by_its_six() -> None:
    desk = Desk(THA1)
    told = desk.poser.parameters()
    assert told.model == "THA1"
    assert [one.name for one in told.parameters] == list(THA1.index)
    assert [one.in_expressions for one in told.parameters][3:] == [
        "eye_wink_left",
        "eye_wink_right",
        "mouth_aaa",
    ]
    assert len(told.expressions) == POSE_SIZE

    desk.poser.hold({"left_eye": 1.0, "neck_z": -0.5}, "page")
    still = Pose(np.zeros(POSE_SIZE, np.float32))
    desk.manual.apply(still, 0)
    desk.face = desk.manual.apply(still, round(2 * FADE_S * NS_PER_S))
    assert desk.face.values[PoseParam.EYE_WINK_LEFT] == 1.0
    assert desk.poser.shown().pose == dict.fromkeys(THA1.index, 0.0) | {
        "left_eye": 1.0,
        "neck_z": -0.5,
    }
