from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vtbridge.errors import TrainingError
from vtbridge.render.benchmark.similarity import IDENTICAL_DB
from vtbridge.training.evaluate.metrics import flow_error_px, marks, shown, summary

SIZE = 32


def picture(red: float, alpha: float = 1.0) -> torch.Tensor:
    """Signals [1, 4, S, S] that are shown with this premultiplied red at alpha 1."""
    linear = red / 12.92 if red <= 0.04045 else ((red + 0.055) / 1.055) ** 2.4
    planes = torch.full((1, 4, SIZE, SIZE), -1.0)
    planes[:, 0], planes[:, 3] = linear * 2 - 1, alpha * 2 - 1
    return planes


def noise(seed: int) -> torch.Tensor:
    return torch.rand(1, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_truth_itself_is_marked_as_equal() -> None:
    found = {name: values.item() for name, values in marks(noise(0), noise(0)).items()}
    assert found == pytest.approx(
        {
            "mse": 0,
            "psnr_db": IDENTICAL_DB,
            "ssim": 1,
            "mse_linear": 0,
            "alpha_iou": 1,
            "sharpness": 1,
        }
    )


def test_a_known_offset_of_one_channel_gives_the_known_rmse() -> None:
    found = summary(marks(picture(0.5), picture(0.3)))
    assert found["rmse"] == pytest.approx(0.2 / 2, abs=1e-6)  # one of four channels
    assert found["psnr_db"] == pytest.approx(20, abs=1e-4)


def test_colour_where_nothing_is_seen_counts_for_nothing_but_in_signals() -> None:
    found = marks(picture(0.9, alpha=0.0), picture(0.1, alpha=0.0))
    assert found["mse"].item() == 0
    assert found["mse_linear"].item() > 0.1


def test_the_linear_mean_square_is_that_of_the_signals() -> None:
    one, other = noise(1), noise(2)
    expected = float((one.double() - other.double()).square().mean())
    assert marks(one, other)["mse_linear"].item() == pytest.approx(expected)


def test_a_half_masked_picture_has_half_the_iou() -> None:
    half = picture(0.5)
    half[..., : SIZE // 2] = -1
    assert marks(half, picture(0.5))["alpha_iou"].item() == 0.5


def test_two_empty_pictures_agree_about_alpha() -> None:
    empty = picture(0.0, alpha=0.0)
    assert marks(empty, empty)["alpha_iou"].item() == 1.0


def test_a_blurred_picture_is_less_sharp_than_the_truth() -> None:
    truth = noise(3)
    blurred = torch.nn.functional.avg_pool2d(truth, 3, stride=1, padding=1)
    assert marks(blurred, truth)["sharpness"].item() < 0.5
    assert marks(truth, blurred)["sharpness"].item() > 2


def test_a_flat_truth_leaves_sharpness_unknown_and_the_rest_known() -> None:
    found = summary(marks(picture(0.5), picture(0.5)))
    assert found["sharpness"] is None
    assert found["flow_error_px"] is None
    assert found["psnr_db"] == IDENTICAL_DB


def test_flow_is_marked_where_a_pixel_is_seen_in_both_poses() -> None:
    truth = torch.zeros(2, 2, SIZE, SIZE)
    moved = truth.clone()
    moved[0, 0, :, : SIZE // 2], moved[0, 1, :, : SIZE // 2] = 3, 4
    both = torch.zeros(2, SIZE, SIZE)
    both[0, :, : SIZE // 2] = 1
    error = flow_error_px(moved, truth, both)
    assert error[0] == 5
    assert math.isnan(error[1])
    known = {"mse": np.ones(2), "psnr_db": np.zeros(2), "flow_error_px": error}
    assert summary(known)["flow_error_px"] == 5


def test_headline_psnr_is_the_mean_of_pictures_and_rmse_is_pooled() -> None:
    found = summary({"mse": np.array([0.01, 0.0001]), "psnr_db": np.array([20.0, 40.0])})
    assert found["psnr_db"] == 30
    assert found["rmse"] == pytest.approx(math.sqrt(0.00505))
    assert found["psnr_pooled_db"] == pytest.approx(-10 * math.log10(0.00505))


def test_a_network_that_gives_no_numbers_is_told() -> None:
    with pytest.raises(TrainingError, match="no numbers"):
        shown(torch.full((1, 4, SIZE, SIZE), math.nan))
