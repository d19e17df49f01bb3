"""What is changed in a stage's graph for OpenVINO before it is compiled."""

from __future__ import annotations

import math

import numpy as np

from vtbridge.quiet_openvino import opset13 as ops
from vtbridge.quiet_openvino import ov

_TILE = 8


def sum_in_tiles(model: ov.Model) -> None:
    """Make instance normalisation exact, for about a tenth more time.

    OpenVINO's own adds up a channel value by value. Around a character most values are
    the same, so that every addition rounds the same way and mean and variance drift; the
    rotator turns that into up to 0.005 of a frame's range at hard edges, invisible but
    far above what float32 can do. Means of means of 8x8 tiles do not drift.

    Args:
        model: a stage; changed in place.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MVN":
            continue
        x = node.input_value(0)
        mean = _tiled_mean(x)
        variance = _tiled_mean(ops.squared_difference(x, mean).output(0))
        eps = np.float32(node.get_attributes()["eps"])
        scale = ops.divide(np.float32(1), ops.sqrt(ops.add(variance, eps)))
        # Not (x - mean) * scale: OpenVINO would write x - mean to memory for both readers.
        exact = ops.subtract(ops.multiply(x, scale), ops.multiply(mean, scale))
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(exact.output(0))


def _tiled_mean(x: ov.Output) -> ov.Node:
    """Return the mean of [1, C, S, S] over the last two axes, [1, C, 1, 1]."""
    side = x.get_shape()[-1]
    while side > 1:
        tile = math.gcd(side, _TILE)
        if tile == 1:  # an odd side: the rest at once
            tile = side
        x = ops.avg_pool(x, [tile, tile], [0, 0], [0, 0], [tile, tile], exclude_pad=True).output(0)
        side //= tile
    return x.get_node()
