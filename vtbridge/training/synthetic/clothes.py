"""Neck, trunk and legs, dressed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vtbridge.training.synthetic.contours import at_depth, mirrored, smooth, superellipse
from vtbridge.training.synthetic.layers import Bone, Colour, F64Array, Layer
from vtbridge.training.synthetic.traits import WHITE, Traits, colour, mixed


def draw_body(traits: Traits, random: np.random.Generator) -> list[Layer]:
    """Return the body from the neck down, in front of the hair behind."""
    uniform = random.uniform
    layers: list[Layer] = []

    def add(points: F64Array, fill: Colour, depth: float = 0.0) -> None:
        layers.append(
            Layer(
                at_depth(points, depth),
                fill=fill,
                line=traits.line(fill),
                line_width=traits.line_width,
            )
        )

    wide, waist = uniform(0.85, 1.5), uniform(0.6, 0.95)
    shoulder_y = traits.chin + uniform(0.4, 0.6)
    hip_y = shoulder_y + uniform(1.6, 2.4)
    skirt = colour(uniform(0, 1), uniform(0, 0.7), uniform(0.1, 0.9))
    for side in (-1, 1):
        leg = np.array([[0.05, hip_y], [0.6, hip_y], [0.45, hip_y + 3], [0.1, hip_y + 3]])
        add(leg * [side, 1], mixed(traits.skin, skirt, float(random.integers(2))))
    flare = uniform(0.8, 1.7)
    hem = hip_y + uniform(0.3, 1.4)
    add(np.array([[-waist, hip_y - 0.3], [waist, hip_y - 0.3], [flare, hem], [-flare, hem]]), skirt)
    sleeve = np.array(
        [
            [wide * 0.75, shoulder_y + 0.05],
            [wide, shoulder_y + 0.2],
            [wide + uniform(0.0, 0.4), hip_y],
            [wide - 0.25, hip_y],
        ]
    )
    for points in (sleeve, mirrored(sleeve)):
        add(smooth(points), traits.cloth)
    neck = uniform(0.2, 0.3)
    add(np.array([[-neck, 0.4], [neck, 0.4], [neck, 1.7], [-neck, 1.7]]), traits.skin)
    shade = superellipse(0, traits.chin - 0.08, neck, 0.28)
    layers.append(Layer(at_depth(shade, 0), fill=traits.dark(traits.skin), opacity=0.8))
    low = shoulder_y + uniform(-0.1, 0.4)
    trunk = np.array(
        [
            [0.0, low],
            [0.33, shoulder_y - 0.22],
            [wide * 0.85, shoulder_y],
            [wide, shoulder_y + 0.3],
            [waist, hip_y - 0.4],
            [waist * 1.05, hip_y],
        ]
    )
    add(smooth(np.concatenate([trunk, mirrored(trunk)[:0:-1]]), rounds=1), traits.cloth)
    layers += [_of_body(layer) for layer in _collar(traits, random, shoulder_y, neck)]
    return [_of_body(layer) for layer in layers]


def _of_body(layer: Layer) -> Layer:
    return replace(layer, bone=Bone.BODY)


def _collar(
    traits: Traits, random: np.random.Generator, shoulder_y: float, neck: float
) -> list[Layer]:
    fill = traits.accent if random.random() < 0.5 else mixed(traits.cloth, WHITE, 0.7)
    line = traits.line(fill)
    shapes: list[F64Array] = []
    y = shoulder_y
    match random.integers(4):
        case 0:
            turtle = [[-neck * 1.1, y - 0.42], [neck * 1.1, y - 0.42], [0.42, y], [-0.42, y]]
            shapes = [smooth(np.array(turtle), rounds=1)]
        case 1:
            flap = np.array([[0.25, y - 0.25], [0.75, y - 0.05], [0.6, y + 0.4], [0.02, y + 0.5]])
            shapes = [flap, mirrored(flap)]
        case 2:
            hood = superellipse(0.45, y + 0.05, 0.35, 0.22)
            shapes = [hood, mirrored(hood)]
        case _:
            shapes = []
    if random.random() < 0.4:
        wing = np.array([[0.0, y + 0.4], [0.35, y + 0.2], [0.38, y + 0.6]])
        shapes += [wing, mirrored(wing)]
    return [
        Layer(at_depth(shape, 0.1), fill=fill, line=line, line_width=traits.line_width)
        for shape in shapes
    ]
