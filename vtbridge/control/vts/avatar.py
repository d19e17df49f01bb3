"""What the API needs to know of the avatar, and may do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Model:
    """The character that is shown.

    Attributes:
        model_id: 32 hexadecimal digits that are the same whenever it is shown.
        name: what users call it.
        texture_size: side of its picture, pixels.
    """

    model_id: str
    name: str
    texture_size: int = 512


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression of the character.

    Attributes:
        name: unique, letters, digits and ``_``.
        label: what people read.
        active: whether it is on.
        held: True if a key that is let go ends it.
        fires: True if it ends by itself.
        by_itself: True while nobody triggered it: a condition or chance did.
        values: pose parameters that it sets, by label.
    """

    name: str
    label: str
    active: bool = False
    held: bool = False
    fires: bool = False
    by_itself: bool = False
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoseValue:
    """One pose parameter as it is shown just now."""

    name: str
    value: float
    low: float
    high: float


class Avatar(Protocol):
    """One avatar; everything returns at once and is called on the server's loop."""

    def model(self) -> Model:
        """Return the character that is shown."""

    def loaded_ms(self) -> int:
        """Return for how long it has been shown, milliseconds."""

    def expressions(self) -> Sequence[Expression]:
        """Return its expressions, in their order."""

    def switch(self, name: str, on: bool | None) -> None:
        """Switch an expression on, off, or the other way; KeyError if there is none."""

    def clear(self) -> None:
        """Switch all expressions off."""

    def calibrate(self) -> None:
        """Take the user's face of the next second as neutral."""

    def fps(self) -> float:
        """Return frames a second."""

    def side(self) -> int:
        """Return width and height of the frames, pixels."""

    def pose(self) -> Sequence[PoseValue]:
        """Return all pose parameters."""
