"""What all drawers of one character share: colours, proportions, the manner of its lines."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from vtbridge.training.synthetic.layers import Colour


def colour(hue: float, saturation: float, value: float) -> Colour:
    """Return a colour from hue (any turn), saturation and value (0..1)."""
    red, green, blue = colorsys.hsv_to_rgb(
        hue % 1, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0)
    )
    return red * 255, green * 255, blue * 255


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return ``share`` of the second colour in the first."""
    a, b = first, second
    return (
        a[0] + (b[0] - a[0]) * share,
        a[1] + (b[1] - a[1]) * share,
        a[2] + (b[2] - a[2]) * share,
    )


BLACK: Colour = (12.0, 10.0, 16.0)
WHITE: Colour = (255.0, 255.0, 255.0)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a seed decides before anything is drawn; lengths in units of space.

    Attributes:
        outline: None for drawings without lines.
        shadow: the share of dark in what lies in shadow.
        face_width: half of the face at the cheeks.
        chin: y of the chin.
        volume: how far the hair stands off the skull.
        eye_x: distance of an eye's middle from the face's.
    """

    skin: Colour
    hair: Colour
    hair_below: Colour
    iris: Colour
    cloth: Colour
    accent: Colour
    outline: Colour | None
    line_width: float
    shadow: float
    face_width: float
    chin: float
    jaw: float
    volume: float
    eye_x: float
    eye_y: float
    mouth_y: float

    def line(self, fill: Colour) -> Colour | None:
        """Return the outline's colour around something filled."""
        return None if self.outline is None else mixed(fill, self.outline, 0.75)

    def dark(self, fill: Colour) -> Colour:
        """Return ``fill`` in shadow."""
        return mixed(fill, (60.0, 35.0, 80.0), self.shadow)


def random_traits(random: np.random.Generator) -> Traits:
    """Return the traits of one character."""
    uniform = random.uniform
    if random.random() < 0.85:
        skin = colour(uniform(0.015, 0.085), uniform(0.04, 0.3), uniform(0.92, 1.0))
    else:
        skin = colour(uniform(0.02, 0.08), uniform(0.3, 0.6), uniform(0.4, 0.9))
    match random.choice(4, p=[0.45, 0.3, 0.15, 0.1]):
        case 0:
            hair = colour(uniform(0, 1), uniform(0.25, 0.9), uniform(0.45, 1.0))
        case 1:
            hair = colour(uniform(0.04, 0.14), uniform(0.3, 0.85), uniform(0.3, 1.0))
        case 2:
            hair = colour(uniform(0.5, 0.8), uniform(0.1, 0.5), uniform(0.1, 0.35))
        case _:
            hair = colour(uniform(0, 1), uniform(0.0, 0.14), uniform(0.75, 1.0))
    below = hair if random.random() < 0.6 else mixed(hair, colour(uniform(0, 1), 0.5, 0.8), 0.5)
    ink = mixed(BLACK, mixed(hair, BLACK, 0.6), uniform(0, 1))
    eye_y = uniform(0.05, 0.27)
    chin = uniform(0.8, 1.0)
    return Traits(
        skin=skin,
        hair=hair,
        hair_below=below,
        iris=colour(uniform(0, 1), uniform(0.3, 1), uniform(0.45, 1.0)),
        cloth=colour(uniform(0, 1), uniform(0, 0.8), uniform(0.15, 1)),
        accent=colour(uniform(0, 1), uniform(0.4, 0.9), uniform(0.5, 1)),
        outline=ink if random.random() < 0.85 else None,
        line_width=uniform(0.008, 0.03),
        shadow=uniform(0.12, 0.4),
        face_width=uniform(0.66, 0.92),
        chin=chin,
        jaw=uniform(0.4, 0.78),
        volume=uniform(0.02, 0.2),
        eye_x=uniform(0.3, 0.45),
        eye_y=eye_y,
        mouth_y=min(eye_y + uniform(0.32, 0.46), chin - 0.16),
    )
