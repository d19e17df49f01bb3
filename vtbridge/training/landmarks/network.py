"""The landmark network in torch; ``characters/face_network.py`` runs what it learnt without.

An hourglass of plain 3 x 3 convolutions: five levels down to a 32nd of the picture, up again to
a quarter. Batch norms are folded into the convolutions when it is written to a file.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 24, 40, 56, 56)
"""Channels at a half, a 4th, 8th, 16th and 32nd of the picture."""
CHANNELS = 20
"""Per part heat, then log width and height in cells, then the middle's offset in cells."""
STRIDE = 4


class ConvNorm(nn.Module):
    """A 3 x 3 convolution with a batch norm."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return B x outputs x H/stride x W/stride, before any activation."""
        normed: Tensor = self.norm(self.conv(pixels))
        return normed

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return the weight and bias of one convolution that does the same."""
        state = self.norm.state_dict()
        mean = state["running_mean"]
        scale = self.norm.weight / torch.sqrt(state["running_var"] + self.norm.eps)
        return self.conv.weight * scale[:, None, None, None], self.norm.bias - mean * scale


class LandmarkNetwork(nn.Module):
    """B x 3 x H x W in -1..1, sides multiples of 32, to B x CHANNELS x H/4 x W/4."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            ConvNorm(inputs, outputs, stride=2)
            for inputs, outputs in zip((3, *WIDTHS[:-1]), WIDTHS, strict=True)
        )
        self.stay_a = nn.ModuleList(ConvNorm(width, width) for width in WIDTHS[1:])
        self.stay_b = nn.ModuleList(ConvNorm(width, width) for width in WIDTHS[1:])
        self.up = nn.ModuleList(ConvNorm(low, high) for high, low in pairwise(WIDTHS[1:]))
        self.join = ConvNorm(WIDTHS[1], 32)
        self.out = nn.Conv2d(32, CHANNELS, 1)
        nn.init.constant_(self.out.bias[:4], -4.0)  # type: ignore[index]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the maps; heat as logits."""
        maps = functional.relu(self.down[0](pixels))
        levels: list[Tensor] = []
        for down, first, second in zip(list(self.down)[1:], self.stay_a, self.stay_b, strict=True):
            maps = functional.relu(down(maps))
            maps = functional.relu(maps + second(functional.relu(first(maps))))
            levels.append(maps)
        for up, skip in zip(reversed(list(self.up)), reversed(levels[:-1]), strict=True):
            lifted = functional.interpolate(up(maps), scale_factor=2.0, mode="nearest")
            maps = functional.relu(lifted + skip)
        answer: Tensor = self.out(functional.relu(self.join(maps)))
        return answer

    def folded(self) -> dict[str, Tensor]:
        """Return ``name.weight`` and ``name.bias`` of all convolutions, norms folded in."""
        tensors: dict[str, Tensor] = {
            f"out.{name}": tensor for name, tensor in self.out.named_parameters()
        }
        for name, module in self.named_modules():
            if isinstance(module, ConvNorm):
                tensors[f"{name}.weight"], tensors[f"{name}.bias"] = module.folded()
        return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
