"""Likeness is measured where the character is, as it is seen over grey."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import U8Array
from vtbridge.render.benchmark.similarity import IDENTICAL_DB, likeness, ssim


def frame_with_box(level: int, *, alpha: int = 255) -> U8Array:
    frame = np.zeros((64, 64, 4), np.uint8)
    frame[20:40, 10:30] = level
    frame[20:40, 10:30, 3] = alpha
    return frame


def test_equal_frames_are_as_alike_as_can_be() -> None:
    alike = likeness(frame_with_box(90), frame_with_box(90))
    assert alike.psnr_db == IDENTICAL_DB
    assert alike.ssim == pytest.approx(1)


def test_only_the_box_counts_however_much_is_empty() -> None:
    alike = likeness(frame_with_box(100), frame_with_box(90))
    assert alike.psnr_db == pytest.approx(10 * np.log10(255**2 / 10**2))


def test_what_only_one_of_both_shows_counts() -> None:
    shown, empty = frame_with_box(255), np.zeros((64, 64, 4), np.uint8)
    expected = pytest.approx(10 * np.log10(255**2 / 127.5**2))
    assert likeness(shown, empty).psnr_db == expected
    assert likeness(empty, shown).psnr_db == expected


def test_colour_counts_as_it_is_seen_over_grey() -> None:
    # Half transparent: black that covers half the grey against white that does.
    black, white = frame_with_box(0, alpha=128), frame_with_box(128, alpha=128)
    assert likeness(black, white).psnr_db == pytest.approx(10 * np.log10(255**2 / 128**2))


def test_a_single_pixel_and_nothing_at_all_can_be_compared() -> None:
    empty = np.zeros((64, 64, 4), np.uint8)
    assert likeness(empty, empty).psnr_db == IDENTICAL_DB
    for corner in ((0, 0), (63, 63)):
        dot = empty.copy()
        dot[corner] = 255
        assert 0 < likeness(dot, empty).psnr_db < IDENTICAL_DB


def test_ssim_is_the_one_of_the_paper() -> None:
    rng = np.random.default_rng(5)
    one = rng.uniform(0, 255, (15, 14, 2)).astype(np.float32)
    other = (0.8 * one + rng.uniform(0, 40, one.shape)).astype(np.float32)
    # Window by window, as equations 13 and 14 of the paper say.
    axis = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(axis, axis) / np.outer(axis, axis).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for top in range(5):
        for left in range(4):
            for channel in range(2):
                x = one[top : top + 11, left : left + 11, channel].astype(np.float64)
                y = other[top : top + 11, left : left + 11, channel].astype(np.float64)
                mx, my = (window * x).sum(), (window * y).sum()
                vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
                cov = (window * (x - mx) * (y - my)).sum()
                top_half = (2 * mx * my + c1) * (2 * cov + c2)
                values.append(top_half / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert ssim(one, other) == pytest.approx(np.mean(values), abs=1e-4)
