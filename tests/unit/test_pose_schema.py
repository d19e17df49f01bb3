"""A character system is a table: its parameters, and what of THA3's 45 each shows."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.pose_params import POSE_MAX, POSE_MIN, POSE_SIZE, PoseGroup, PoseParam
from vtbridge.pose_schema import THA1, THA3, PoseSchema

BOTH = pytest.mark.parametrize("schema", [THA3, THA1], ids=lambda schema: schema.name)


def test_tha3_is_the_45_parameters_in_their_order() -> None:
    assert [parameter.label for parameter in THA3.parameters] == [p.label for p in PoseParam]
    assert THA3.low.tolist() == list(POSE_MIN)
    assert THA3.high.tolist() == list(POSE_MAX)
    for param in PoseParam:
        assert param in THA3.groups[param.group]
    assert not THA3.as_drawn.any()


def test_tha1_has_the_public_order_and_ranges_of_its_demo() -> None:
    labels = ["head_x", "head_y", "neck_z", "left_eye", "right_eye", "mouth"]
    assert [parameter.label for parameter in THA1.parameters] == labels
    assert THA1.low.tolist() == [-1, -1, -1, 0, 0, 0]
    assert not THA1.as_drawn.any()  # its pictures here are drawn with a closed mouth
    assert set(THA1.groups) == {PoseGroup.HEAD, PoseGroup.EYES, PoseGroup.MOUTH}


def shown(schema: PoseSchema, **values: float) -> dict[str, float]:
    """Return what a face is in ``schema``, without zeros."""
    face = [0.0] * POSE_SIZE
    for label, value in values.items():
        face[PoseParam[label.upper()]] = value
    projected = schema.project(face)
    return {label: float(projected[i]) for label, i in schema.index.items() if projected[i]}


def test_tha3_shows_a_face_as_it_is() -> None:
    assert shown(THA3, mouth_aaa=0.3, head_y=-0.5) == {"mouth_aaa": 0.3, "head_y": -0.5}


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        ({"eye_wink_left": 0.7}, {"left_eye": 0.7}),
        ({"eye_happy_wink_right": 0.6, "eye_wink_right": 0.4}, {"right_eye": 1.0}),
        ({"eye_unimpressed_left": 1.0}, {"left_eye": 0.35}),
        ({"mouth_aaa": 1.0}, {"mouth": 1.0}),
        ({"mouth_aaa": 0.8, "mouth_ooo": 0.8}, {"mouth": 1.0}),
        ({"mouth_uuu": 0.5}, {"mouth": 0.25}),
        ({"mouth_raised_corner_left": 1.0, "eyebrow_angry_left": 1.0}, {}),
        (
            {"head_x": 0.5, "head_y": -1.0, "neck_z": 0.2, "body_y": 1.0},
            {"head_x": 0.5, "head_y": -1.0, "neck_z": 0.2},
        ),
    ],
)
def test_tha1_shows_what_it_can(face: dict[str, float], expected: dict[str, float]) -> None:
    assert shown(THA1, **face) == pytest.approx(expected)


@BOTH
def test_a_projection_stays_in_range(schema: PoseSchema) -> None:
    projected = schema.project(np.full(POSE_SIZE, 3.0))
    assert (projected <= schema.high).all()
    assert (schema.project(np.full(POSE_SIZE, -3.0)) == schema.low).all()


@BOTH
def test_mirroring_exchanges_sides_and_reverses_sideways_turns(schema: PoseSchema) -> None:
    values = np.arange(1, schema.size + 1) / 100
    mirrored = schema.mirror(values)
    turned = {"iris_rotation_y", "head_y", "neck_z", "body_y", "body_z"}
    for label, i in schema.index.items():
        words = label.split("_")
        swap = {"left": "right", "right": "left"}
        other = schema.index["_".join(swap.get(word, word) for word in words)]
        assert mirrored[i] == values[other] * (-1 if label in turned else 1), label
    np.testing.assert_array_equal(schema.mirror(mirrored), values)


def test_lids_that_close_one_eye_twice_are_scaled_to_closed() -> None:
    values = np.zeros(POSE_SIZE)
    values[[PoseParam.EYE_WINK_LEFT, PoseParam.EYE_RELAXED_LEFT]] = 0.9, 0.6
    values[PoseParam.EYE_WINK_RIGHT] = 1.0
    before = values.copy()
    shared = THA3.share_lids(values)
    np.testing.assert_array_equal(values, before)
    assert shared[PoseParam.EYE_WINK_LEFT] == pytest.approx(0.6)
    assert shared[PoseParam.EYE_RELAXED_LEFT] == pytest.approx(0.4)
    assert shared[PoseParam.EYE_WINK_RIGHT] == 1.0
    assert THA3.share_lids(shared) == pytest.approx(shared)


@BOTH
def test_clamping_copies(schema: PoseSchema) -> None:
    wild = np.full(schema.size, 2.0, np.float32)
    np.testing.assert_array_equal(schema.clamp(wild), schema.high)
    assert (wild == 2.0).all()


def test_labels_of_tha1_move_the_main_part_of_what_they_show() -> None:
    pose = THA1.named({"left_eye": 0.7, "mouth": 0.4, "head_y": -2.0})
    assert pose.dtype == np.float32
    moved = {param.label: round(float(pose[param]), 6) for param in PoseParam if pose[param]}
    assert moved == {"eye_wink_left": 0.7, "mouth_aaa": 0.4, "head_y": -1.0}
    assert THA1.project(pose.astype(float)) == pytest.approx([0, -1, 0, 0.7, 0, 0.4])


@BOTH
def test_labels_of_tha3_are_known_everywhere(schema: PoseSchema) -> None:
    pose = schema.named({"eyebrow_angry_left": 2.0, "mouth_ooo": 0.5, "iris_rotation_x": -3.0})
    assert pose[PoseParam.EYEBROW_ANGRY_LEFT] == 1.0
    assert pose[PoseParam.MOUTH_OOO] == 0.5
    assert pose[PoseParam.IRIS_ROTATION_X] == -1.0
    assert np.count_nonzero(pose) == 3


@pytest.mark.parametrize(
    ("schema", "label", "near"),
    [(THA1, "left_eyes", "left_eye"), (THA3, "mouth_aa", "mouth_aaa"), (THA1, "neck_", "neck_z")],
)
def test_an_unknown_label_is_told_with_those_near(
    schema: PoseSchema, label: str, near: str
) -> None:
    with pytest.raises(KeyError, match=near):
        schema.named({label: 1.0})


def test_labels_of_tha1_are_known_everywhere() -> None:
    six = {"left_eye": 0.7, "mouth": 1.4, "head_y": -0.5}
    assert (THA3.named(six) == THA1.named(six)).all()
    assert THA3.named(six)[PoseParam.MOUTH_AAA] == 1.0
