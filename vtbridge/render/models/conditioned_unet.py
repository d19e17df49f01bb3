"""The U-Net of THA4's teacher: residual blocks that the pose scales and shifts, attention below.

The architecture is that of diffusion models, whose time step stays at 0: what the network
makes of it is a constant that training has set.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.render.models.variants import NetworkShape

POSE_SIZE = 6
"""Pose parameters that it sees: ``vtbridge.pose_params.ROTATION_SLICE``."""

OUT_CHANNELS = 4 + 2 + 1
"""Painted picture, grid change, alpha: what both networks built on it read off."""

_CONDITION = 256
_HEADS = 8
_GROUPS = 32


class ConditionedBlock(nn.Module):
    """Two convolutions beside a skip; the time's constant and the pose act between them."""

    def __init__(self, in_channels: int, out_channels: int, *, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.norm_in = _norm(in_channels)
        self.conv_in = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time = nn.Linear(_CONDITION, 2 * out_channels)
        self.pose = nn.Linear(_CONDITION, 2 * out_channels)
        self.norm_out = _norm(out_channels)
        self.conv_out = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.skip: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.skip = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor, pose: Tensor) -> Tensor:
        """[N, in, S, S], halved or doubled by ``scale`` -> [N, out, S', S'].

        Args:
            x: features.
            time: the time's condition [1, 256].
            pose: the pose's condition [N, 256].
        """
        y: Tensor = self.conv_in(self._resampled(F.silu(self.norm_in(x))))
        y = self.norm_out(y)
        for linear, condition in ((self.time, time), (self.pose, pose)):
            gain, shift = linear(F.silu(condition))[:, :, None, None].chunk(2, dim=1)
            y = y * (1 + gain) + shift
        y = self.conv_out(F.silu(y))
        skipped: Tensor = self.skip(self._resampled(x))
        return skipped + y

    def _resampled(self, x: Tensor) -> Tensor:
        if self.scale < 1:
            return F.avg_pool2d(x, 2)
        if self.scale > 1:
            return F.interpolate(x, scale_factor=2.0, mode="nearest")
        return x


class Attention(nn.Module):
    """Let every pixel look at all others, by eight heads."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.queries_keys_values = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, S, S] -> [N, C, S, S]."""
        count, channels, side, _ = x.shape
        width = channels // _HEADS
        parts = self.queries_keys_values(self.norm(x)).reshape(count, 3, _HEADS, width, side * side)
        queries, keys, values = parts.unbind(dim=1)
        shares = torch.softmax(queries.transpose(2, 3) @ keys * width**-0.5, dim=-1)
        seen = (values @ shares.transpose(2, 3)).reshape(count, channels, side, side)
        attended: Tensor = self.out(seen)
        return x + attended


class DownLevel(nn.Module):
    """A block at one side, at the smallest an attention behind it, then halving."""

    def __init__(self, in_channels: int, channels: int, *, smallest: bool) -> None:
        super().__init__()
        self.block = ConditionedBlock(in_channels, channels)
        self.attention = Attention(channels) if smallest else None
        self.halving = None if smallest else ConditionedBlock(channels, channels, scale=0.5)

    def forward(self, x: Tensor, time: Tensor, pose: Tensor) -> list[Tensor]:
        """Return what the decoder sees of this level; the last is the next level's input."""
        x = self.block(x, time, pose)
        if self.attention is not None:
            x = self.attention(x)
        return [x] if self.halving is None else [x, self.halving(x, time, pose)]


class UpLevel(nn.Module):
    """Blocks at one side, each beside a skip, at the smallest with attentions; then doubling."""

    def __init__(
        self, in_channels: int, channels: int, skips: list[int], *, smallest: bool, largest: bool
    ) -> None:
        super().__init__()
        before = [in_channels] + [channels] * (len(skips) - 1)
        self.blocks = nn.ModuleList(
            ConditionedBlock(width + skip, channels)
            for width, skip in zip(before, skips, strict=True)
        )
        self.attention = nn.ModuleList(Attention(channels) for _ in skips if smallest)
        self.doubling = None if largest else ConditionedBlock(channels, channels, scale=2.0)

    def forward(self, x: Tensor, skips: list[Tensor], time: Tensor, pose: Tensor) -> Tensor:
        """Decode ``x`` beside as many of ``skips`` as there are blocks, taken from its end."""
        for index, block in enumerate(self.blocks):
            x = block(torch.cat([x, skips.pop()], dim=1), time, pose)
            if self.attention:
                x = self.attention[index](x)
        return x if self.doubling is None else self.doubling(x, time, pose)


class ConditionedUNet(nn.Module):
    """Encode, attend at the smallest side, decode beside the skips; conditioned by the pose."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        widths = shape.widths
        self.start_channels = shape.start_channels
        self.time = _condition(shape.start_channels)
        self.pose = _condition(POSE_SIZE)
        self.first = nn.Conv2d(4, shape.start_channels, 3, padding=1)
        last = len(widths) - 1
        self.down = nn.ModuleList(
            DownLevel(before, width, smallest=number == last)
            for number, (before, width) in enumerate(pairwise((widths[0], *widths)))
        )
        self.middle = nn.ModuleList([ConditionedBlock(widths[-1], widths[-1])])
        for _ in range(shape.bottleneck_blocks - 1):
            self.middle.append(Attention(widths[-1]))
            self.middle.append(ConditionedBlock(widths[-1], widths[-1]))
        skips = [widths[0]]
        for width in widths[:-1]:
            skips += [width, width]
        skips.append(widths[-1])
        self.up = nn.ModuleList(
            UpLevel(
                widths[min(number + 1, last)],
                widths[number],
                [skips.pop(), skips.pop()],
                smallest=number == last,
                largest=number == 0,
            )
            for number in reversed(range(len(widths)))
        )
        self.norm = _norm(widths[0])
        self.head = nn.Conv2d(widths[0], OUT_CHANNELS, 3, padding=1)

    def forward(self, image: Tensor, pose: Tensor, beside: Tensor | None = None) -> Tensor:
        """Return the answers [N, 7, S, S] about ``image`` [N, 4, S, S].

        Args:
            image: network signals.
            pose: rotation [N, 6].
            beside: what to add to the first features, [N, start_channels, S, S].
        """
        # Half cosines and half sines of time 0.
        still = torch.zeros_like(pose[:1, :1]).expand(1, self.start_channels // 2)
        time = self.time(torch.cat([torch.cos(still), torch.sin(still)], dim=1))
        condition = self.pose(pose)
        x = self.first(image)
        if beside is not None:
            x = x + beside
        skips = [x]
        for level in self.down:
            skips += level(skips[-1], time, condition)
        x = skips[-1]
        for block in self.middle:
            x = block(x) if isinstance(block, Attention) else block(x, time, condition)
        for level in self.up:
            x = level(x, skips, time, condition)
        answers: Tensor = self.head(F.silu(self.norm(x)))
        return answers


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(_GROUPS, channels), channels)


def _condition(inputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, _CONDITION), nn.SiLU(), nn.Linear(_CONDITION, _CONDITION)
    )
