"""The networks of a variant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vtbridge.render.models.body_rotator import BodyRotator
from vtbridge.render.models.editor import Editor
from vtbridge.render.models.eyebrow_combiner import EyebrowCombiner
from vtbridge.render.models.eyebrow_decomposer import EyebrowDecomposer
from vtbridge.render.models.face_morpher import FaceMorpher
from vtbridge.render.models.tha1 import Combiner, HeadRotator, Morpher
from vtbridge.render.models.tha4_teacher import BodyMorpher, Upscaler
from vtbridge.render.models.variants import Family, Network, Tha3Variant, check_sizes

Rotator: TypeAlias = BodyRotator | BodyMorpher | HeadRotator
Refiner: TypeAlias = Editor | Upscaler | Combiner
Tha3Network: TypeAlias = (
    EyebrowDecomposer | EyebrowCombiner | FaceMorpher | Morpher | Rotator | Refiner
)


@dataclass(frozen=True, slots=True)
class Tha1Networks:
    """The networks of THA1 in some sizes, with the weights they were given."""

    morpher: Morpher
    rotator: HeadRotator
    combiner: Combiner

    def __getitem__(self, network: Network) -> Tha3Network:
        """Return the one that plays the part of ``network``.

        Raises:
            KeyError: none does.
        """
        return self.as_dict()[network]

    def as_dict(self) -> dict[Network, Tha3Network]:
        """Return the networks by their parts, in the order of the data."""
        parts: tuple[Tha3Network, ...] = (self.morpher, self.rotator, self.combiner)
        return dict(zip(Family.THA1.networks, parts, strict=True))


@dataclass(frozen=True, slots=True)
class Tha3Networks:
    """The five networks of any other variant, with the weights they were given."""

    eyebrow_decomposer: EyebrowDecomposer
    eyebrow_combiner: EyebrowCombiner
    face_morpher: FaceMorpher
    body_rotator: Rotator
    editor: Refiner

    def __getitem__(self, network: Network) -> Tha3Network:
        """Return the network called ``network``."""
        module: Tha3Network = getattr(self, network.value)
        return module

    def as_dict(self) -> dict[Network, Tha3Network]:
        """Return the networks by name, in the order of the data."""
        return {network: self[network] for network in Network}


AnyNetworks: TypeAlias = Tha1Networks | Tha3Networks


def networks_of(variant: Tha3Variant) -> AnyNetworks:
    """Build the networks of any variant; see ``build_networks``.

    Raises:
        WeightsError: networks of THA1 have sizes that do not fit together.
    """
    if variant.family is not Family.THA1:
        return build_networks(variant)
    check_sizes(variant)
    morpher, rotator, combiner = (variant.shapes[network] for network in Family.THA1.networks)
    networks = Tha1Networks(Morpher(morpher), HeadRotator(rotator), Combiner(combiner))
    for network in networks.as_dict().values():
        network.eval().requires_grad_(False)
    return networks


def build_networks(variant: Tha3Variant) -> Tha3Networks:
    """Build the five networks of ``variant`` with random weights, float32, ready for inference.

    float16 weights load into them as they are (``load_state_dict`` converts). A trainer
    calls ``train()`` and ``requires_grad_()`` itself; under ``torch.device("meta")``
    nothing is allocated, which suffices to look at names and shapes.
    """
    kind, shapes = variant.kind, variant.shapes
    networks = Tha3Networks(
        EyebrowDecomposer(kind, shapes[Network.EYEBROW_DECOMPOSER]),
        EyebrowCombiner(kind, shapes[Network.EYEBROW_COMBINER]),
        FaceMorpher(kind, shapes[Network.FACE_MORPHER]),
        *_last_two(variant),
    )
    for network in networks.as_dict().values():
        network.eval().requires_grad_(False)
    return networks


def _last_two(variant: Tha3Variant) -> tuple[Rotator, Refiner]:
    rotator, editor = variant.shapes[Network.BODY_ROTATOR], variant.shapes[Network.EDITOR]
    match variant.family:
        case Family.THA4:
            return BodyMorpher(rotator), Upscaler(editor)
        case Family.THA2:
            return HeadRotator(rotator), Combiner(editor)
    return BodyRotator(variant.kind, rotator), Editor(variant.kind, editor)
