"""How far a picture is from the truth, by what number; all definitions in one place.

Pictures are compared as they are *seen*: sRGB, composited over middle grey, 0..1, so that colour
under alpha 0 counts for nothing. With ``d`` the difference of two such pictures [H, W, 3]:

- **rmse** = sqrt(mean(d^2)).
- **psnr_db** = -20 log10(rmse), at most 99; of several pictures the mean of their PSNRs.
- **ssim**: Wang et al. 2004, Gaussian window of 11 pixels, each channel by itself, the mean.
- **mse_signals** = mean of the squared difference of what networks give (linear light, straight
  alpha, -1..1, four channels): the paper's column "RMSE" is of that size.
- **alpha_iou**: of the pixels whose alpha is at least one half.
- **sharpness** = mean of Sobel's gradient of the picture, divided by that of the truth: below 1
  is blurred.
- **flow_px** = mean length of the difference of two flows, in pixels of the network's picture,
  where the truth is visible in both poses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from vtbridge.datatypes import F32Array
from vtbridge.render.benchmark.similarity import IDENTICAL_DB, ssim

_GREY = 0.5
_SOLID = 0.0
"""Alpha of one half, as a signal."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One picture against the truth; see the module. ``flow_px`` is NaN without a flow."""

    rmse: float
    psnr_db: float
    ssim: float
    mse_signals: float
    alpha_iou: float
    sharpness: float
    flow_px: float = math.nan


METRICS = tuple(field.name for field in fields(Scores))


def seen(signals: F32Array) -> F32Array:
    """Return float32 [H, W, 3], sRGB over grey, 0..1, of signals [4, H, W]."""
    unit = np.clip((signals + 1) / 2, 0, 1)
    linear, alpha = unit[:3], unit[3:]
    power = np.maximum(linear, 0.0031308) ** (1 / 2.4)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * power - 0.055)
    over: F32Array = (encoded * alpha + _GREY * (1 - alpha)).astype(np.float32)
    return np.ascontiguousarray(over.transpose(1, 2, 0))


def scores_of(picture: F32Array, truth: F32Array) -> Scores:
    """Compare signals [4, H, W] of at least 11 pixels a side."""
    one, other = seen(picture), seen(truth)
    rmse = math.sqrt(float(np.mean((one - other) ** 2, dtype=np.float64)))
    psnr_db = min(-20 * math.log10(rmse), IDENTICAL_DB) if rmse else IDENTICAL_DB
    return Scores(
        rmse=rmse,
        psnr_db=psnr_db,
        ssim=ssim(one * 255, other * 255),
        mse_signals=float(np.mean((picture - truth) ** 2, dtype=np.float64)),
        alpha_iou=_iou(picture[3] >= _SOLID, truth[3] >= _SOLID),
        sharpness=_gradient(one) / max(_gradient(other), 1e-9),
    )


def flow_error_px(flow: F32Array, truth: F32Array, visible: F32Array) -> float:
    """Return the mean end-point error of ``flow``, [H, W, 2] pixels, where ``visible`` > 0."""
    where = visible > 0
    if not where.any():
        return math.nan
    return float(np.linalg.norm(flow - truth, axis=2)[where].mean())


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    union = int((one | other).sum())
    return float((one & other).sum()) / union if union else 1.0


def _gradient(picture: F32Array) -> float:
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(picture, cv2.CV_32F, 0, 1)
    return float(np.hypot(across, down).mean())
