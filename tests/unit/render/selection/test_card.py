"""The test card is the same picture on every machine, and its poses move every part."""

from __future__ import annotations

import hashlib

import numpy as np

from vtbridge.pose_params import BROW_SLICE, FACE_SLICE, POSE_MAX, POSE_MIN, ROTATION_SLICE
from vtbridge.render.models.crops import BROW_CROP, FACE_CROP
from vtbridge.render.selection.card import POSES, card_picture, card_pose


def test_the_picture_is_the_one_that_was_answered() -> None:
    digest = hashlib.sha256(card_picture().astype("<f4").tobytes()).hexdigest()
    assert digest == "bbe54e8c5f8ae8e7a43b9830280d4b9588d4c433c3f7aeb19e70d20c01fcb6ca"


def test_the_picture_is_one_that_the_networks_may_see() -> None:
    picture = card_picture()
    assert picture.shape == (1, 4, 512, 512)
    assert picture.min() == -1.0
    assert picture.max() == 1.0
    assert (picture[0, :3, picture[0, 3] == -1.0] == -1.0).all()
    for crop in (BROW_CROP, FACE_CROP):
        shown = picture[0, :, crop.rows, crop.columns]
        # No two channels alike, or swapping them would go unseen.
        for one in range(3):
            for other in range(one + 1, 4):
                assert np.abs(shown[one] - shown[other]).mean() > 0.05


def test_the_poses_differ_in_every_part_and_lie_in_range() -> None:
    one, other = (card_pose(index) for index in range(POSES))
    for part in (BROW_SLICE, FACE_SLICE, ROTATION_SLICE):
        assert np.abs(one[part]).max() > 0.4
        assert np.abs(one[part] - other[part]).max() > 0.4
    for pose in (one, other):
        assert (pose >= np.array(POSE_MIN)).all()
        assert (pose <= np.array(POSE_MAX)).all()
