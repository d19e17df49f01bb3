from __future__ import annotations

import cv2
import numpy as np
import pytest

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.errors import DatasetError
from vtbridge.pose_params import POSE_SIZE, PoseGroup, PoseParam
from vtbridge.training.sources.procedural import ProceduralSource, ProceduralSubject
from vtbridge.training.synthetic.layers import LayerGroup

SIZE = 128
SEEDS = (0, 1, 3, 15)
FACE_PARAMS = [
    param
    for param in PoseParam
    if param.group in (PoseGroup.EYES, PoseGroup.MOUTH, PoseGroup.BROWS, PoseGroup.GAZE)
]


def pose_with(**values: float) -> F32Array:
    pose = np.zeros(POSE_SIZE, np.float32)
    for label, value in values.items():
        pose[PoseParam[label.upper()]] = value
    return pose


def changed(first: U8Array, second: U8Array) -> tuple[F32Array, F32Array]:
    """Return the rows and columns that differ."""
    rows, columns = np.nonzero((first.astype(int) != second).any(axis=2))
    return rows.astype(np.float32), columns.astype(np.float32)


@pytest.mark.parametrize("seed", SEEDS)
def test_chin_and_crown_are_a_quarter_from_the_borders_at_every_size(seed: int) -> None:
    subject = ProceduralSubject(seed)
    for size in (64, 256):
        named = subject.landmarks(pose_with(), size=size)
        assert named["crown"] == pytest.approx((size / 2, size / 4))
        assert named["chin"] == pytest.approx((size / 2, size * 3 / 4))


def test_same_pose_draws_the_same_bytes_and_clears_what_is_transparent() -> None:
    pose = pose_with(mouth_aaa=0.4, head_y=0.7)
    first = ProceduralSubject(3).draw(pose, size=SIZE)
    assert first.tobytes() == ProceduralSubject(3).draw(pose, size=SIZE).tobytes()
    assert first.shape == (SIZE, SIZE, 4)
    assert not first[first[..., 3] == 0].any()


@pytest.mark.parametrize("param", FACE_PARAMS, ids=lambda param: param.label)
def test_a_parameter_moves_only_its_part_of_the_face(param: PoseParam) -> None:
    moved = 0
    for seed in SEEDS:
        subject = ProceduralSubject(seed)
        rest = pose_with(mouth_aaa=0.5)
        posed = rest.copy()
        posed[param] = 0.0 if param is PoseParam.MOUTH_AAA else 1.0
        rows, columns = changed(subject.draw(rest, size=SIZE), subject.draw(posed, size=SIZE))
        if not len(rows):
            continue
        moved += 1
        points = subject.landmarks(rest, size=SIZE)
        mouth_y = points["mouth_upper"][1]
        eye_y = points["left_eye_lower"][1]
        if param.group is PoseGroup.MOUTH:
            assert rows.min() > eye_y - 4
            assert columns.min() > points["right_eye_outer"][0] - 6
        else:
            assert rows.max() < mouth_y
        if param.label.endswith("_left") and param.group is not PoseGroup.MOUTH:
            assert columns.min() > SIZE / 2 - 3  # the subject's left is the picture's right
        if param.label.endswith("_right") and param.group is not PoseGroup.MOUTH:
            assert columns.max() < SIZE / 2 + 3
    assert moved >= len(SEEDS) - 1  # one of them hides an eye under hair


def test_the_body_stays_as_it_is_and_is_said_to() -> None:
    subject = ProceduralSubject(1)
    still = {param for param in PoseParam if param not in subject.shows}
    assert still == {PoseParam.BODY_Y, PoseParam.BODY_Z, PoseParam.BREATHING}
    swung = pose_with(body_y=1, body_z=1, breathing=1)
    assert (subject.draw(swung, size=SIZE) == subject.draw(pose_with(), size=SIZE)).all()


