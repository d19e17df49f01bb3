from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vtbridge.render.models.he_init import initialise
from vtbridge.render.models.tha1 import Combiner, HeadRotator, Morpher
from vtbridge.render.models.variants import NetworkShape

THIN = NetworkShape(32, start_channels=16, bottleneck_size=8, bottleneck_blocks=2)


def drawn(network: type[Morpher | HeadRotator | Combiner], seed: int) -> dict[str, torch.Tensor]:
    module = network(THIN)
    initialise(module, torch.Generator().manual_seed(seed))
    return module.state_dict()


@torch.inference_mode()
def test_an_untaught_rotator_samples_its_picture_as_it_is() -> None:
    rotator = HeadRotator(THIN)
    generator = torch.Generator().manual_seed(1)
    initialise(rotator, generator)
    image = torch.rand(2, 4, 32, 32, generator=generator) * 2 - 1
    rotated = rotator(image, torch.tensor([[1.0, -1.0, 0.5]]).expand(2, -1))
    assert (rotated.grid_change == 0).all()
    torch.testing.assert_close(rotated.sampled, image, atol=1e-5, rtol=0)
    assert (rotated.direct - image).abs().max() > 0.1


@torch.inference_mode()
def test_a_flow_drawn_like_the_rest_changes_nothing_but_the_flow() -> None:
    states = []
    for zero_flow in (True, False):
        rotator = HeadRotator(THIN)
        initialise(rotator, torch.Generator().manual_seed(1), zero_flow=zero_flow)
        states.append(rotator.state_dict())
    zero, full = states
    assert {key for key in zero if not zero[key].equal(full[key])} == {"grid_change.weight"}
    assert full["grid_change.weight"].std() > 0


@pytest.mark.parametrize("network", [Morpher, HeadRotator, Combiner])
def test_the_pose_alone_is_drawn_larger_where_that_is_asked(
    network: type[Morpher | HeadRotator | Combiner],
) -> None:
    module = network(THIN)
    initialise(module, torch.Generator().manual_seed(3), pose_gain=30)
    plain = drawn(network, 3)
    changed = {name for name, value in module.state_dict().items() if not value.equal(plain[name])}
    assert changed == {"encoder.0.conv.weight"}
    first, usual = (state["encoder.0.conv.weight"] for state in (module.state_dict(), plain))
    torch.testing.assert_close(first[:, -3:], usual[:, -3:] * 30)
    assert first[:, :-3].equal(usual[:, :-3])


@pytest.mark.parametrize("network", [Morpher, HeadRotator, Combiner])
def test_convolutions_are_drawn_by_he_and_norms_are_neutral(
    network: type[Morpher | HeadRotator | Combiner],
) -> None:
    module = network(THIN)
    for value in module.parameters():
        nn.init.constant_(value, 7.0)
    initialise(module, torch.Generator().manual_seed(2))
    for name, value in module.state_dict().items():
        if name.endswith("bias"):
            assert (value == 0).all(), name
        elif value.dim() == 1:
            assert (value == 1).all(), name
        elif name != "grid_change.weight":
            wanted = math.sqrt(2 / math.prod(value.shape[1:]))
            assert value.std().item() == pytest.approx(wanted, rel=0.1), name
            assert abs(value.mean().item()) < 0.1 * wanted, name


@pytest.mark.parametrize("network", [Morpher, HeadRotator, Combiner])
def test_the_same_seed_draws_the_same_weights(
    network: type[Morpher | HeadRotator | Combiner],
) -> None:
    first, again, other = (drawn(network, seed) for seed in (3, 3, 4))
    assert all(first[key].equal(again[key]) for key in first)
    assert not all(first[key].equal(other[key]) for key in first)
