"""What the network should answer to a labelled picture, and how wrong it is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vtbridge.training.landmarks.network import STRIDE

_NEAR = 0.35
"""Heat from which a cell has to tell size and offset."""


def heat_and_boxes(boxes: Tensor, shown: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Return B x 4 x cells x cells heat of 0..1 and B x 4 x 4 x cells x cells answers.

    Args:
        boxes: B x 4 parts x (left, top, right, bottom), pixels.
        shown: B, 1 where a face is in the picture.
        cells: side of the maps.
    """
    middles = (boxes[..., :2] + boxes[..., 2:]) / 2 / STRIDE
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0.5) / STRIDE
    grid = torch.arange(cells) + 0.5
    dx = middles[..., 0, None, None] - grid[None, None, None, :]
    dy = middles[..., 1, None, None] - grid[None, None, :, None]
    head = sides[:, :1].mean(dim=2)
    spread = (0.055 * head).clamp(min=0.8)[..., None, None]
    # The cell that holds the middle is always full heat.
    heat = torch.exp(-(dx**2 + dy**2) / (2 * spread**2))
    nearest = (dx.abs() <= 0.5) & (dy.abs() <= 0.5)
    heat = torch.where(nearest, torch.ones_like(heat), heat) * shown[:, None, None, None]
    logs = torch.log(sides)[..., None, None].expand(-1, -1, -1, cells, cells)
    offsets = torch.stack([dx.expand_as(heat), dy.expand_as(heat)], dim=2)
    return heat, torch.cat([logs, offsets], dim=2)


def loss(maps: Tensor, boxes: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
    """Return the penalty-reduced focal loss of the heat (CornerNet) and the L1 of the boxes."""
    heat, wanted = heat_and_boxes(boxes, shown, maps.shape[-1])
    logits = maps[:, :4]
    found = torch.sigmoid(logits)
    full = (heat >= 0.999).float()
    hit = (1 - found) ** 2 * functional.logsigmoid(logits) * full
    miss = (1 - heat) ** 4 * found**2 * functional.logsigmoid(-logits) * (1 - full)
    focal = -(hit + miss).sum() / full.sum().clamp(min=1)
    batch, _, height, width = maps.shape
    logs = maps[:, 4:12].reshape(batch, 4, 2, height, width)
    offsets = maps[:, 12:].reshape(batch, 4, 2, height, width)
    answers = torch.cat([logs, offsets], dim=2)
    weight = (heat * (heat > _NEAR))[:, :, None]
    apart = (answers - wanted).abs() * weight
    return focal, apart.sum() / weight.sum().clamp(min=1)