def test_a_closed_eye_shows_no_iris_and_a_closed_mouth_no_inside() -> None:
    subject = ProceduralSubject(15)
    points = subject.landmarks(pose_with(mouth_aaa=1), size=256)
    shut = pose_with(eye_wink_left=1, mouth_aaa=0)
    closed = subject.landmarks(shut, size=256)
    opened = points["left_eye_lower"][1] - points["left_eye_upper"][1]
    assert opened > 10
    assert abs(closed["left_eye_lower"][1] - closed["left_eye_upper"][1]) < 0.5
    assert points["mouth_lower"][1] - points["mouth_upper"][1] > 4
    assert abs(closed["mouth_lower"][1] - closed["mouth_upper"][1]) < 0.5
    assert points["right_eye_upper"] == closed["right_eye_upper"]
    x, y = (round(value) for value in points["left_iris"])
    before = subject.draw(pose_with(mouth_aaa=1))[y, x].astype(int)
    after = subject.draw(shut)[y, x].astype(int)
    assert abs(before - after).max() > 30


@pytest.mark.parametrize(
    ("label", "axis", "sign"), [("head_x", 1, -1), ("head_y", 0, -1), ("neck_z", 0, -1)]
)
def test_head_turns_by_version_1s_signs(label: str, axis: int, sign: int) -> None:
    """Positive head_x looks up, head_y to the subject's right, neck_z leans to it."""
    subject = ProceduralSubject(0)
    rest = subject.landmarks(pose_with())["left_iris"][axis]
    turned = subject.landmarks(pose_with(**{label: 1.0}))["left_iris"][axis]
    assert (turned - rest) * sign > 2


@pytest.mark.parametrize("seed", SEEDS)
def test_flow_leads_each_seen_pixel_to_its_like(seed: int) -> None:
    subject = ProceduralSubject(seed)
    source = pose_with(mouth_aaa=1)
    pose = pose_with(mouth_aaa=1, head_x=0.6, head_y=-0.8, neck_z=0.5)
    before, after = subject.draw(source), subject.draw(pose)
    flow, both = subject.flow(pose, source)
    y, x = np.mgrid[0:256, 0:256].astype(np.float32)
    led = cv2.remap(before, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    seen = both > 0
    assert seen.mean() > 0.2
    apart = np.abs(led.astype(float) - after)[seen].mean()
    unled = np.abs(before.astype(float) - after)[seen].mean()
    assert apart < unled / 5


def test_flow_from_a_pose_to_itself_is_nothing_and_sees_everything() -> None:
    subject = ProceduralSubject(9)
    pose = pose_with(head_y=0.5)
    flow, both = subject.flow(pose, pose)
    drawn = subject.draw(pose)[..., 3] > 250
    assert np.abs(flow).max() < 1e-3
    assert both[drawn].mean() > 0.99


@pytest.mark.parametrize("seed", SEEDS)
def test_layers_make_the_drawing_again(seed: int) -> None:
    subject = ProceduralSubject(seed)
    pose = pose_with(mouth_aaa=1, head_y=0.6)
    groups = subject.layers(pose)
    assert {LayerGroup.BROWS, LayerGroup.FRONT_HAIR, LayerGroup.FACE} <= groups.keys()
    colour, alpha = np.zeros((256, 256, 3)), np.zeros((256, 256, 1))
    for layer in groups.values():
        cover = layer[..., 3:] / 255
        colour = layer[..., :3] * cover + colour * (1 - cover)
        alpha = cover + alpha * (1 - cover)
    drawn = subject.draw(pose).astype(float)
    apart = np.abs(colour - drawn[..., :3] * drawn[..., 3:] / 255)
    assert apart.mean() < 0.3
    assert np.abs(alpha * 255 - drawn[..., 3:]).mean() < 0.3


def test_a_source_opens_what_it_names_and_nothing_else() -> None:
    source = ProceduralSource(3, first=7)
    assert source.names() == [f"procedural-{seed:06d}" for seed in (7, 8, 9)]
    for name in source.names():
        subject = source.open(name)
        assert subject.name == name
        assert subject.work == source.work_of(name)
    for name in ("procedural-000006", "procedural-", "procedural-x", "other", "procedural-1²"):
        with pytest.raises(DatasetError, match="no procedural character"):
            source.open(name)
