"""Networks of THA1 in small sizes, with random weights, for tests to pose with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import save

from vtbridge.render.models.he_init import initialise
from vtbridge.render.models.tha1 import HeadRotator
from vtbridge.render.models.tha3 import Tha1Networks, networks_of
from vtbridge.render.models.variants import VARIANTS, Family, Network, NetworkShape, Tha3Variant

_SMALL = NetworkShape(128, start_channels=4, bottleneck_size=32, bottleneck_blocks=1)

SHAPES_OF_OURS: Mapping[Network, NetworkShape] = dict.fromkeys(Family.THA1.networks, _SMALL)
"""The pictures that our own weights see, with few channels."""

STAGE_FILES = {
    Network.FACE_MORPHER: "morpher",
    Network.BODY_ROTATOR: "rotator-l1",
    Network.EDITOR: "combiner-l1-l1",
}
"""What a run calls the networks that learnt with the L1 loss."""


def sized(size: int, *, morpher: int = 0) -> Tha3Variant:
    """Return THA1 with pictures of ``size``, its morpher's of ``morpher`` if that is not 0."""
    shapes = {
        network: replace(_SMALL, image_size=size, bottleneck_size=size // 4)
        for network in SHAPES_OF_OURS
    }
    if morpher:
        shapes[Network.FACE_MORPHER] = replace(_SMALL, image_size=morpher)
    return replace(VARIANTS["tha1"], shapes=shapes)


def random_tha1(variant: Tha3Variant, seed: int = 5) -> Tha1Networks:
    """Return networks that change every pixel, and move it by some pixels."""
    networks = networks_of(variant)
    assert isinstance(networks, Tha1Networks)
    generator = torch.Generator().manual_seed(seed)
    for network in (networks.morpher, networks.rotator, networks.combiner):
        initialise(network, generator, zero_flow=False)
        if isinstance(network, HeadRotator):
            network.grid_change.weight.mul_(0.05)
    return networks


def write_run(
    folder: Path,
    networks: Tha1Networks,
    variant: Tha3Variant,
    files: Mapping[Network, str] = STAGE_FILES,
    about: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write what ``vtbridge train`` leaves of ``networks``, in float16, and return ``folder``.

    ``about`` replaces what the files' metadata say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for network, module in networks.as_dict().items():
        sizes = {key: str(value) for key, value in asdict(variant.shapes[network]).items()}
        told = {"network": STAGE_FILES[network].partition("-")[0], **sizes, **about}
        state = {key: value.half().contiguous() for key, value in module.state_dict().items()}
        (folder / f"{files[network]}.safetensors").write_bytes(save(state, told))
    return folder
