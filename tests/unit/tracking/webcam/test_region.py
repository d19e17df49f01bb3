"""Regions are cut out upright, and lead from one picture to the next."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from vtbridge.tracking.webcam.region import (
    Region,
    cut_out,
    region_around_eyes,
    region_around_landmarks,
    whole_picture,
)


def test_corners_of_a_crop_lie_on_the_corners_of_the_region() -> None:
    turned = Region(100.0, 60.0, 40.0, math.radians(90)).picture_from_crop(256)
    assert turned @ [128, 128, 1] == pytest.approx([100, 60])
    assert turned @ [256, 128, 1] == pytest.approx([100, 80])  # its x axis points down
    assert turned @ [128, 256, 1] == pytest.approx([80, 60])


def test_turned_region_is_cut_out_upright() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    cv2.line(picture, (60, 60), (140, 140), (255, 255, 255), 9)  # 45 degrees down to the right
    crop = cut_out(picture, Region(100, 100, 80, math.radians(45)), 64, beyond=cv2.BORDER_CONSTANT)
    assert crop.shape == (64, 64, 3)
    assert crop[32, 8:56].min() > 200
    assert crop[:24].max() == crop[40:].max() == 0


def test_what_lies_over_the_edge_is_as_asked() -> None:
    white = np.full((50, 100, 3), 255, np.uint8)
    window = whole_picture(white)
    assert window == Region(50, 25, 100)
    assert cut_out(white, window, 32, beyond=cv2.BORDER_CONSTANT)[0].max() == 0
    assert cut_out(white, window, 32, beyond=cv2.BORDER_CONSTANT)[16].min() == 255
    assert cut_out(white, window, 32, beyond=cv2.BORDER_REPLICATE).min() == 255


def test_detected_face_is_half_as_large_again_and_upright_by_its_eyes() -> None:
    region = region_around_eyes(
        np.array([10.0, 20.0]), 30.0, np.array([5.0, 15.0]), np.array([15.0, 25.0])
    )
    assert (region.x, region.y, region.side) == (10, 20, 45)
    assert region.angle_rad == pytest.approx(math.radians(45))


@pytest.mark.parametrize("degrees", [-120, -30, 0, 45, 179])
def test_region_turns_with_the_landmarks(degrees: float) -> None:
    # A face 20 wide and 40 high around (0, 0), eyes at the height 5 above the middle.
    upright = np.array([[-10.0, -5], [10, -5], [0, -20], [0, 20]])
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    region = region_around_landmarks(upright @ turn.T + [300, 200], 0, 1)
    assert (region.x, region.y) == pytest.approx((300, 200))
    assert region.side == pytest.approx(60)
    assert region.angle_rad == pytest.approx(angle)
