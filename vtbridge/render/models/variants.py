"""The four published variants of THA3, as rows of one table; needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class Network(StrEnum):
    """The five networks; the value is the stem of a weight file."""

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
        """Name of the author's weight file: ``face_morpher.pt``."""
        return f"{_REFERENCE_STEMS.get(self, self.value)}.pt"


_REFERENCE_STEMS = {
    Network.EYEBROW_COMBINER: "eyebrow_morphing_combiner",
    Network.BODY_ROTATOR: "two_algo_face_body_rotator",
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


@dataclass(frozen=True, slots=True)
class Tha3Variant:
    """One way in which THA3's weights were published.

    Attributes:
        name: as in the author's folders.
        kind: plain or depthwise-separable convolution blocks.
        weights_dtype: what its weight files hold; computing is float32 unless a runtime
            chooses otherwise.
        shapes: sizes of the five networks.
    """

    name: str
    kind: BlockKind
    weights_dtype: Literal["float32", "float16"] = "float32"
    shapes: Mapping[Network, NetworkShape] = field(default_factory=lambda: THA3_SHAPES)


VARIANTS: Mapping[str, Tha3Variant] = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            Tha3Variant("standard_float", BlockKind.PLAIN),
            Tha3Variant("standard_half", BlockKind.PLAIN, "float16"),
            Tha3Variant("separable_float", BlockKind.SEPARABLE),
            Tha3Variant("separable_half", BlockKind.SEPARABLE, "float16"),
        )
    }
)
