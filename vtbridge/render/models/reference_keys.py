"""Names of the author's weights, translated to ours.

The author's names count the parts of nested sequences (``body.upsample_blocks.0.1.2``)
and change with the block kind; ours say what a part is (``body.decoder.0.norm``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vtbridge.errors import WeightsError
from vtbridge.render.models.tha1 import Combiner, HeadRotator, Morpher
from vtbridge.render.models.tha1_keys import tha1_key
from vtbridge.render.models.tha3 import Tha3Network
from vtbridge.render.models.tha4_teacher import BodyMorpher, Upscaler, teacher_key
from vtbridge.render.models.variants import BlockKind, Family, Network


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the author arranged one network.

    Attributes:
        heads: our heads and theirs.
        body: what their block lists lie under.
        decoder_part: where a decoder block's convolution lies, "" if it is the block.
    """

    heads: Mapping[str, str]
    body: str = "body."
    decoder_part: str = ""


_LAYOUTS: Mapping[Network, _Layout] = {
    Network.EYEBROW_DECOMPOSER: _Layout(
        heads={
            "background_alpha": "background_layer_alpha.0",
            "background_color": "background_layer_color_change.0",
            "brow_alpha": "eyebrow_layer_alpha.0",
            "brow_color": "eyebrow_layer_color_change.0",
        },
    ),
    Network.EYEBROW_COMBINER: _Layout(
        heads={
            "grid_change": "morphed_eyebrow_layer_grid_change",
            "brow_alpha": "morphed_eyebrow_layer_alpha.0",
            "brow_color": "morphed_eyebrow_layer_color_change.0",
            "combine_alpha": "combine_alpha.0",
        },
    ),
    Network.FACE_MORPHER: _Layout(
        heads={
            "iris_mouth_grid_change": "iris_mouth_grid_change",
            "iris_mouth_color": "iris_mouth_color_change.0",
            "iris_mouth_alpha": "iris_mouth_alpha.0",
            "eye_color": "eye_color_change.0",
            "eye_alpha": "eye_alpha.0",
        },
    ),
    Network.BODY_ROTATOR: _Layout(
        heads={"direct": "direct_creator.0", "grid_change": "grid_change_creator"},
        body="encoder_decoder.",
        decoder_part=".1",  # after an upsampling without weights
    ),
    Network.EDITOR: _Layout(
        heads={
            "color": "color_change_creator.0",
            "alpha": "alpha_creator.0",
            "grid_change": "grid_change_creator",
        },
    ),
}

_BLOCK_LISTS = {
    "encoder": "downsample_blocks",
    "bottleneck": "bottleneck_blocks",
    "decoder": "upsample_blocks",
}

_PARTS: Mapping[BlockKind, Mapping[str, str]] = {
    BlockKind.PLAIN: {
        "conv": "0",
        "norm": "1",
        "conv_in": "resnet_path.0",
        "norm_in": "resnet_path.1",
        "conv_out": "resnet_path.3",
        "norm_out": "resnet_path.4",
    },
    BlockKind.SEPARABLE: {
        "conv.depthwise": "0",
        "conv.pointwise": "1",
        "norm": "2",
        "conv_in.depthwise": "resnet_path.0.0",
        "conv_in.pointwise": "resnet_path.0.1",
        "norm_in": "resnet_path.1",
        "conv_out.depthwise": "resnet_path.3.0",
        "conv_out.pointwise": "resnet_path.3.1",
        "norm_out": "resnet_path.4",
    },
}


def reference_key(network: Tha3Network, key: str) -> str:
    """Return the author's name of the weight that ``network`` calls ``key``."""
    if isinstance(network, BodyMorpher | Upscaler):
        return teacher_key(key)
    if isinstance(network, Morpher | HeadRotator | Combiner):
        return tha1_key(network, key)
    layout = _LAYOUTS[network.network]
    module, _, leaf = key.rpartition(".")
    if module in layout.heads:
        return f"{layout.heads[module]}.{leaf}"
    _, blocks, index, part = module.split(".", maxsplit=3)
    # Alone among the plain networks, the face morpher keeps its blocks at the top.
    flat = network.network is Network.FACE_MORPHER and network.kind is BlockKind.PLAIN
    body = "" if flat else layout.body
    inside = layout.decoder_part if blocks == "decoder" else ""
    return f"{body}{_BLOCK_LISTS[blocks]}.{index}{inside}.{_PARTS[network.kind][part]}.{leaf}"


def state_dict_from_reference(
    network: Tha3Network, state: Mapping[str, object]
) -> dict[str, Tensor]:
    """Translate one of the author's state dicts to the names of ``network``.

    Tensors are passed on as they are, float16 or float32; ``network.load_state_dict``
    converts.

    Args:
        network: one of ``build_networks``, may be on the meta device.
        state: what the author's ``Network.reference_file`` holds.

    Returns:
        The weights by our names, in the order of ``network.state_dict()``.

    Raises:
        WeightsError: a weight is missing, is none of this network's, has another shape
            or is no tensor of floats; the message names it.
    """
    file = _family_of(network).reference_file(network.network)
    translated: dict[str, Tensor] = {}
    names = {key: reference_key(network, key) for key in network.state_dict()}
    if unexpected := sorted(state.keys() - set(names.values())):
        raise WeightsError(
            f"{file}: {unexpected[0]!r} is no weight of the {network.kind.value} "
            f"{network.network.value} ({len(unexpected)} such); is it of another variant?"
        )
    for key, ours in network.state_dict().items():
        name = names[key]
        if name not in state:
            raise WeightsError(
                f"{file}: weight {name!r} of the {network.kind.value} {network.network.value} "
                "is missing; is it of another variant, or cut short?"
            )
        theirs = state[name]
        if not isinstance(theirs, torch.Tensor) or not theirs.is_floating_point():
            raise WeightsError(f"{file}: {name!r} is no tensor of floats")
        if theirs.shape != ours.shape:
            raise WeightsError(
                f"{file}: {name!r} has the shape {list(theirs.shape)} instead of {list(ours.shape)}"
            )
        translated[key] = theirs
    return translated


def _family_of(network: Tha3Network) -> Family:
    if isinstance(network, BodyMorpher | Upscaler):
        return Family.THA4
    if isinstance(network, HeadRotator | Combiner):
        return Family.THA2
    if isinstance(network, Morpher):
        return Family.THA1
    return Family.THA3
