"""The moving average of a network's weights, which is steadier than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class AveragedWeights:
    """The exponential moving average of the parameters of ``network``.

    Args:
        network: whose.
        keep: share of the past a step; early on less, so that the beginning is forgotten.
    """

    def __init__(self, network: nn.Module, keep: float) -> None:
        self._network = network
        self._keep = keep
        self._average = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """Return the averages by the parameters' names."""
        return self._average

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``state`` returned."""
        for name, value in self._average.items():
            value.copy_(state[name])

    def update(self, step: int) -> None:
        """Take in the weights after ``step`` steps."""
        keep = min(self._keep, (1 + step) / (10 + step))
        now = self._network.state_dict()
        names = list(self._average)
        torch._foreach_lerp_(
            [self._average[name] for name in names], [now[name] for name in names], 1 - keep
        )

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network have its averaged weights while the block lasts."""
        kept = {k: v.detach().clone() for k, v in self._network.state_dict().items()}
        self._network.load_state_dict(self._average)
        try:
            yield
        finally:
            self._network.load_state_dict(kept)
