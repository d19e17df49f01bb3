"""A character as layers of contours in space; what draws or measures it reads only this.

The head's middle is the origin, its half height about one; x grows to the right of the
picture (the subject's left), y downwards, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

F64Array = NDArray[np.float64]
Colour = tuple[float, float, float]
"""Red, green and blue, 0..255."""


class Bone(StrEnum):
    """What a layer moves with."""

    HEAD = "head"
    BODY = "body"


class Part(StrEnum):
    """What has a box in a labelled picture."""

    HEAD = "head"
    LEFT_EYE = "left_eye"
    RIGHT_EYE = "right_eye"
    MOUTH = "mouth"


class LayerGroup(StrEnum):
    """What a drawing is put together from."""

    BACK_HAIR = "back_hair"
    BODY = "body"
    EARS = "ears"
    FACE = "face"
    MOUTH = "mouth"
    EYES = "eyes"
    BROWS = "brows"
    FRONT_HAIR = "front_hair"
    WORN = "worn"


@dataclass(frozen=True, slots=True)
class Layer:
    """One contour; later layers of a character cover earlier ones.

    Attributes:
        points: N x 3, the corners of a polygon or of a line.
        fill: None draws the line alone.
        fill_below: the colour at the lower end of a vertical gradient from ``fill``.
        line: None draws no outline.
        line_width: in units of space.
        closed: whether the last point is joined to the first.
        opacity: 0..1.
        name: what ``within`` of other layers speaks of.
        within: paint only where the layer of this name was painted.
        bone: what it moves with.
        part: which part of the face it belongs to, so that faces without it can be drawn.
        group: what it is a piece of.
    """

    points: F64Array
    fill: Colour | None = None
    fill_below: Colour | None = None
    line: Colour | None = None
    line_width: float = 0.0
    closed: bool = True
    opacity: float = 1.0
    name: str = ""
    within: str = ""
    bone: Bone = Bone.HEAD
    part: Part | None = None
    group: LayerGroup = LayerGroup.FACE


@dataclass(frozen=True, slots=True)
class Character:
    """A drawn character.

    Attributes:
        layers: from back to front.
        outlines: N x 3 points a part, whose projection spans the part's box.
    """

    layers: tuple[Layer, ...]
    outlines: dict[Part, F64Array] = field(default_factory=dict)
