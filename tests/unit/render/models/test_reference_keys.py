from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.support.tha3 import randomise, thinned
from vtbridge.errors import WeightsError
from vtbridge.render.models.reference_keys import reference_key, state_dict_from_reference
from vtbridge.render.models.tha3 import Tha3Network, build_networks
from vtbridge.render.models.variants import VARIANTS, BlockKind, Network, Tha3Variant


def random_network(network: Network, kind: BlockKind = BlockKind.SEPARABLE) -> Tha3Network:
    networks = build_networks(thinned(Tha3Variant("test", kind)))
    randomise(networks, seed=1)
    return networks[network]


def reference_state(network: Tha3Network) -> dict[str, Tensor]:
    """Return the weights of ``network`` by the author's names."""
    return {
        reference_key(network, key): value.clone() for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize(
    ("network", "kind", "ours", "theirs"),
    [
        (
            Network.EYEBROW_DECOMPOSER,
            BlockKind.SEPARABLE,
            "body.encoder.1.conv.pointwise.weight",
            "body.downsample_blocks.1.1.weight",
        ),
        (
            Network.EYEBROW_COMBINER,
            BlockKind.PLAIN,
            "body.bottleneck.1.norm_out.bias",
            "body.bottleneck_blocks.1.resnet_path.4.bias",
        ),
        (
            Network.FACE_MORPHER,
            BlockKind.PLAIN,
            "body.decoder.2.conv.weight",
            "upsample_blocks.2.0.weight",
        ),
        (
            Network.FACE_MORPHER,
            BlockKind.SEPARABLE,
            "body.decoder.2.conv.depthwise.weight",
            "body.upsample_blocks.2.0.weight",
        ),
        (
            Network.BODY_ROTATOR,
            BlockKind.SEPARABLE,
            "body.decoder.0.norm.weight",
            "encoder_decoder.upsample_blocks.0.1.2.weight",
        ),
        (Network.EDITOR, BlockKind.SEPARABLE, "alpha.bias", "alpha_creator.0.bias"),
        (Network.EDITOR, BlockKind.PLAIN, "grid_change.weight", "grid_change_creator.weight"),
    ],
)
def test_each_weight_has_the_name_that_the_author_gave_it(
    network: Network, kind: BlockKind, ours: str, theirs: str
) -> None:
    module = random_network(network, kind)
    assert ours in module.state_dict()
    assert reference_key(module, ours) == theirs


@pytest.mark.parametrize("kind", BlockKind)
@pytest.mark.parametrize("network", Network)
def test_translated_weights_load_strictly(network: Network, kind: BlockKind) -> None:
    module = random_network(network, kind)
    state = reference_state(module)
    assert len(state) == len(module.state_dict()), "two weights share a name"
    translated = state_dict_from_reference(module, state)
    assert list(translated) == list(module.state_dict())
    module.load_state_dict(translated)


def test_half_weights_load_and_compute_in_float32() -> None:
    module = random_network(Network.EYEBROW_DECOMPOSER)
    halves = {key: value.half() for key, value in reference_state(module).items()}
    translated = state_dict_from_reference(module, halves)
    assert {value.dtype for value in translated.values()} == {torch.float16}
    module.load_state_dict(translated)
    for key, weight in module.state_dict().items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, halves[reference_key(module, key)].float())
    with torch.inference_mode():
        outputs = module(torch.rand(1, 4, 128, 128))
    assert all(output.isfinite().all() for output in outputs)


def without_one(state: dict[str, Tensor]) -> dict[str, object]:
    return {key: value for key, value in state.items() if key != "eye_alpha.0.bias"}


def with_one_more(state: dict[str, Tensor]) -> dict[str, object]:
    return {**state, "combine_alpha.0.bias": torch.zeros(1)}


def with_one_reshaped(state: dict[str, Tensor]) -> dict[str, object]:
    return {**state, "eye_alpha.0.bias": torch.zeros(3)}


def with_whole_numbers(state: dict[str, Tensor]) -> dict[str, object]:
    return {**state, "eye_alpha.0.bias": torch.zeros(1, dtype=torch.int64)}


def with_a_string(state: dict[str, Tensor]) -> dict[str, object]:
    return {**state, "eye_alpha.0.bias": "0"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_one, r"face_morpher\.pt: weight 'eye_alpha\.0\.bias' .* is missing"),
        (with_one_more, r"'combine_alpha\.0\.bias' is no weight of the separable face_morpher"),
        (with_one_reshaped, r"'eye_alpha\.0\.bias' has the shape \[3\] instead of \[1\]"),
        (with_whole_numbers, r"'eye_alpha\.0\.bias' is no tensor of floats"),
        (with_a_string, r"'eye_alpha\.0\.bias' is no tensor of floats"),
    ],
)
def test_wrong_weights_are_refused_by_name(
    damage: Callable[[dict[str, Tensor]], dict[str, object]], message: str
) -> None:
    module = random_network(Network.FACE_MORPHER)
    with pytest.raises(WeightsError, match=message):
        state_dict_from_reference(module, damage(reference_state(module)))


def test_weights_of_the_other_kind_are_refused() -> None:
    plain = random_network(Network.EDITOR, BlockKind.PLAIN)
    separable = random_network(Network.EDITOR, BlockKind.SEPARABLE)
    with pytest.raises(WeightsError, match="of another variant"):
        state_dict_from_reference(separable, reference_state(plain))


def test_names_can_be_translated_without_memory_for_weights() -> None:
    with torch.device("meta"):
        network = build_networks(thinned(VARIANTS["standard_float"])).face_morpher
    translated = state_dict_from_reference(network, reference_state(network))
    assert translated.keys() == network.state_dict().keys()
