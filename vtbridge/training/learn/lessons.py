"""What each network is shown and what it should answer, as tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.render.models.tha1 import CombinedHead, MorphedFace, RotatedHead
from vtbridge.training.learn.batches import Batch
from vtbridge.training.learn.losses import PictureLoss
from vtbridge.training.learn.recipe import NetworkName


def _linear_table() -> Tensor:
    """Return signals for the 256 levels of sRGB (IEC 61966-2-1)."""
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return torch.from_numpy((linear * 2 - 1).astype(np.float32))


_LINEAR = _linear_table()
_CHANGED = 0.02

Answers = tuple[list[Tensor], Tensor | None]
"""Pictures, the headline first, and a rotator's ``grid_change``."""


def signals(rgba: Tensor) -> Tensor:
    """Return float32 [N, 4, S, S] of uint8 [N, S, S, 4] sRGB: -1..1, linear light."""
    planes = rgba.permute(0, 3, 1, 2)
    colour = _LINEAR.to(rgba.device)[planes[:, :3].long()]
    return torch.cat([colour, planes[:, 3:].float() * (2 / 255) - 1], dim=1)


def shrunk(pictures: Tensor, size: int) -> Tensor:
    """Return signals [N, 4, S, S] at ``size`` x ``size``: the mean of what falls on a pixel.

    Raises:
        ValueError: S is no multiple of ``size``.
    """
    factor, rest = divmod(pictures.shape[-1], size)
    if rest or not factor:
        raise ValueError(f"pictures of {pictures.shape[-1]} pixels cannot be seen at {size}")
    return pictures if factor == 1 else F.avg_pool2d(pictures, factor)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A network with all that it takes to say how wrong it is.

    Attributes:
        kind: which network.
        size: of the pictures that it sees.
        network: it, as it is called: perhaps wrapped for several processes.
        loss: of one picture.
        focus: weight of the same L1 over what the pose changes alone, 0 for none.
        flow: weight of how far a rotator samples from where pixels truly come from, where that
            is known, in shares of the picture's side; 0 for none.
        rotator: the finished one whose pictures a combiner combines.
    """

    kind: NetworkName
    size: int
    network: nn.Module
    loss: PictureLoss
    focus: float = 0.0
    flow: float = 0.0
    rotator: Callable[[Tensor, Tensor], RotatedHead] | None = None

    def loss_of(self, batch: Batch) -> Tensor:
        """Return how wrong the network is about a batch; of both its pictures for a rotator."""
        truth = shrunk(signals(batch.after), self.size)
        changed = self._changed(batch, truth) if self.focus else None
        total = torch.zeros((), device=truth.device)
        pictures, grid_change = self._answers(batch)
        if self.flow and batch.flow is not None and grid_change is not None:
            total = total + self.flow * _apart_from(batch.flow, grid_change.float())
        for picture in (each.float() for each in pictures):
            total = total + self.loss(picture, truth)
            if changed is not None:
                apart = ((picture - truth).abs() * changed).sum() / truth.shape[1]
                total = total + self.focus * apart / changed.sum().clamp(min=1)
        return total

    def _changed(self, batch: Batch, truth: Tensor) -> Tensor:
        """Return 1 where the pose changes a pixel, [N, 1, S, S]."""
        before = shrunk(signals(batch.before), self.size)
        return ((truth - before).abs().amax(dim=1, keepdim=True) > _CHANGED).float()

    def pictures(self, batch: Batch) -> list[Tensor]:
        """Return what the network makes of a batch, the headline picture first."""
        return self._answers(batch)[0]

    def _answers(self, batch: Batch) -> Answers:
        return self._ways[self.kind](shrunk(signals(batch.before), self.size), batch.pose)

    @property
    def _ways(self) -> dict[NetworkName, Callable[[Tensor, Tensor], Answers]]:
        return {
            NetworkName.MORPHER: self._morphed,
            NetworkName.ROTATOR: self._rotated,
            NetworkName.COMBINER: self._combined,
        }

    def _morphed(self, image: Tensor, pose: Tensor) -> Answers:
        return [cast(MorphedFace, self.network(image, pose)).image], None

    def _rotated(self, image: Tensor, pose: Tensor) -> Answers:
        rotated = cast(RotatedHead, self.network(image, pose))
        return [rotated.sampled, rotated.direct], rotated.grid_change

    def _combined(self, image: Tensor, pose: Tensor) -> Answers:
        if self.rotator is None:
            raise ValueError("a combiner needs the rotator whose pictures it combines")
        with torch.no_grad():
            rotated = self.rotator(image, pose)
        combined = cast(
            CombinedHead, self.network(rotated.direct.float(), rotated.sampled.float(), pose)
        )
        return [combined.image], None


def _apart_from(true: Tensor, grid_change: Tensor) -> Tensor:
    """Return the mean distance of a flow from the true one where that is known.

    Args:
        true: ``Batch.flow``.
        grid_change: [N, 2, S, S], S a multiple of F, halves of the picture's side.
    """
    moved = F.avg_pool2d(grid_change / 2, grid_change.shape[-1] // true.shape[-1])
    known = true[:, 2]
    apart = (moved - true[:, :2]).abs().sum(dim=1) * known
    return apart.sum() / known.sum().clamp(min=1)
