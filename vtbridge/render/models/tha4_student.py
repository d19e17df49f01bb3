"""The student networks of Talking Head Anime 4, as a table of sine layers; needs no torch.

A student knows one character. Its face morpher paints what ``STUDENT_FACE_CROP`` shows
from 39 expression parameters alone; its body morpher says from all 45 how the picture with
that face is bent and painted over. Both answer pixel by pixel, from the pixel's position
and the pose (SIREN), each layer giving ``sin(30 * (W x + b))``. The body morpher does so
in three levels: what one gives is doubled bilinearly and stands before position and pose
in the input of the next. Positions are x then y, -1..1 over the picture, at the centres of
the pixels. The frame is ``alpha * color + (1 - alpha) * warped``, all raw outputs of the
last layer: alpha and colour are not bounded.

Source: P. Khungurn, "Talking Head Anime 4: Distillation for Real-Time Performance" and the
code of its public demo. Author's names: ``siren.sine_layers.3.linear.weight`` of the face,
``siren_layers.1.0.linear.weight`` of the body, ``last_linear.bias``; all [out, in, 1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from vtbridge.pose_params import FACE_SLICE, POSE_SIZE
from vtbridge.render.models.crops import Crop

STUDENT_VARIANT = "tha4_student"
"""What the store records as the variant of such weights."""

STUDENT_FACE_CROP = Crop(x=192, y=80, size=128)
"""What a student's face morpher paints of the 512x512 picture; inside ``FACE_CROP``."""

EXPRESSION_SIZE = FACE_SLICE.stop
"""Pose parameters that the face morpher sees: brows, eyes, mouth and irises."""

OMEGA = 30.0
"""What every sine layer multiplies its sum by."""

POSITION_SIZE = 2


class StudentNetwork(StrEnum):
    """The two networks; the value is the stem of a weight file."""

    FACE = "student_face"
    BODY = "student_body"

    @property
    def weight_file(self) -> str:
        """Name of our weight file: ``student_face.safetensors``."""
        return f"{self.value}.safetensors"


@dataclass(frozen=True, slots=True)
class SirenLevel:
    """Sine layers that work at one size.

    Attributes:
        size: side of the grid of pixels.
        widths: channels that each of its layers gives.
    """

    size: int
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SirenShape:
    """Sizes of one sine network.

    Attributes:
        pose_size: pose parameters that it sees.
        out_channels: of the linear layer at the end.
        levels: from the smallest to the full size.
    """

    pose_size: int
    out_channels: int
    levels: tuple[SirenLevel, ...]

    def layers(self) -> Iterator[tuple[str, int, int]]:
        """Yield the name, inputs and outputs of every layer, in the order of the data."""
        below = 0
        for number, level in enumerate(self.levels):
            inputs = below + POSITION_SIZE + self.pose_size
            for index, width in enumerate(level.widths):
                yield f"levels.{number}.{index}", inputs, width
                inputs = width
            below = inputs
        yield "last", below, self.out_channels

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by name."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name, inputs, outputs in self.layers():
            shapes[f"{name}.weight"] = (outputs, inputs)
            shapes[f"{name}.bias"] = (outputs,)
        return shapes


STUDENT_SHAPES: Mapping[StudentNetwork, SirenShape] = MappingProxyType(
    {
        StudentNetwork.FACE: SirenShape(EXPRESSION_SIZE, 4, (SirenLevel(128, (128,) * 8),)),
        StudentNetwork.BODY: SirenShape(
            POSE_SIZE,
            2 + 1 + 4,
            (
                SirenLevel(128, (360, 360, 180)),
                SirenLevel(256, (180, 180, 90)),
                SirenLevel(512, (90, 90, 90)),
            ),
        ),
    }
)
"""Sizes of the author's students; all characters share them."""

GRID_CHANGE, ALPHA, COLOR = slice(0, 2), slice(2, 3), slice(3, 7)
"""Where the body morpher's answers lie among its outputs."""


def author_key(network: StudentNetwork, name: str) -> str:
    """Return the author's name of the weight that we call ``name``.

    Args:
        network: whose weight it is.
        name: such as ``levels.1.0.weight`` or ``last.bias``.
    """
    layer, _, leaf = name.rpartition(".")
    is_face = network is StudentNetwork.FACE
    if layer == "last":
        return f"siren.last_linear.{leaf}" if is_face else f"last_linear.{leaf}"
    _, level, index = layer.split(".")
    if is_face:
        return f"siren.sine_layers.{index}.linear.{leaf}"
    return f"siren_layers.{level}.{index}.linear.{leaf}"
