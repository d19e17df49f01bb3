"""What the networks of THA1 begin to learn from.

Source: K. He et al., "Delving Deep into Rectifiers".
"""

from __future__ import annotations

import torch
from torch import nn

from vtbridge.render.models.tha1 import POSE_SIZE, Combiner, HeadRotator, Morpher


def initialise(
    network: Morpher | HeadRotator | Combiner,
    generator: torch.Generator,
    *,
    zero_flow: bool = True,
    pose_gain: float = 1.0,
) -> None:
    """Draw the weights of ``network`` anew, in place; the same generator draws the same.

    Convolutions are He-normal, instance normalisations do nothing but normalise.

    Args:
        network: in float32, on the device of ``generator``.
        generator: drawn from once a convolution, whatever ``zero_flow`` is.
        zero_flow: whether a rotator samples its picture unmoved at first. Drawn as the other
            heads are, its flow tears the picture apart, which takes long to unlearn.
        pose_gain: how much larger than the others the first weights of the pose are drawn.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.InstanceNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    with torch.no_grad():
        first.weight[:, -POSE_SIZE:] *= pose_gain
    if zero_flow and isinstance(network, HeadRotator):
        nn.init.zeros_(network.grid_change.weight)
