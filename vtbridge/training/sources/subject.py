"""A character that can be drawn in any pose; a data set does not ask where it comes from.

Poses are THA3's 45 parameters (``vtbridge.pose_params``), the richest vocabulary known here:
a data set of version 1 uses six of them, ``MOUTH_AAA`` at 1 being its mouth as drawn.

The framing is version 1's specification at every size: orthographic, the head's top and the
chin of the rest pose on the borders of the middle half, the face's middle in the centre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeGuard

from vtbridge.datatypes import F32Array, U8Array
from vtbridge.pose_params import PoseParam
from vtbridge.training.synthetic.layers import LayerGroup

HEAD_TURN_DEG = 15.0
"""What a head's rotation parameter of 1 is (Talking Head Anime, version 1)."""


class Shading(StrEnum):
    """How a surface answers to light."""

    PHONG = "phong"
    TOON = "toon"


@dataclass(frozen=True, slots=True)
class Light:
    """White light from the viewer, and from everywhere; drawn characters ignore it.

    Attributes:
        directional: strength of the light along the view.
        ambient: strength of the rest; the paper draws it from 0.5 to 1.2.
        shading: how surfaces answer.
    """

    directional: float = 0.5
    ambient: float = 0.8
    shading: Shading = Shading.PHONG


class Subject(Protocol):
    """One character; the same pose gives the same bytes."""

    @property
    def name(self) -> str:
        """What it is called in a data set: letters, digits and ``-``, unique, the same always."""

    @property
    def work(self) -> str:
        """The work it is from; all characters of a work land on the same side of a split."""

    @property
    def shows(self) -> frozenset[PoseParam]:
        """The parameters that move it; others change nothing."""

    def draw(self, pose: F32Array, *, size: int = 256, light: Light | None = None) -> U8Array:
        """Return it in a pose.

        Args:
            pose: float32 [45].
            size: side of the picture, pixels.
            light: None is ``Light()``.

        Returns:
            uint8 [size, size, 4], sRGB, straight alpha, RGB 0 where alpha is 0.
        """


class LabelledSubject(Subject, Protocol):
    """A character whose drawer knows the truth behind the pixels."""

    def landmarks(self, pose: F32Array, *, size: int = 256) -> Mapping[str, tuple[float, float]]:
        """Return named points of the face in pixels, hidden ones too."""

    def flow(
        self, pose: F32Array, source: F32Array, *, size: int = 256
    ) -> tuple[F32Array, F32Array]:
        """Return where each pixel of ``pose`` comes from in ``source``.

        Returns:
            float32 [size, size, 2], pixels to add to a pixel's own (x, y), 0 where nothing is
            drawn; float32 [size, size], 1 where what is seen in ``pose`` is seen in ``source``
            too, 0 elsewhere.
        """

    def layers(self, pose: F32Array, *, size: int = 256) -> Mapping[LayerGroup, U8Array]:
        """Return each group alone, uint8 [size, size, 4], straight alpha, back to front.

        Painted over each other in this order they are ``draw``, but for the borders between
        groups, where both are half transparent.
        """


def labelled(subject: Subject) -> TypeGuard[LabelledSubject]:
    """Return whether the drawer of ``subject`` knows the truth behind its pixels."""
    return all(hasattr(subject, name) for name in ("landmarks", "flow", "layers"))


class Source(Protocol):
    """A place that characters come from."""

    def names(self) -> Sequence[str]:
        """Return the names of all its characters, in an order that does not change."""

    def work_of(self, name: str) -> str:
        """Return the work that a character is from; ``Subject.work`` without opening it."""

    def open(self, name: str) -> Subject:
        """Return one of them.

        Raises:
            DatasetError: it cannot be read, or does not have what a data set needs.
        """
