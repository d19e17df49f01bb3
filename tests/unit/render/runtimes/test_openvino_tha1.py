"""The graphs that OpenVINO gets of THA1 compute what its stages compute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.support.tha1 import random_tha1, sized
from vtbridge.errors import WeightsError
from vtbridge.quiet_openvino import ov
from vtbridge.render.models.signatures import Stage, stage_signatures
from vtbridge.render.models.stages import Tha3Stages, build_stages
from vtbridge.render.models.variants import Network, Tha3Variant
from vtbridge.render.runtimes.openvino_tha1 import build_model

OPTIONS = {"INFERENCE_PRECISION_HINT": "f32"}


class Bench:
    """Random networks of a variant, as stages and as arrays."""

    def __init__(self, variant: Tha3Variant) -> None:
        networks = random_tha1(variant)
        self.variant = variant
        self.stages: Tha3Stages = build_stages(networks)
        self.arrays: dict[Network, dict[str, NDArray[Any]]] = {
            network: {key: value.numpy() for key, value in module.state_dict().items()}
            for network, module in networks.as_dict().items()
        }

    def model(self, stage: Stage) -> ov.Model:
        return build_model(stage, self.variant, self.arrays)


@pytest.fixture(scope="module", params=["whole", "ours", "mixed"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(
        {"whole": sized(256), "ours": sized(128), "mixed": sized(64, morpher=256)}[request.param]
    )


@pytest.mark.parametrize("stage", Stage)
def test_a_graph_gives_what_its_stage_gives(stage: Stage, bench: Bench) -> None:
    generator = np.random.default_rng(4)
    signature = stage_signatures(bench.variant)[stage]
    inputs = [
        generator.uniform(-1, 1, shape).astype(np.float32) for shape in signature.inputs.values()
    ]
    model = bench.model(stage)
    assert [port.get_any_name() for port in model.inputs] == list(signature.inputs)
    assert [port.get_any_name() for port in model.outputs] == list(signature.output_ports)
    request = ov.Core().compile_model(model, "CPU", OPTIONS).create_infer_request()
    for index, array in enumerate(inputs):
        request.set_input_tensor(index, ov.Tensor(array))
    request.infer()
    with torch.inference_mode():
        wanted = bench.stages[stage](*(torch.from_numpy(array) for array in inputs))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    assert len(request.output_tensors) == len(wanted)
    for given, expected in zip(request.output_tensors, wanted, strict=True):
        np.testing.assert_allclose(given.data, expected.numpy(), atol=1e-4)


def test_weights_that_are_absent_are_named() -> None:
    bench = Bench(sized(128))
    del bench.arrays[Network.EDITOR]["retouch.weight"]
    with pytest.raises(WeightsError, match=r"retouch\.weight.*stage edit"):
        bench.model(Stage.EDIT)


def test_weights_of_other_sizes_are_refused() -> None:
    bench = Bench(sized(128))
    rotator = bench.variant.shapes[Network.BODY_ROTATOR]
    shapes = {**bench.variant.shapes, Network.BODY_ROTATOR: replace(rotator, bottleneck_size=64)}
    bench.variant = replace(bench.variant, shapes=shapes)
    with pytest.raises(WeightsError, match="stage rotate"):
        bench.model(Stage.ROTATE)
