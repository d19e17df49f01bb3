from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.figures import CHIN_Y, HAIR_Y, a_figure
from vtbridge.errors import DatasetError
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.figures.binding import bind
from vtbridge.training.figures.camera import specified_camera
from vtbridge.training.figures.figure import Figure
from vtbridge.training.figures.framing import HeadBox, camera_of, head_box

FIGURE = a_figure(triangles=3000)


def box_of(figure: Figure, annotation: Annotation | None = None) -> HeadBox:
    return head_box(figure, bind(figure), annotation)


def test_locks_below_the_chin_and_a_tuft_above_are_left_out() -> None:
    box = box_of(FIGURE)
    head = HAIR_Y - CHIN_Y
    assert box.chin_y == pytest.approx(CHIN_Y, abs=0.03 * head)
    assert box.top_y == pytest.approx(HAIR_Y, abs=0.03 * head)
    assert box.center_x == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_the_box_grows_with_the_figure_and_goes_where_it_goes(scale: float) -> None:
    move = np.array([3.0, -20.0, 1.0], np.float32)
    bones = [
        replace(bone, head=tuple(((np.array(bone.head) + move) * scale).tolist()))
        for bone in FIGURE.bones
    ]
    morphs = {
        name: replace(morph, offsets=morph.offsets * np.float32(scale))
        for name, morph in FIGURE.morphs.items()
    }
    there = replace(
        FIGURE,
        positions=(FIGURE.positions + move) * np.float32(scale),
        bones=tuple(bones),
        morphs=morphs,
    )
    found, here = box_of(there), box_of(FIGURE)
    assert found.center_x / scale == pytest.approx(here.center_x + 3, abs=0.01)
    assert found.chin_y / scale == pytest.approx(here.chin_y - 20, abs=0.02)
    assert found.top_y / scale == pytest.approx(here.top_y - 20, abs=0.02)


def test_a_hat_as_high_as_a_tower_is_no_head() -> None:
    tall = FIGURE.positions.copy()
    tall[tall[:, 1] > 17.6, 1] += 5.0
    box = box_of(replace(FIGURE, positions=tall))
    assert box.top_y < HAIR_Y + 1.0


def test_without_eyes_that_close_their_bones_tell_where_the_face_is() -> None:
    figure = replace(FIGURE, morphs={})
    assert box_of(figure).chin_y == pytest.approx(CHIN_Y, abs=0.1)
    bare = [replace(bone, role="head" if bone.role == "head" else "") for bone in FIGURE.bones]
    box = box_of(replace(figure, bones=tuple(bare)))
    assert box.chin_y == pytest.approx(CHIN_Y, abs=0.2)
    assert box.top_y == pytest.approx(HAIR_Y, abs=0.3)


def test_an_annotation_counts_more_than_the_guess() -> None:
    box = box_of(FIGURE, Annotation(chin_y=15.0))
    assert box.chin_y == 15.0
    assert box_of(FIGURE, Annotation(15.5, 19.0)) == HeadBox(box.center_x, 15.5, 19.0)


def test_a_chin_above_the_head_is_refused_with_the_remedy() -> None:
    with pytest.raises(DatasetError, match="say chin_y and top_y in its annotation"):
        box_of(FIGURE, Annotation(chin_y=30.0))


def test_what_cannot_be_seen_is_no_head() -> None:
    invisible = [replace(part, color=(1.0, 1.0, 1.0, 0.0)) for part in FIGURE.materials]
    with pytest.raises(DatasetError, match="no triangle that is seen"):
        box_of(replace(FIGURE, materials=tuple(invisible)))


def test_chin_and_top_lie_on_the_borders_of_the_middle_half() -> None:
    camera = specified_camera(0.5, 10.0, 12.0)
    top, bottom = camera.center_y + camera.half_height, camera.center_y - camera.half_height
    assert (top - 12.0) / (top - bottom) == pytest.approx(0.25)
    assert (10.0 - bottom) / (top - bottom) == pytest.approx(0.25)
    box = box_of(FIGURE)
    assert camera_of(FIGURE, bind(FIGURE)) == specified_camera(box.center_x, box.chin_y, box.top_y)


def test_hair_that_hangs_behind_the_neck_is_no_chin() -> None:
    positions = FIGURE.positions.copy()
    behind = (positions[:, 2] < -0.5) & (np.abs(positions[:, 0]) < 0.3) & (positions[:, 1] > 16.0)
    assert behind.any()
    positions[behind & (positions[:, 1] < 17.0), 1] -= 4.0
    assert box_of(replace(FIGURE, positions=positions)).chin_y == box_of(FIGURE).chin_y
