from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.support.tha3 import thinned
from vtbridge.render.models.body_rotator import BodyRotator
from vtbridge.render.models.tha3 import build_networks
from vtbridge.render.models.variants import VARIANTS, BlockKind, Network, Tha3Variant


def parameter_counts(variant: Tha3Variant) -> dict[Network, int]:
    with torch.device("meta"):
        networks = build_networks(variant)
    return {
        name: sum(weight.numel() for weight in network.parameters())
        for name, network in networks.as_dict().items()
    }


def test_separable_networks_have_as_many_parameters_as_the_published_ones() -> None:
    assert parameter_counts(VARIANTS["separable_float"]) == {
        Network.EYEBROW_DECOMPOSER: 3_319_982,
        Network.EYEBROW_COMBINER: 3_325_370,
        Network.FACE_MORPHER: 3_335_201,
        Network.BODY_ROTATOR: 3_580_014,
        Network.EDITOR: 942_328,
    }


def test_standard_networks_have_135_6_million_parameters() -> None:
    assert sum(parameter_counts(VARIANTS["standard_float"]).values()) == 135_644_262


@pytest.mark.parametrize("name", ["standard", "separable"])
def test_half_variants_are_the_same_networks(name: str) -> None:
    assert parameter_counts(VARIANTS[f"{name}_half"]) == parameter_counts(VARIANTS[f"{name}_float"])


def test_networks_come_ready_for_inference() -> None:
    networks = build_networks(thinned(VARIANTS["separable_half"]))
    for network in networks.as_dict().values():
        assert not network.training
        assert not any(weight.requires_grad for weight in network.parameters())
        assert {weight.dtype for weight in network.parameters()} == {torch.float32}


def test_plain_halving_blocks_are_relu_even_in_the_leaky_rotator() -> None:
    def slopes(rotator: nn.Module) -> list[float]:
        assert isinstance(rotator, BodyRotator)
        return [getattr(block.act, "negative_slope", 0.0) for block in rotator.body.encoder]

    built = {
        kind: build_networks(thinned(Tha3Variant("test", kind))).body_rotator for kind in BlockKind
    }
    assert slopes(built[BlockKind.PLAIN]) == [0.1, 0, 0, 0]
    assert slopes(built[BlockKind.SEPARABLE]) == [0.1, 0.1, 0.1, 0.1]
