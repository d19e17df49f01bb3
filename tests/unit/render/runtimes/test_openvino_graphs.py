"""Instance normalisation in OpenVINO, made exact."""

from __future__ import annotations

import numpy as np
import pytest

from vtbridge.datatypes import F32Array
from vtbridge.quiet_openvino import opset13 as ops
from vtbridge.quiet_openvino import ov
from vtbridge.render.runtimes.openvino_graphs import sum_in_tiles


def normalisation(side: int, channels: int = 16) -> ov.Model:
    """Return y = relu(scale * normalised(x) + shift), as the networks use it."""
    x = ops.parameter([1, channels, side, side], np.float32, name="x")
    mvn = ops.mvn(x, np.array([2, 3]), True, 1e-5, "inside_sqrt")
    scale = np.linspace(0.5, 2, channels, dtype=np.float32).reshape(1, channels, 1, 1)
    shift = np.linspace(-1, 1, channels, dtype=np.float32).reshape(1, channels, 1, 1)
    return ov.Model([ops.relu(ops.add(ops.multiply(mvn, scale), shift))], [x])


def exact(x: F32Array) -> F32Array:
    channels = x.shape[1]
    wide = x.astype(np.float64)
    mean = wide.mean((2, 3), keepdims=True)
    normal = (wide - mean) / np.sqrt(wide.var((2, 3), keepdims=True) + 1e-5)
    scale = np.linspace(0.5, 2, channels).reshape(1, channels, 1, 1)
    shift = np.linspace(-1, 1, channels).reshape(1, channels, 1, 1)
    result: F32Array = np.maximum(normal * scale + shift, 0).astype(np.float32)
    return result


def run(model: ov.Model, x: F32Array) -> F32Array:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    y: F32Array = np.array(compiled(x)[0])
    return y


def types(model: ov.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ops()]


@pytest.mark.parametrize("side", [1, 3, 16, 24, 100, 512])
def test_tiled_sums_normalise_as_float64_does(side: int) -> None:
    rng = np.random.default_rng(side)
    x = rng.normal(3, 0.7, (1, 16, side, side)).astype(np.float32)
    x[:, :, : side // 2] = 0.1  # the empty space that makes plain sums drift
    model = normalisation(side)
    sum_in_tiles(model)
    assert "MVN" not in types(model)
    np.testing.assert_allclose(run(model, x), exact(x), atol=1e-5, rtol=1e-5)


def test_what_is_no_normalisation_stays() -> None:
    x = ops.parameter([1, 2, 8, 8], np.float32)
    model = ov.Model([ops.relu(x)], [x])
    before = types(model)
    sum_in_tiles(model)
    assert types(model) == before
