"""Every operation of the engine against PyTorch's, on every instruction set there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vtbridge.datatypes import F32Array
from vtbridge.errors import WeightsError
from vtbridge.render.models.blocks import (
    BlockStyle,
    GridWarp,
    ResidualBlock,
    conv_block,
    doubling_block,
    halving_block,
    resize,
)
from vtbridge.render.models.variants import BlockKind
from vtbridge.render.native._native import Engine
from vtbridge.render.native.network import Features, Head, NetworkBuilder
from vtbridge.render.native.program import Activation, Kind, Mode, Operand, ProgramBuilder

STYLE = BlockStyle(BlockKind.SEPARABLE, 0.1)
CLOSE = 2e-5
SIDES = (16, 20, 24, 32, 48, 56, 96, 128)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def trained(module: nn.Module) -> nn.Module:
    """Give the normalisations weights that show when they are forgotten."""
    for layer in module.modules():
        if isinstance(layer, nn.InstanceNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
    return module.eval()


def arrays(**modules: nn.Module) -> dict[str, F32Array]:
    """Return the weights of ``modules`` by the names that a network gives them."""
    return {
        f"{name.replace('__', '.')}.{key}": value.numpy()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }


def pixels(image: Tensor) -> F32Array:
    """[1, C, H, W] -> [H, W, C]."""
    return np.ascontiguousarray(image[0].permute(1, 2, 0).numpy())


def run(
    engine: Engine,
    weights: dict[str, F32Array],
    inputs: Sequence[Tensor],
    layers: Callable[[NetworkBuilder, list[Features]], Features],
    shape: tuple[int, ...],
) -> Tensor:
    """Run ``layers`` on ``inputs`` [1, C, H, W] and return finished features like ``shape``."""
    program = ProgramBuilder(engine)
    net = NetworkBuilder(program, weights, "network", slope=STYLE.slope)
    given = [Features(program.array(x.numel()), x.shape[2], x.shape[3], x.shape[1]) for x in inputs]
    _, channels, height, width = shape
    result = Features(program.array(channels * height * width), height, width, channels)
    net.normalised(layers(net, given), into=result)
    out = np.full((height, width, channels), np.nan, np.float32)
    built = program.build()
    for _ in range(2):  # the second time meets what the first left behind
        built.run(*(pixels(x) for x in inputs), out)
    return torch.from_numpy(out).permute(2, 0, 1)[None]


def assert_close(ours: Tensor, theirs: Tensor, tolerance: float = CLOSE) -> None:
    assert ours.shape == theirs.shape
    assert theirs.std() > 1e-2, "a flat answer proves nothing"
    assert float((ours - theirs).abs().max()) < tolerance


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kernel", [3, 7])
def test_a_block_is_convolution_normalisation_and_activation(
    engine: Engine, side: int, kernel: int
) -> None:
    block = trained(conv_block(STYLE, 32, 64, kernel=kernel))
    x = torch.randn(1, 32, side, side)
    mode = Mode.K3 if kernel == 3 else Mode.K7
    with torch.inference_mode():
        wanted = block(x)
    ours = run(
        engine,
        arrays(a=block),
        [x],
        lambda net, given: net.block("a.conv", [(given[0], mode)]),
        wanted.shape,
    )
    assert_close(ours, wanted)


@pytest.mark.parametrize("side", SIDES)
def test_a_block_halves_the_side(engine: Engine, side: int) -> None:
    block = trained(halving_block(STYLE, 16, 32))
    x = torch.randn(1, 16, side, side)
    with torch.inference_mode():
        wanted = block(x)
    ours = run(
        engine,
        arrays(a=block),
        [x],
        lambda net, given: net.block("a.conv", [(given[0], Mode.HALVING)]),
        wanted.shape,
    )
    assert_close(ours, wanted)


@pytest.mark.parametrize("side", SIDES)
def test_a_transposed_block_doubles_the_side(engine: Engine, side: int) -> None:
    block = trained(doubling_block(STYLE, 64, 32))
    x = torch.randn(1, 64, side, side)
    with torch.inference_mode():
        wanted = block(x)
    ours = run(
        engine,
        arrays(a=block),
        [x],
        lambda net, given: net.block("a.conv", [(given[0], Mode.DOUBLING)]),
        wanted.shape,
    )
    assert_close(ours, wanted)


@pytest.mark.parametrize("side", SIDES)
def test_a_block_sees_doubled_features_beside_a_skip(engine: Engine, side: int) -> None:
    deep, skip = trained(conv_block(STYLE, 16, 64)), trained(conv_block(STYLE, 16, 32))
    block = trained(conv_block(STYLE, 96, 32))
    small, large = torch.randn(1, 16, side, side), torch.randn(1, 16, 2 * side, 2 * side)
    with torch.inference_mode():
        doubled = F.interpolate(deep(small), scale_factor=2.0, mode="nearest")
        wanted = block(torch.cat([doubled, skip(large)], dim=1))

    def layers(net: NetworkBuilder, given: list[Features]) -> Features:
        below = net.block("deep.conv", [(given[0], Mode.K3)])
        beside = net.block("skip.conv", [(given[1], Mode.K3)])
        return net.block("a.conv", [(below, Mode.DOUBLING), (beside, Mode.K3)])

    weights = arrays(deep=deep, skip=skip, a=block)
    assert_close(run(engine, weights, [small, large], layers, wanted.shape), wanted)


def test_residual_blocks_add_to_their_input(engine: Engine) -> None:
    blocks = nn.Sequential(*(trained(ResidualBlock(STYLE, 64)) for _ in range(3)))
    x = torch.randn(1, 64, 24, 24)
    with torch.inference_mode():
        wanted = blocks(x)
    ours = run(
        engine,
        arrays(body__bottleneck=blocks),
        [x],
        lambda net, given: net.residuals(given[0], 0, 3),
        wanted.shape,
    )
    assert_close(ours, wanted)


def test_constants_stand_beside_features_without_an_activation(engine: Engine) -> None:
    block = trained(conv_block(STYLE, 32 + 5, 32))
    x, constants = torch.randn(1, 32, 16, 16), torch.tensor([-1.0, 0.5, 2.0, -0.25, 1.0])
    planes = constants[None, :, None, None].expand(-1, -1, 16, 16)
    with torch.inference_mode():
        wanted = block(torch.cat([x, planes], dim=1))

    def layers(net: NetworkBuilder, given: list[Features]) -> Features:
        values = net._program.weights(constants.numpy())
        wide = net.with_constants(given[0], values, 5)
        return net.block("a.conv", [(wide, Mode.K3)])

    assert_close(run(engine, arrays(a=block), [x], layers, wanted.shape), wanted)


@pytest.mark.parametrize("width", [46, 48, 96, 132])
def test_heads_are_one_convolution_with_each_its_activation(engine: Engine, width: int) -> None:
    heads = {"grid": nn.Conv2d(32, 2, 3, padding=1, bias=False)}
    heads |= {name: nn.Conv2d(32, n, 3, padding=1) for name, n in (("alpha", 1), ("color", 4))}
    x, base = torch.randn(1, 32, 20, width), torch.randn(1, 2, 20, width)
    program = ProgramBuilder(engine)
    net = NetworkBuilder(program, arrays(**heads), "network", slope=0.0)
    features = Features(program.array(x.numel()), 20, width, 32)
    places = [program.array(n * 20 * width) for n in (2, 1, 4)]
    kinds = (Activation.ADD, Activation.SIGMOID, Activation.TANH)
    net.heads(
        net.normalised(features),
        [
            Head(name, place, conv.out_channels, kind)
            for (name, conv), place, kind in zip(heads.items(), places, kinds, strict=True)
        ],
    )
    outs = [base.numpy().copy(), *(np.empty((1, n, 20, width), np.float32) for n in (1, 4))]
    program.build().run(pixels(x), *outs)
    with torch.inference_mode():
        assert_close(torch.from_numpy(outs[0]), base + heads["grid"](x))
        assert_close(torch.from_numpy(outs[1]), torch.sigmoid(heads["alpha"](x)))
        assert_close(torch.from_numpy(outs[2]), torch.tanh(heads["color"](x)))


def planar(
    engine: Engine, inputs: Sequence[F32Array], out: F32Array, add: Callable[..., None]
) -> F32Array:
    """Run the one planar operation that ``add`` appends, and return ``out``."""
    program = ProgramBuilder(engine)
    places = [program.array(x.size) for x in inputs]
    add(program, *places, program.array(out.size))
    program.build().run(*inputs, out)
    return out


def test_pictures_are_resized_like_pytorch_does(engine: Engine) -> None:
    x = torch.rand(1, 4, 32, 32)
    halved = planar(
        engine,
        [x.numpy()],
        np.empty((1, 4, 16, 16), np.float32),
        lambda program, src, dst: program.add(Kind.HALVE, src, dst, 16, 4),
    )
    doubled = planar(
        engine,
        [x.numpy()],
        np.empty((1, 4, 64, 64), np.float32),
        lambda program, src, dst: program.add(Kind.DOUBLE, src, dst, 32, 4),
    )
    assert_close(torch.from_numpy(halved), resize(x, 16), 1e-6)
    assert_close(torch.from_numpy(doubled), resize(x, 64), 1e-6)


def test_a_warp_samples_like_pytorch_does_even_far_outside(engine: Engine) -> None:
    x, change = torch.rand(1, 4, 32, 32), torch.randn(1, 2, 32, 32)
    change[0, :, 0, 0] = torch.tensor([1e30, -1e30])
    ours = planar(
        engine,
        [change.numpy(), x.numpy()],
        np.empty((1, 4, 32, 32), np.float32),
        lambda program, grid, src, dst: program.add(Kind.WARP, grid, src, dst, 32, 4),
    )
    assert_close(torch.from_numpy(ours), GridWarp(32)(change, x), 1e-4)


def test_a_patch_is_pasted_where_it_belongs(engine: Engine) -> None:
    image, patch = np.random.default_rng(0).random((4, 32, 32), np.float32), np.zeros((4, 8, 8))
    ours = planar(
        engine,
        [image, patch.astype(np.float32)],
        np.empty_like(image),
        lambda program, src, part, dst: program.add(Kind.PASTE, src, part, dst, 32, 8, 5, 17, 4),
    )
    wanted = image.copy()
    wanted[:, 17:25, 5:13] = 0
    assert np.array_equal(ours, wanted)


def test_what_is_not_a_number_stays_visible(engine: Engine) -> None:
    block = trained(conv_block(STYLE, 16, 32))
    x = torch.randn(1, 16, 16, 16)
    x[0, 3, 5, 5] = torch.nan
    ours = run(
        engine,
        arrays(a=block),
        [x],
        lambda net, given: net.block("a.conv", [(given[0], Mode.K3)]),
        (1, 32, 16, 16),
    )
    assert torch.isnan(ours).any()


def test_weights_of_another_architecture_are_refused() -> None:
    block = arrays(a=conv_block(STYLE, 16, 32))
    program = ProgramBuilder(Engine(1))
    net = NetworkBuilder(program, block, "editor", slope=0.1)
    x = Features(program.array(16 * 16 * 16), 16, 16, 16)
    with pytest.raises(WeightsError, match=r"editor lacks b\.conv\.depthwise\.weight"):
        net.block("b.conv", [(x, Mode.K3)])
    with pytest.raises(WeightsError, match=r"a\.conv does not fit"):
        net.block("a.conv", [(x, Mode.HALVING)])
    narrow = arrays(a=conv_block(STYLE, 16, 24))
    net = NetworkBuilder(program, narrow, "editor", slope=0.1)
    with pytest.raises(WeightsError, match=r"a\.conv does not fit"):
        net.block("a.conv", [(x, Mode.K3)])
    assert isinstance(x.data, Operand)
