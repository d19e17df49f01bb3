"""The five networks of THA3, built for a variant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vtbridge.render.models.body_rotator import BodyRotator
from vtbridge.render.models.editor import Editor
from vtbridge.render.models.eyebrow_combiner import EyebrowCombiner
from vtbridge.render.models.eyebrow_decomposer import EyebrowDecomposer
from vtbridge.render.models.face_morpher import FaceMorpher
from vtbridge.render.models.variants import Network, Tha3Variant

Tha3Network: TypeAlias = EyebrowDecomposer | EyebrowCombiner | FaceMorpher | BodyRotator | Editor


@dataclass(frozen=True, slots=True)
class Tha3Networks:
    """The networks of one variant, with the weights they were given."""

    eyebrow_decomposer: EyebrowDecomposer
    eyebrow_combiner: EyebrowCombiner
    face_morpher: FaceMorpher
    body_rotator: BodyRotator
    editor: Editor

    def __getitem__(self, network: Network) -> Tha3Network:
        """Return the network called ``network``."""
        module: Tha3Network = getattr(self, network.value)
        return module

    def as_dict(self) -> dict[Network, Tha3Network]:
        """Return the networks by name, in the order of the data."""
        return {network: self[network] for network in Network}


def build_networks(variant: Tha3Variant) -> Tha3Networks:
    """Build the networks of ``variant`` with random weights, float32, ready for inference.

    float16 weights load into them as they are (``load_state_dict`` converts). A trainer
    calls ``train()`` and ``requires_grad_()`` itself; under ``torch.device("meta")``
    nothing is allocated, which suffices to look at names and shapes.
    """
    kind, shapes = variant.kind, variant.shapes
    networks = Tha3Networks(
        EyebrowDecomposer(kind, shapes[Network.EYEBROW_DECOMPOSER]),
        EyebrowCombiner(kind, shapes[Network.EYEBROW_COMBINER]),
        FaceMorpher(kind, shapes[Network.FACE_MORPHER]),
        BodyRotator(kind, shapes[Network.BODY_ROTATOR]),
        Editor(kind, shapes[Network.EDITOR]),
    )
    for network in networks.as_dict().values():
        network.eval().requires_grad_(False)
    return networks
