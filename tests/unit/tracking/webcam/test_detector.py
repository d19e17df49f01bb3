"""The detector's numbers become faces: anchors, decoding, one face per face."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vtbridge.tracking.webcam.detector import (
    Detection,
    anchor_centres,
    decode,
    merge_overlapping,
)
from vtbridge.tracking.webcam.networks import ANCHORS, DETECTOR_SIDE

CERTAIN, NEVER = 8.0, -50.0


def output(*faces: tuple[int, float, tuple[float, float, float, float]]) -> list[Detection]:
    """Decode a network's output that holds ``(anchor, logit, (dx, dy, w, h))`` in pixels."""
    offsets = np.zeros((ANCHORS, 16), np.float32)
    logits = np.full(ANCHORS, NEVER, np.float32)
    for anchor, logit, box in faces:
        offsets[anchor, :4] = box
        offsets[anchor, 4:6] = (-8.0, 0.0)
        logits[anchor] = logit
    return decode(offsets, logits)


def test_anchors_are_two_fine_and_six_coarse_ones_a_cell() -> None:
    centres = anchor_centres()
    assert centres.shape == (ANCHORS, 2)
    assert centres[:4].tolist() == [[1 / 32, 1 / 32]] * 2 + [[3 / 32, 1 / 32]] * 2
    assert centres[32].tolist() == [1 / 32, 3 / 32]
    assert centres[512:518].tolist() == [[1 / 16, 1 / 16]] * 6
    assert centres[-1].tolist() == [15 / 16, 15 / 16]
    assert centres.mean(axis=0) == pytest.approx([0.5, 0.5])


def test_box_and_key_points_are_measured_from_the_anchor() -> None:
    (face,) = output((512, CERTAIN, (4.0, -2.0, 32.0, 16.0)))
    centre = np.array([1 / 16 + 4 / DETECTOR_SIDE, 1 / 16 - 2 / DETECTOR_SIDE])
    half = np.array([32, 16]) / DETECTOR_SIDE / 2
    assert face.box == pytest.approx([*(centre - half), *(centre + half)])
    assert face.side == pytest.approx(32 / DETECTOR_SIDE)
    assert face.key_points[0] == pytest.approx([1 / 16 - 8 / DETECTOR_SIDE, 1 / 16])
    assert face.score == pytest.approx(1 / (1 + np.exp(-CERTAIN)))


def test_unsure_and_impossible_numbers_are_no_face() -> None:
    assert output((0, -0.01, (0.0, 0.0, 32.0, 32.0))) == []
    assert len(output((0, 0.01, (0.0, 0.0, 32.0, 32.0)))) == 1
    assert output((0, CERTAIN, (float("nan"), 0.0, 32.0, 32.0))) == []
    assert output((0, float("nan"), (0.0, 0.0, 32.0, 32.0))) == []


def square(x: float, y: float, side: float) -> NDArray[np.float64]:
    return np.array([x, y, x + side, y + side])


def test_overlapping_boxes_are_averaged_by_score() -> None:
    boxes = np.stack([square(0.0, 0.0, 1.0), square(0.1, 0.0, 1.0), square(5.0, 5.0, 1.0)])
    points = np.array([[[0.0, 0.0]], [[1.0, 2.0]], [[9.0, 9.0]]])
    faces = merge_overlapping(np.array([0.6, 0.9, 0.7]), boxes, points)
    assert [face.score for face in faces] == [0.9, 0.7]
    assert faces[0].box == pytest.approx(square(0.06, 0.0, 1.0))
    assert faces[0].key_points[0] == pytest.approx([0.6, 1.2])
    assert faces[1].box == pytest.approx(square(5.0, 5.0, 1.0))


def test_boxes_that_overlap_little_are_two_faces() -> None:
    # Shifted by s, two squares overlap by (1-s)/(1+s): 0.33 and 0.29 here.
    for shift, faces in ((0.5, 1), (0.55, 2)):
        boxes = np.stack([square(0.0, 0.0, 1.0), square(shift, 0.0, 1.0)])
        merged = merge_overlapping(np.array([0.9, 0.8]), boxes, np.zeros((2, 6, 2)))
        assert len(merged) == faces, shift


def test_empty_boxes_end_too() -> None:
    boxes = np.zeros((3, 4))
    assert len(merge_overlapping(np.full(3, 0.9), boxes, np.zeros((3, 6, 2)))) == 3
