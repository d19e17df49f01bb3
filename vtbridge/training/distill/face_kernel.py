"""How alike two poses of a face are, as it is learnt, and faces worked out from that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import GROUP_RANGES, PoseGroup
from vtbridge.training.distill.face_samples import POSE_SIZE

MOST_POINTS: Final = 1280
"""Known poses that a face is worked out from; each takes 4 bytes a row of the basis."""

_BENDS: Final = 24  # of each part
_LARGEST_LOG_SHARE: Final = 5.0
_LEAST_LOG_NOISE: Final = -9.0  # against the sum of shares
_JITTER: Final = 1e-4
_SOFTLY: Final = 1e-7
_UNSEEN_ERROR: Final = 3e4  # squares of levels over a face: 54 dB


def parts() -> tuple[tuple[int, ...], ...]:
    """Return the pose parameters of each part of the face that moves by itself, and of the whole.

    The whole is for what the parts do to each other. Of the paired parameters of brows and
    eyes the even ones are the left side's; both irises turn together.
    """
    brows, eyes = GROUP_RANGES[PoseGroup.BROWS], GROUP_RANGES[PoseGroup.EYES]
    gaze = GROUP_RANGES[PoseGroup.GAZE]
    return (
        tuple(brows[0::2]),
        tuple(brows[1::2]),
        (*eyes[0::2], *gaze),
        (*eyes[1::2], *gaze),
        tuple(GROUP_RANGES[PoseGroup.MOUTH]),
        tuple(range(POSE_SIZE)),
    )


class FaceKernel(nn.Module):
    """The covariance of faces: a sum over the parts, each of its own bent parameters.

    With ``e_g(pose) = linear_g @ pose + bent_g @ tanh(bend_g @ pose + bend_bias_g)`` and ``r``
    the square root of 3 times the distance of two poses' ``e_g``, it is the sum of
    ``exp(log_share_g) * (1 + r) * exp(-r)`` (Matern 3/2). The bends are what a lid needs that
    is shut before its parameter is at 1 (Wilson, Hu, Salakhutdinov, Xing 2016, "Deep kernel
    learning").
    """

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        members = parts()
        width = max(map(len, members[:-1]))
        mask = torch.zeros(len(members), 1, POSE_SIZE)
        linear = torch.zeros(len(members), width, POSE_SIZE)
        for part, params in enumerate(members):
            mask[part, 0, list(params)] = 1.0
            if len(params) <= width:
                linear[part, range(len(params)), list(params)] = 0.8
            else:
                linear[part] = 0.15 * torch.randn(width, POSE_SIZE, generator=random)
        self.mask: Tensor
        self.register_buffer("mask", mask, persistent=False)
        self.linear = nn.Parameter(linear)
        self.bend = nn.Parameter(
            1.5 * torch.randn(len(members), _BENDS, POSE_SIZE, generator=random)
        )
        self.bend_bias = nn.Parameter(torch.randn(len(members), _BENDS, generator=random))
        self.bent = nn.Parameter(0.02 * torch.randn(len(members), width, _BENDS, generator=random))
        self.log_share = nn.Parameter(torch.tensor([0.0] * (len(members) - 1) + [-2.0]))
        self.log_noise = nn.Parameter(torch.tensor(1e-3).log())

    def placed(self, poses: Tensor) -> Tensor:
        """Return where ``poses`` [n, 39] lie for each part, [parts, n, width]."""
        bends = torch.tanh(
            torch.matmul(poses, (self.bend * self.mask).transpose(1, 2)) + self.bend_bias[:, None]
        )
        straight = torch.matmul(poses, (self.linear * self.mask).transpose(1, 2))
        return straight + torch.bmm(bends, self.bent.transpose(1, 2))

    def between(self, some: Tensor, others: Tensor) -> Tensor:
        """Return the covariance of poses that ``placed`` gave, [n, m]."""
        distance = (
            some.square().sum(2)[:, :, None]
            + others.square().sum(2)[:, None]
            - 2 * torch.bmm(some, others.transpose(1, 2))
        )
        root = (3 * distance.clamp_min(_SOFTLY)).sqrt()
        alike = (1 + root) * torch.exp(-root)
        return (self.log_share.exp()[:, None, None] * alike).sum(0)

    @property
    def noise(self) -> Tensor:
        """Variance of what no pose explains."""
        return self.log_noise.exp()

    def loss(self, poses: Tensor, targets: Tensor) -> Tensor | None:
        """Return the mean logarithm of the square errors of faces each left out in turn.

        The logarithm, so that a few strange faces do not count for more than all the others.
        It needs one inverse and no turns (Rasmussen, Williams 2006, "Gaussian processes for
        machine learning", 5.4.2). None if it does not exist in single precision.
        """
        placed = self.placed(poses)
        covariance = self.between(placed, placed) + self.noise * torch.eye(len(poses))
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if int(failed):
            return None
        inverse = torch.cholesky_inverse(factor)
        errors = (inverse @ targets) / inverse.diagonal()[:, None]
        return (errors.square().sum(1) + _UNSEEN_ERROR).log().mean()

    @torch.no_grad()
    def limit(self) -> None:
        """Keep shares and noise where inverses exist."""
        self.log_share.clamp_(-_LARGEST_LOG_SHARE, _LARGEST_LOG_SHARE)
        least = self.log_share.logsumexp(0) + _LEAST_LOG_NOISE
        self.log_noise.copy_(torch.maximum(self.log_noise, least))

    @torch.no_grad()
    def be_noisier(self) -> None:
        """Make way after an inverse did not exist."""
        self.log_noise.add_(1.0)

    @torch.no_grad()
    def solved(self, poses: Tensor, targets: Tensor) -> tuple[F32Array, F32Array]:
        """Return what the faces of all poses are worked out from.

        Where there are more than ``MOST_POINTS``, the best weights of as many of them for all
        (subset of regressors, as above, 8.3.1).

        Returns:
            where the points lie, [parts, m, width], and their weights, [m, K].
        """
        placed = self.placed(poses)
        chosen = self._telling(placed, min(len(poses), MOST_POINTS))
        points = placed[:, chosen]
        of_all = self.between(placed.double(), points.double())
        own, noise, wanted = of_all[chosen], self.noise.double(), targets.double()
        if len(chosen) < len(poses):
            # The jitter keeps weights small enough for single precision.
            own.diagonal().mul_(1.0 + _JITTER)
            gram, wanted = of_all.T @ of_all + noise * own, of_all.T @ wanted
        else:
            gram = own + noise * torch.eye(len(own))
        weights = torch.linalg.solve(gram, wanted)
        return points.numpy(), weights.float().numpy()

    def _telling(self, placed: Tensor, count: int) -> Tensor:
        """Return ``count`` points such that they tell most of the others: pivoted Cholesky."""
        total = placed.shape[1]
        if count == total:
            return torch.arange(total)
        left = self.log_share.exp().sum().expand(total).clone()
        factor = torch.zeros(total, count)
        chosen = torch.empty(count, dtype=torch.long)
        for row in range(count):
            pivot = int(left.argmax())
            chosen[row] = pivot
            column = self.between(placed, placed[:, pivot : pivot + 1])[:, 0]
            column -= factor[:, :row] @ factor[pivot, :row]
            column /= left[pivot].clamp_min(_SOFTLY).sqrt()
            factor[:, row] = column
            left -= column.square()
            left[chosen[: row + 1]] = -1.0
        return chosen

    def arrays(self) -> dict[str, F32Array]:
        """Return copies of its parameters, by name."""
        return {name: value.detach().numpy().copy() for name, value in self.named_parameters()}

    def shape(self) -> dict[str, F32Array]:
        """Return what ``BakedFace`` places poses by, without prefix."""
        own, mask = self.arrays(), self.mask.numpy()
        return {
            "linear": own["linear"] * mask,
            "bend": own["bend"] * mask,
            "bend_bias": own["bend_bias"],
            "bent": own["bent"],
            "shares": np.exp(own["log_share"]),
        }

    @torch.no_grad()
    def take(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from these parameters.

        Raises:
            KeyError: one is absent.
            ValueError: one has another shape or type or is not finite.
        """
        for name, own in self.named_parameters():
            array = arrays[name]
            if array.shape != tuple(own.shape) or array.dtype != np.float32:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, which does not fit")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds a value that is not finite")
            own.copy_(torch.from_numpy(array))
        self.limit()
