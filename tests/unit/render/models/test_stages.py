from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from tests.support.freed_memory import keep_freed_memory
from tests.support.tha3 import cut, randomise, run_networks, run_stages, thinned
from vtbridge.pose_params import BROW_SLICE
from vtbridge.quiet_openvino import ov
from vtbridge.render.models.blocks import GridWarp, paste
from vtbridge.render.models.crops import BROW_CROP, BROWS_IN_FACE, FACE_CROP
from vtbridge.render.models.rewrites import ClampedWarp
from vtbridge.render.models.signatures import Stage, stage_signatures
from vtbridge.render.models.stages import Tha3Stages, build_stages
from vtbridge.render.models.tha3 import Tha3Networks, build_networks
from vtbridge.render.models.variants import BlockKind, Tha3Variant

# In float64 an exact rewrite leaves next to nothing; in float32 random networks amplify
# the rounding of their first layers until it hides mistakes.
EXACT = 1e-9
RUNTIME_TOLERANCE = 2e-3

keep_freed_memory()


@pytest.fixture(scope="module", params=BlockKind)
def variant(request: pytest.FixtureRequest) -> Tha3Variant:
    """Return networks of full picture size but few channels and blocks."""
    thin = thinned(Tha3Variant("thin", request.param))
    fewer = {name: replace(shape, bottleneck_blocks=1) for name, shape in thin.shapes.items()}
    return replace(thin, shapes=fewer)


@pytest.fixture(scope="module")
def networks(variant: Tha3Variant) -> Tha3Networks:
    networks = build_networks(variant)
    randomise(networks, seed=3)
    for network in networks.as_dict().values():
        network.double()
    return networks


@pytest.fixture(scope="module")
def stages(variant: Tha3Variant) -> Tha3Stages:
    """Return stages in float32, as runtimes take them."""
    networks = build_networks(variant)
    randomise(networks, seed=3)
    return build_stages(networks)


@dataclass(frozen=True)
class Example:
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@pytest.fixture(scope="module")
def examples(variant: Tha3Variant, stages: Tha3Stages) -> dict[Stage, Example]:
    """Return inputs of every stage and what it gives."""
    inputs = {stage: example_inputs(variant, stage) for stage in Stage}
    with torch.inference_mode():
        return {each: Example(inputs[each], tensors(stages[each](*inputs[each]))) for each in Stage}


@pytest.fixture(scope="module")
def picture() -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(1, 4, 512, 512, generator=generator, dtype=torch.float64) * 2 - 1


def random_pose(seed: int) -> Tensor:
    return torch.rand(1, 45, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_stages_compute_what_the_networks_specify(networks: Tha3Networks, picture: Tensor) -> None:
    pose = random_pose(0)
    with torch.inference_mode():
        expected = run_networks(networks, picture, pose).edited.image
        frame = run_stages(build_stages(networks), picture, pose)
    assert expected.std() > 0.1
    torch.testing.assert_close(frame, expected, rtol=0, atol=EXACT)


def test_a_picture_decomposed_once_serves_every_pose(
    networks: Tha3Networks, picture: Tensor
) -> None:
    stages = build_stages(networks)
    crop = cut(picture, BROW_CROP)
    with torch.inference_mode():
        layers = stages.decompose(crop)
        decomposed = networks.eyebrow_decomposer(crop)
        for seed in range(2):
            pose = random_pose(seed)[:, BROW_SLICE]
            combined = networks.eyebrow_combiner(decomposed.background, decomposed.brows, pose)
            brows = stages.brows(*layers, pose)
            torch.testing.assert_close(brows, combined.image_by_brow_alpha, rtol=0, atol=EXACT)


def example_inputs(variant: Tha3Variant, stage: Stage) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(11)
    shapes = stage_signatures(variant)[stage].inputs.values()
    return tuple(torch.rand(shape, generator=generator) * 0.1 for shape in shapes)


def tensors(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_keeps_its_signature(
    variant: Tha3Variant, examples: dict[Stage, Example], stage: Stage
) -> None:
    shapes = [tuple(output.shape) for output in examples[stage].outputs]
    assert shapes == list(stage_signatures(variant)[stage].outputs.values())


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_can_be_exported(
    stages: Tha3Stages, examples: dict[Stage, Example], stage: Stage
) -> None:
    inputs = examples[stage].inputs
    exported = torch.export.export(stages[stage], inputs).module()
    with torch.inference_mode():
        outputs = tensors(exported(*inputs))
    for output, wanted in zip(outputs, examples[stage].outputs, strict=True):
        torch.testing.assert_close(output, wanted, rtol=0, atol=RUNTIME_TOLERANCE)


# OpenVINO traces; what it compiles of an exported program has shapes it must guess.
@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.* is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("variant", [BlockKind.SEPARABLE], indirect=True)
@pytest.mark.parametrize("stage", Stage)
def test_each_stage_converts_to_openvino(
    stages: Tha3Stages, examples: dict[Stage, Example], stage: Stage
) -> None:
    inputs = examples[stage].inputs
    shapes = [list(tensor.shape) for tensor in inputs]
    with torch.inference_mode():
        model = ov.convert_model(stages[stage], example_input=inputs, input=shapes)
    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    outputs = ov.compile_model(model, "CPU", config)([tensor.numpy() for tensor in inputs])
    for index, wanted in enumerate(examples[stage].outputs):
        output = torch.from_numpy(outputs[index])
        torch.testing.assert_close(output, wanted, rtol=0, atol=RUNTIME_TOLERANCE)


def test_crops_lie_where_the_specification_says() -> None:
    assert (BROW_CROP.y, BROW_CROP.x, BROW_CROP.size) == (64, 192, 128)
    assert (FACE_CROP.y, FACE_CROP.x, FACE_CROP.size) == (32, 160, 192)
    assert (BROWS_IN_FACE.y, BROWS_IN_FACE.x, BROWS_IN_FACE.size) == (32, 32, 128)


def test_what_was_pasted_is_cut_out_again_and_nothing_else_changed() -> None:
    image = torch.rand(1, 4, 512, 512)
    patch = torch.rand(1, 4, 192, 192)
    pasted = paste(image, patch, FACE_CROP)
    assert torch.equal(cut(pasted, FACE_CROP), patch)
    assert torch.equal(paste(pasted, cut(image, FACE_CROP), FACE_CROP), image)


def test_a_clamped_grid_shows_what_repeated_borders_show() -> None:
    warp = GridWarp(32)
    generator = torch.Generator().manual_seed(2)
    image = torch.rand(1, 4, 32, 32, generator=generator)
    # Far beyond every border, in all directions.
    change = torch.rand(1, 2, 32, 32, generator=generator) * 3 - 1.5
    torch.testing.assert_close(
        ClampedWarp(warp)(change, image), warp(change, image), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("stage", Stage)
def test_no_port_of_a_file_is_named_twice(variant: Tha3Variant, stage: Stage) -> None:
    signature = stage_signatures(variant)[stage]
    names = [*signature.inputs, *signature.output_ports]
    assert len(set(names)) == len(names)
    assert len(signature.output_ports) == len(signature.outputs)
