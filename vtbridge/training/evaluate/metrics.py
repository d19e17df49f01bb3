"""How far a picture is from the truth, each number with one definition.

A picture is *shown* as premultiplied sRGB of four channels, 0..1: what a compositor adds to the
background; colour under alpha 0 counts for nothing. Over all pixels and channels of a picture:

``rmse``
    Root of the mean square difference of shown pictures. Of many pictures: of all their pixels.
``psnr_db``
    ``-20 log10(rmse)`` of one picture, at most 99 where nothing differs. Of many pictures: the
    mean of each one's, as usual in the field; this is the headline.
``psnr_pooled_db``
    The same of the rmse of all pictures' pixels together; the worst pictures weigh most.
``ssim``
    Structural similarity over middle grey (Wang et al., 2004: Gaussian window of 11 pixels,
    sigma 1.5, each colour channel), mean over the whole picture.
``mse_linear``
    Mean square difference of the networks' own signals: linear light, straight alpha, -1..1.
    This is what the column called RMSE in the write-up of version 1 seems to be.
``alpha_iou``
    Pixels of alpha >= 1/2 in both, by those in either; 1 where there are none.
``sharpness``
    Energy of the shown picture's gradients (squared differences of neighbours) by the truth's:
    below 1 is blurred, above 1 has edges that are not there.
``flow_error_px``
    Mean distance in pixels between where a pixel was sampled and where it truly comes from,
    over the pixels seen in both poses; only of samplers, where a character knows the truth.
    A sampler that learns from pictures alone may take any pixel of the right colour, so this can
    be above the identity's while ``psnr_db`` is far better: it tells of the flow, not of the
    picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtbridge.errors import TrainingError
from vtbridge.render.benchmark.similarity import IDENTICAL_DB, ssim

F64Array = NDArray[np.float64]

FLOW_ERROR: Final = "flow_error_px"
_GREY: Final = 0.5
_OPAQUE: Final = 0.5


def shown(signals: Tensor) -> Tensor:
    """Return signals [N, 4, S, S] as premultiplied sRGB [N, 4, S, S], 0..1.

    Raises:
        TrainingError: a value is NaN or infinite.
    """
    if not bool(torch.isfinite(signals).all()):
        raise TrainingError("a network answers with values that are no numbers: train it anew")
    unit = ((signals + 1) / 2).clamp(0, 1)
    linear, alpha = unit[:, :3], unit[:, 3:]
    encoded = torch.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=1e-8) ** (1 / 2.4) - 0.055
    )
    return torch.cat([encoded * alpha, alpha], dim=1)


def marks(picture: Tensor, truth: Tensor) -> dict[str, F64Array]:
    """Return each metric of a batch but the flow's, float64 [N]; the mean square as ``mse``.

    Args:
        picture: signals [N, 4, S, S].
        truth: likewise.
    """
    seen, wanted = shown(picture).double(), shown(truth).double()
    mse = (seen - wanted).square().flatten(1).mean(dim=1).numpy()
    return {
        "mse": mse,
        "psnr_db": np.array([psnr_db(each) for each in mse.tolist()]),
        "ssim": np.array([_ssim(a, b) for a, b in zip(seen, wanted, strict=True)]),
        "mse_linear": (picture.double() - truth.double()).square().flatten(1).mean(dim=1).numpy(),
        "alpha_iou": _alpha_iou(seen[:, 3], wanted[:, 3]),
        "sharpness": _sharpness(seen, wanted),
    }


def flow_error_px(moved: Tensor, truth: Tensor, both: Tensor) -> F64Array:
    """Return the mean end-point error of each picture, float64 [N], NaN where none is seen.

    Args:
        moved: where each pixel was sampled, less its own place, [N, 2, S, S], pixels.
        truth: where it truly comes from, likewise.
        both: [N, S, S], 1 where a pixel is seen in both poses.
    """
    distance = (moved.double() - truth.double()).square().sum(dim=1).sqrt()
    seen = both.double().flatten(1)
    return ((distance.flatten(1) * seen).sum(dim=1) / seen.sum(dim=1)).numpy()


def psnr_db(mse: float) -> float:
    """Return the PSNR of a mean square difference of pictures in 0..1."""
    return min(-10 * math.log10(mse), IDENTICAL_DB) if mse > 0 else IDENTICAL_DB


def summary(of: Mapping[str, F64Array]) -> dict[str, float | None]:
    """Return the metrics of many pictures; None where no picture has one.

    Args:
        of: metrics of each, as ``marks`` gives them, perhaps with ``flow_error_px``.
    """
    mse = float(of["mse"].mean())
    means = {name: _mean(values) for name, values in of.items() if name != "mse"}
    means.setdefault(FLOW_ERROR, None)
    return {"rmse": math.sqrt(mse), "psnr_pooled_db": psnr_db(mse), **means}


def _mean(values: F64Array) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _ssim(seen: Tensor, wanted: Tensor) -> float:
    one, other = (
        ((p[:3] + _GREY * (1 - p[3:])) * 255).permute(1, 2, 0).float().contiguous().numpy()
        for p in (seen, wanted)
    )
    return ssim(one, other)


def _alpha_iou(seen: Tensor, wanted: Tensor) -> F64Array:
    one, other = (alpha.flatten(1) >= _OPAQUE for alpha in (seen, wanted))
    both, either = (one & other).sum(dim=1).double(), (one | other).sum(dim=1).double()
    return torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both)).numpy()


def _sharpness(seen: Tensor, wanted: Tensor) -> F64Array:
    return (_gradient_energy(seen) / _gradient_energy(wanted)).numpy()


def _gradient_energy(picture: Tensor) -> Tensor:
    return sum(
        (picture.diff(dim=dim).square().flatten(1).sum(dim=1) for dim in (2, 3)),
        start=torch.zeros(len(picture), dtype=picture.dtype),
    )
