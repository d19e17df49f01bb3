"""What is worn on the head: ears of animals, hats, ribbons, pins, headphones."""

from __future__ import annotations

import numpy as np

from vtbridge.training.synthetic.contours import at_depth, mirrored, on_skull, smooth, superellipse
from vtbridge.training.synthetic.layers import Colour, F64Array, Layer
from vtbridge.training.synthetic.traits import Traits, colour, mixed


def draw_ears(traits: Traits, random: np.random.Generator) -> list[Layer]:
    """Return ears of a cat or a rabbit, or horns; behind the hair's cap."""
    if random.random() > 0.22:
        return []
    top = -0.9 - traits.volume
    match random.integers(3):
        case 0:
            high = random.uniform(0.3, 0.6)
            shape = np.array([[0.3, top + 0.1], [0.7, top - high], [0.95, top + 0.4]])
        case 1:
            high = random.uniform(0.8, 1.4)
            shape = superellipse(0.42, top - high / 2 + 0.2, 0.17, high / 2 + 0.1)
        case _:
            high = random.uniform(0.2, 0.5)
            shape = np.array([[0.4, top + 0.1], [0.75, top - high], [0.65, top + 0.2]])
    fill = traits.hair if random.random() < 0.6 else traits.accent
    inner = shape.mean(axis=0) + (shape - shape.mean(axis=0)) * 0.6
    layers = []
    for outer, inside in ((shape, inner), (mirrored(shape), mirrored(inner))):
        layers.append(_plain(traits, outer, fill, -0.05))
        layers.append(Layer(at_depth(inside, -0.05), fill=mixed(fill, (255, 190, 190), 0.6)))
    return layers


def _plain(traits: Traits, shape: F64Array, fill: Colour, depth: float) -> Layer:
    return Layer(
        at_depth(shape, depth), fill=fill, line=traits.line(fill), line_width=traits.line_width
    )


def draw_headwear(traits: Traits, random: np.random.Generator) -> list[Layer]:
    """Return hats, ribbons, pins and headphones; in front of the hair."""
    layers: list[Layer] = []
    side = traits.face_width + 0.1 + traits.volume
    top = -0.98 - traits.volume
    if random.random() < 0.1:
        layers += _hat(traits, random, side, top)
    if random.random() < 0.2:
        place = np.array([random.uniform(0.35, 1.0) * side, random.uniform(-0.8, -0.45)])
        sides = (1, -1) if random.random() < 0.5 else (int(random.choice([-1, 1])),)
        layers += _ribbons(traits, place, sides, random.uniform(0.5, 1.2))
    if random.random() < 0.2:
        sign = int(random.choice([-1, 1]))
        x, y = sign * random.uniform(0.45, 0.8), random.uniform(-0.6, -0.35)
        pin = np.array(
            [[x - 0.13, y], [x + 0.13, y - 0.08], [x + 0.14, y - 0.03], [x - 0.12, y + 0.05]]
        )
        layers.append(
            Layer(
                on_skull(pin),
                fill=traits.accent,
                line=traits.line(traits.accent),
                line_width=traits.line_width * 0.7,
            )
        )
    if random.random() < 0.08:
        band = superellipse(0, -0.1, side + 0.04, -0.1 - top + 0.06, start=180, end=360)
        layers.append(Layer(at_depth(band, 0.1), line=traits.accent, line_width=0.09, closed=False))
        for sign in (-1, 1):
            cup = superellipse(sign * side, 0.05, 0.16, 0.28, power=3)
            layers.append(_plain(traits, cup, traits.accent, 0.15))
    return layers


def _hat(traits: Traits, random: np.random.Generator, side: float, top: float) -> list[Layer]:
    fill = colour(random.uniform(0, 1), random.uniform(0, 0.8), random.uniform(0.15, 1))
    high = random.uniform(0.1, 0.5)
    brim_y = random.uniform(-0.75, -0.5)
    brim = superellipse(0, brim_y, side * random.uniform(1.02, 1.6), random.uniform(0.06, 0.2))
    crown = np.array(
        [
            [-side * 1.02, brim_y],
            [-side, top + 0.1],
            [-side * 0.6, top - high],
            [side * 0.6, top - high],
            [side, top + 0.1],
            [side * 1.02, brim_y],
        ]
    )
    return [
        _plain(traits, smooth(crown), fill, 0.2),
        _plain(traits, brim, traits.dark(fill), 0.4),
    ]


def _ribbons(traits: Traits, place: F64Array, sides: tuple[int, ...], size: float) -> list[Layer]:
    wings = [
        np.array([[0, 0], [sign * 0.3, -0.2], [sign * 0.34, 0.0], [sign * 0.28, 0.2]]) * size
        for sign in (-1, 1)
    ]
    knot = superellipse(0, 0, 0.06 * size, 0.08 * size)
    layers = []
    for side in sides:
        for shape in (*wings, knot):
            points = shape + place
            layers.append(
                _plain(traits, points if side > 0 else mirrored(points), traits.accent, 0.5)
            )
    return layers
