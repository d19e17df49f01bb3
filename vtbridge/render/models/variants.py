"""The published sets of networks, as rows of one table; needs no torch.

Most consist of five networks with the same parts to play, those of THA3. THA4's teacher
and THA2 share its first three and have their own for the last two; THA1 has three, which
see no eyebrows. Weights trained here have the parts of THA1 in sizes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from vtbridge.errors import WeightsError
from vtbridge.pose_schema import THA1, THA3, PoseSchema


class Network(StrEnum):
    """The parts that networks play; the value is the stem of a weight file."""

    EYEBROW_DECOMPOSER = "eyebrow_decomposer"
    EYEBROW_COMBINER = "eyebrow_combiner"
    FACE_MORPHER = "face_morpher"
    BODY_ROTATOR = "body_rotator"
    EDITOR = "editor"

    @property
    def weight_file(self) -> str:
        """Name of our weight file: ``face_morpher.safetensors``."""
        return f"{self.value}.safetensors"

    @property
    def reference_file(self) -> str:
        """Name of THA3's weight file: ``face_morpher.pt``."""
        return Family.THA3.reference_file(self)


class Family(StrEnum):
    """Which system of the author's a set of networks is."""

    THA1 = "tha1"
    THA2 = "tha2"
    THA3 = "tha3"
    THA4 = "tha4"

    @property
    def networks(self) -> tuple[Network, ...]:
        """The parts that its networks play, in the order of the data."""
        if self is Family.THA1:
            return (Network.FACE_MORPHER, Network.BODY_ROTATOR, Network.EDITOR)
        return tuple(Network)

    @property
    def schema(self) -> PoseSchema:
        """What its networks can be told to show."""
        return THA1 if self is Family.THA1 else THA3

    def reference_file(self, network: Network) -> str:
        """Return the name of the author's weight file: ``two_algo_face_body_rotator.pt``."""
        stems = {Network.EYEBROW_COMBINER: "eyebrow_morphing_combiner"} | _OWN_STEMS[self]
        return f"{stems.get(network, network.value)}.pt"


_HEAD_STEMS = {Network.BODY_ROTATOR: "two_algo_face_rotator", Network.EDITOR: "combiner"}

_OWN_STEMS = {
    Family.THA1: _HEAD_STEMS,
    Family.THA2: _HEAD_STEMS,
    Family.THA3: {Network.BODY_ROTATOR: "two_algo_face_body_rotator"},
    Family.THA4: {Network.BODY_ROTATOR: "body_morpher", Network.EDITOR: "upscaler"},
}


class BlockKind(StrEnum):
    """How a convolution block is built."""

    PLAIN = "plain"
    SEPARABLE = "separable"


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Sizes of one network.

    Attributes:
        image_size: side of its square input and output, in pixels.
        start_channels: channels at full size; they double with each halving.
        bottleneck_size: side of the smallest features, in pixels.
        bottleneck_blocks: blocks at that size.
        max_channels: where the doubling stops.
    """

    image_size: int
    start_channels: int
    bottleneck_size: int
    bottleneck_blocks: int = 6
    max_channels: int = 512

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at each size, from the full one down to the bottleneck."""
        halvings = (self.image_size // self.bottleneck_size).bit_length() - 1
        return tuple(min(self.start_channels << i, self.max_channels) for i in range(halvings + 1))


def check_sizes(variant: Tha3Variant) -> None:
    """Refuse sizes of THA1's networks that its picture of 256 cannot be given to.

    Raises:
        WeightsError: a size is not one of 4 to 256 by doubling, a network is smaller than its
            bottleneck, or rotator and combiner are of different sizes.
    """
    for network, shape in variant.shapes.items():
        if shape.image_size not in _HEAD_SIZES or (
            shape.bottleneck_size not in _HEAD_SIZES[: _HEAD_SIZES.index(shape.image_size) + 1]
        ):
            raise WeightsError(
                f"the {network} has pictures of {shape.image_size} pixels and a bottleneck of "
                f"{shape.bottleneck_size}; each is one of {', '.join(map(str, _HEAD_SIZES))}, the "
                "bottleneck the smaller"
            )
    rotator, combiner = variant.shapes[Network.BODY_ROTATOR], variant.shapes[Network.EDITOR]
    if rotator.image_size != combiner.image_size:
        raise WeightsError(
            f"the rotator has pictures of {rotator.image_size} pixels and the combiner of "
            f"{combiner.image_size}; train them at one size"
        )


_HEAD_SIZES = (4, 8, 16, 32, 64, 128, 256)

THA3_SHAPES: Mapping[Network, NetworkShape] = MappingProxyType(
    {
        Network.EYEBROW_DECOMPOSER: NetworkShape(128, start_channels=64, bottleneck_size=16),
        Network.EYEBROW_COMBINER: NetworkShape(128, start_channels=64, bottleneck_size=16),
        Network.FACE_MORPHER: NetworkShape(192, start_channels=64, bottleneck_size=24),
        Network.BODY_ROTATOR: NetworkShape(256, start_channels=64, bottleneck_size=32),
        Network.EDITOR: NetworkShape(512, start_channels=32, bottleneck_size=64),
    }
)
"""Sizes of the author's networks; the four variants share them."""


_TEACHER_SHAPES: Mapping[Network, NetworkShape] = MappingProxyType(
    {
        **THA3_SHAPES,
        Network.BODY_ROTATOR: NetworkShape(
            256, start_channels=64, bottleneck_size=16, bottleneck_blocks=4, max_channels=256
        ),
        Network.EDITOR: NetworkShape(
            512, start_channels=32, bottleneck_size=16, bottleneck_blocks=4, max_channels=256
        ),
    }
)

_THA2_SHAPES: Mapping[Network, NetworkShape] = MappingProxyType(
    {
        **THA3_SHAPES,
        Network.BODY_ROTATOR: NetworkShape(256, start_channels=64, bottleneck_size=32),
        Network.EDITOR: NetworkShape(256, start_channels=64, bottleneck_size=32),
    }
)


_THA1_SHAPES: Mapping[Network, NetworkShape] = MappingProxyType(
    {
        network: NetworkShape(256, start_channels=64, bottleneck_size=32)
        for network in Family.THA1.networks
    }
)


@dataclass(frozen=True, slots=True)
class Tha3Variant:
    """One set of networks.

    Attributes:
        name: as in the author's folders.
        kind: plain or depthwise-separable convolution blocks.
        weights_dtype: what its weight files hold; computing is float32 unless a runtime
            chooses otherwise.
        shapes: sizes of its networks.
        family: which networks they are.
    """

    name: str
    kind: BlockKind
    weights_dtype: Literal["float32", "float16"] = "float32"
    shapes: Mapping[Network, NetworkShape] = field(default_factory=lambda: THA3_SHAPES)
    family: Family = Family.THA3


VARIANTS: Mapping[str, Tha3Variant] = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            Tha3Variant("standard_float", BlockKind.PLAIN),
            Tha3Variant("standard_half", BlockKind.PLAIN, "float16"),
            Tha3Variant("separable_float", BlockKind.SEPARABLE),
            Tha3Variant("separable_half", BlockKind.SEPARABLE, "float16"),
            Tha3Variant(
                "tha4_teacher", BlockKind.PLAIN, shapes=_TEACHER_SHAPES, family=Family.THA4
            ),
            Tha3Variant("tha2", BlockKind.PLAIN, shapes=_THA2_SHAPES, family=Family.THA2),
            Tha3Variant("tha1", BlockKind.PLAIN, shapes=_THA1_SHAPES, family=Family.THA1),
        )
    }
)
