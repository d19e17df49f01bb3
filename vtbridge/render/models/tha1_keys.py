"""Names of the author's weights of THA1's and THA2's own networks, translated to ours."""

from __future__ import annotations

from vtbridge.render.models.tha1 import Combiner, HeadRotator, Morpher

_MORPHER_HEADS = {"color": "color_change.0", "alpha": "alpha_mask.0"}
_ROTATOR_HEADS = {
    "color": "pumarola_color_change.0",
    "alpha": "pumarola_alpha_mask.0",
    "grid_change": "zhou_grid_change",
}
_COMBINER_HEADS = {
    "combine_alpha": "combine_alpha_mask.0",
    "retouch_alpha": "retouch_alpha_mask.0",
    "retouch": "retouch_color_change.0",
}
_HEADS = {
    Morpher.network: _MORPHER_HEADS,
    HeadRotator.network: _ROTATOR_HEADS,
    Combiner.network: _COMBINER_HEADS,
}
_PARTS = {
    "conv": "0",
    "norm": "1",
    "conv_in": "conv1",
    "norm_in": "norm1",
    "conv_out": "conv2",
    "norm_out": "norm2",
}


def tha1_key(network: Morpher | HeadRotator | Combiner, key: str) -> str:
    """Return the author's name of the weight that ``network`` calls ``key``."""
    heads = _HEADS[network.network]
    module, _, leaf = key.rpartition(".")
    if module in heads:
        return f"{heads[module]}.{leaf}"
    blocks, index, part = module.split(".")
    number = int(index)
    if not isinstance(network, Combiner):  # one list of all blocks
        lists = (network.encoder, network.bottleneck, network.decoder)
        names = ("encoder", "bottleneck", "decoder")
        number += sum(len(each) for each in lists[: names.index(blocks)])
        return f"main_body.module_list.{number}.{_PARTS[part]}.{leaf}"
    if blocks == "decoder":  # his deepest comes last
        number = len(network.decoder) - 1 - number
    his = {
        "encoder": "downward_modules",
        "bottleneck": "bottleneck_modules",
        "decoder": "upsampling_modules",
    }
    return f"main_body.{his[blocks]}.{number}.{_PARTS[part]}.{leaf}"
