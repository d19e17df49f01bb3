from __future__ import annotations

import numpy as np
import pytest

from vtbridge.training.synthetic.scene import (
    CANVAS,
    Cutout,
    draw_background,
    draw_cutout,
    random_scene,
)

BLACK = np.zeros((CANVAS, CANVAS, 3), np.uint8)


def marked() -> Cutout:
    """Return a white rectangle that is the head, with smaller boxes where eyes and mouth are."""
    rgba = np.zeros((CANVAS, CANVAS, 4), np.uint8)
    rgba[40:100, 50:110] = 255
    boxes = [[50, 40, 110, 100], [85, 60, 95, 70], [65, 60, 75, 70], [75, 80, 85, 85]]
    return Cutout(rgba, np.array(boxes, np.float32))


def test_same_seeds_give_the_same_bytes() -> None:
    def once() -> bytes:
        random = np.random.default_rng(3)
        scene = random_scene(draw_cutout(4), draw_background(5), random, 96)
        return scene.rgb.tobytes() + (b"" if scene.boxes is None else scene.boxes.tobytes())

    assert once() == once()


def test_boxes_follow_what_was_pasted() -> None:
    compared = 0
    for seed in range(60):
        scene = random_scene(marked(), BLACK, np.random.default_rng(seed), 128)
        if scene.boxes is None:
            continue
        left, top, right, bottom = scene.boxes[0]
        if min(left, top) < 4 or max(right, bottom) > 124:
            continue
        grey = scene.rgb.astype(float).mean(axis=2)
        bright = grey > (np.median(grey[:2]) + grey.max()) / 2
        # A whole row or column of the rectangle, so that neither noise nor a cover counts.
        columns = np.flatnonzero(bright.mean(axis=0) > 0.12)
        rows = np.flatnonzero(bright.mean(axis=1) > 0.12)
        if not len(rows) or not len(columns):
            continue
        compared += 1
        middle = [(columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2]
        assert middle == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=5)
        x = (scene.boxes[:, 0] + scene.boxes[:, 2]) / 2
        assert x[2] < x[1], "the subject's right eye stays on the left, mirrored or not"
    assert compared >= 20


def test_without_a_face_there_are_no_boxes() -> None:
    faceless = Cutout(marked().rgba, None)
    random = np.random.default_rng(0)
    assert random_scene(faceless, BLACK, random, 64).boxes is None
    assert random_scene(None, BLACK, random, 64).boxes is None


def test_cutouts_of_many_seeds_have_faces_mostly() -> None:
    cutouts = [draw_cutout(seed) for seed in range(40)]
    faces = sum(cutout.boxes is not None for cutout in cutouts)
    assert 30 <= faces < 40


def test_backgrounds_differ_and_cover_the_canvas() -> None:
    backgrounds = [draw_background(seed) for seed in range(20)]
    assert {background.shape for background in backgrounds} == {(CANVAS, CANVAS, 3)}
    assert len({background.tobytes() for background in backgrounds}) == 20
