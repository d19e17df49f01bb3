from __future__ import annotations

import math

import numpy as np
import pytest

from vtbridge.datatypes import F32Array
from vtbridge.render.benchmark.similarity import IDENTICAL_DB
from vtbridge.training.evaluate.metrics import flow_error_px, scores_of, seen

SIDE = 32


def solid(colour: float, alpha: float = 1.0) -> F32Array:
    """Return signals of one sRGB grey, 0..1."""
    linear = colour / 12.92 if colour <= 0.04045 else ((colour + 0.055) / 1.055) ** 2.4
    picture = np.empty((4, SIDE, SIDE), np.float32)
    picture[:3], picture[3] = linear * 2 - 1, alpha * 2 - 1
    return picture


def textured(seed: int = 0) -> F32Array:
    picture = np.random.default_rng(seed).uniform(-1, 1, (4, SIDE, SIDE)).astype(np.float32)
    picture[3] = 1
    return picture


def test_the_truth_itself_is_perfect() -> None:
    scores = scores_of(textured(), textured())
    assert (scores.rmse, scores.psnr_db, scores.mse_signals) == (0, IDENTICAL_DB, 0)
    assert scores.ssim == pytest.approx(1)
    assert (scores.alpha_iou, scores.sharpness) == (1, 1)
    assert math.isnan(scores.flow_px)


def test_an_offset_of_a_tenth_is_twenty_decibels() -> None:
    scores = scores_of(solid(0.6), solid(0.5))
    assert scores.rmse == pytest.approx(0.1, abs=1e-4)
    assert scores.psnr_db == pytest.approx(20, abs=0.02)


def test_pictures_are_seen_as_srgb_over_grey() -> None:
    assert seen(solid(0.25)) == pytest.approx(np.full((SIDE, SIDE, 3), 0.25), abs=1e-4)
    assert seen(solid(1.0, alpha=0.0)) == pytest.approx(np.full((SIDE, SIDE, 3), 0.5))
    assert seen(solid(1.0, alpha=0.5)) == pytest.approx(np.full((SIDE, SIDE, 3), 0.75))


def test_colour_that_nobody_sees_counts_in_signals_alone() -> None:
    scores = scores_of(solid(1.0, alpha=0.0), solid(0.0, alpha=0.0))
    assert scores.rmse == 0
    assert scores.mse_signals == pytest.approx(3)  # a difference of 2 in three of four channels


def test_half_of_the_truths_alpha_is_an_iou_of_one_half() -> None:
    half = solid(0.5)
    half[3, :, : SIDE // 2] = -1
    assert scores_of(half, solid(0.5)).alpha_iou == pytest.approx(0.5)
    assert scores_of(solid(0.5, alpha=0.0), solid(0.5, alpha=0.0)).alpha_iou == 1


def test_a_blurred_picture_is_less_sharp_and_less_alike() -> None:
    truth = textured()
    blurred = truth.copy()
    blurred[:, 1:-1, 1:-1] = (truth[:, :-2, 1:-1] + truth[:, 2:, 1:-1] + truth[:, 1:-1, 1:-1]) / 3
    scores = scores_of(blurred, truth)
    assert scores.sharpness < 0.8
    assert scores.ssim < 0.9


def test_flow_error_is_the_mean_distance_where_it_can_be_seen() -> None:
    truth = np.zeros((SIDE, SIDE, 2), np.float32)
    flow = truth + np.array([3, 4], np.float32)
    visible = np.zeros((SIDE, SIDE), np.float32)
    assert math.isnan(flow_error_px(flow, truth, visible))
    visible[:4] = 1
    flow[4:] = 99
    assert flow_error_px(flow, truth, visible) == pytest.approx(5)
