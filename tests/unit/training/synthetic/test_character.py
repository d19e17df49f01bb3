from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import HeadPose
from vtbridge.training.synthetic.character import random_character
from vtbridge.training.synthetic.layers import Part
from vtbridge.training.synthetic.render import Drawing, View, draw

FACE = (Part.LEFT_EYE, Part.RIGHT_EYE, Part.MOUTH)
VIEW = View(width=120, height=120, unit_px=40, x=60, y=60)
TURNED = HeadPose(pitch_rad=0.15, yaw_rad=0.3, roll_rad=0.1)
SEEDS = range(12)


def drawn(seed: int, head: HeadPose = TURNED, without: frozenset[Part] = frozenset()) -> Drawing:
    return draw(random_character(seed), head, VIEW, without=without)


def middle_x(drawing: Drawing, part: Part) -> float:
    return (drawing.boxes[part][0] + drawing.boxes[part][2]) / 2


def middle_y(drawing: Drawing, part: Part) -> float:
    return (drawing.boxes[part][1] + drawing.boxes[part][3]) / 2


def test_same_seed_draws_the_same_bytes_and_boxes() -> None:
    first, again = drawn(5), drawn(5)
    assert first.rgba.tobytes() == again.rgba.tobytes()
    assert first.boxes == again.boxes


def test_every_seed_draws_somebody_else() -> None:
    assert len({drawn(seed).rgba.tobytes() for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("part", FACE)
def test_a_part_is_painted_within_its_box(part: Part) -> None:
    visible = 0
    for seed in SEEDS:
        whole = drawn(seed)
        lacking = drawn(seed, without=frozenset({part}))
        rows, columns = np.nonzero((whole.rgba != lacking.rgba).any(axis=2))
        if not len(rows):  # under hair
            continue
        visible += 1
        left, top, right, bottom = whole.boxes[part]
        assert left - 2 <= columns.min()
        assert columns.max() <= right + 2
        assert top - 2 <= rows.min()
        assert rows.max() <= bottom + 2
    assert visible >= len(SEEDS) - 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_face_is_in_its_head_with_the_subjects_left_eye_on_the_right(seed: int) -> None:
    drawing = drawn(seed, HeadPose())
    left, top, right, bottom = drawing.boxes[Part.HEAD]
    for part in FACE:
        box = drawing.boxes[part]
        assert left < box[0] < box[2] < right
        assert top < box[1] < box[3] < bottom + 1
    assert middle_x(drawing, Part.RIGHT_EYE) < middle_x(drawing, Part.LEFT_EYE)
    assert middle_y(drawing, Part.LEFT_EYE) < middle_y(drawing, Part.MOUTH)


def test_the_head_turns_as_the_signs_of_a_head_pose_say() -> None:
    rest = drawn(1, HeadPose())
    # Its own right is left in the picture.
    right = drawn(1, HeadPose(yaw_rad=0.3))
    assert middle_x(right, Part.MOUTH) < middle_x(rest, Part.MOUTH) - 3
    up = drawn(1, HeadPose(pitch_rad=0.3))
    assert middle_y(up, Part.MOUTH) < middle_y(rest, Part.MOUTH) - 3
    leaning = drawn(1, HeadPose(roll_rad=0.3))
    assert middle_x(leaning, Part.MOUTH) < middle_x(rest, Part.MOUTH) - 3


def test_a_larger_view_scales_the_boxes() -> None:
    character = random_character(2)
    small = draw(character, TURNED, VIEW)
    large = draw(character, TURNED, View(width=240, height=240, unit_px=80, x=120, y=120))
    for part, box in small.boxes.items():
        assert large.boxes[part] == pytest.approx([2 * value for value in box])


def test_a_character_out_of_sight_leaves_the_picture_empty() -> None:
    far = View(width=40, height=30, unit_px=10, x=500, y=-400)
    drawing = draw(random_character(3), TURNED, far)
    assert drawing.rgba.shape == (30, 40, 4)
    assert not drawing.rgba.any()
