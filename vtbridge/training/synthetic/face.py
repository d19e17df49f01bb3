"""The skin of the face with what lies on it: mouth, nose, blush, glasses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vtbridge.training.synthetic.contours import (
    at_depth,
    bent,
    on_face,
    smooth,
    superellipse,
)
from vtbridge.training.synthetic.layers import F64Array, Layer, Part
from vtbridge.training.synthetic.traits import BLACK, WHITE, Traits, colour, mixed

SKIN = "skin"
"""The name of the face's layer."""


def face_contour(traits: Traits) -> F64Array:
    """Return the face's outline, N x 2, forehead included."""
    wide, chin, jaw = traits.face_width, traits.chin, traits.jaw
    half = np.array(
        [
            [0.0, -0.92],
            [wide * 0.6, -0.8],
            [wide, -0.3],
            [wide, 0.2],
            [wide * 0.93, 0.45],
            [wide * jaw, chin - 0.2],
            [0.14, chin + 0.02],
        ]
    )
    return smooth(np.concatenate([half, (half * [-1, 1])[:0:-1]]))


def draw_skin(traits: Traits, random: np.random.Generator) -> list[Layer]:
    """Return ears and face, shaded."""
    contour = face_contour(traits)
    layers = []
    if random.random() < 0.6:
        for side in (-1, 1):
            ear = superellipse(side * traits.face_width, traits.eye_y + 0.08, 0.11, 0.2)
            layers.append(
                Layer(
                    at_depth(ear, -0.1),
                    fill=traits.skin,
                    line=traits.line(traits.skin),
                    line_width=traits.line_width,
                )
            )
    # The chin is nearer to the viewer than the cheeks; a step between them would show as a notch.
    depth = 0.05 + 0.3 * np.clip(1.5 - 2 * np.abs(contour[:, 0]), 0, 1)
    layers.append(
        Layer(
            np.column_stack([contour, depth]),
            fill=traits.skin,
            fill_below=mixed(traits.skin, traits.dark(traits.skin), random.uniform(0, 0.4)),
            line=traits.line(traits.skin),
            line_width=traits.line_width,
            name=SKIN,
        )
    )
    if random.random() < 0.5:
        rosy = colour(random.uniform(-0.04, 0.04), 0.5, 1.0)
        for side in (-1, 1):
            spot = superellipse(side * (traits.eye_x + 0.1), traits.eye_y + 0.3, 0.14, 0.07)
            layers.append(Layer(on_face(spot), fill=rosy, opacity=0.4, within=SKIN))
    return layers


def draw_nose(traits: Traits, random: np.random.Generator) -> list[Layer]:
    """Return a short line, a dot or nothing."""
    y = (traits.eye_y + traits.mouth_y) / 2 + 0.04
    dark = mixed(traits.dark(traits.skin), BLACK, 0.2)
    match random.integers(3):
        case 0:
            points = np.array([[0.0, y - 0.05, 1.02], [0.02, y, 1.04], [0.0, y + 0.01, 1.02]])
            return [Layer(points, line=dark, line_width=0.018, closed=False)]
        case 1:
            return [Layer(on_face(superellipse(0, y, 0.02, 0.014), above=0.05), fill=dark)]
        case _:
            return []


def draw_mouth(
    traits: Traits, random: np.random.Generator
) -> tuple[list[Layer], dict[Part, F64Array]]:
    """Return a mouth, closed or open, and its outline."""
    uniform, y = random.uniform, traits.mouth_y
    wide = uniform(0.06, 0.2)
    ink = mixed(colour(uniform(-0.03, 0.05), 0.6, 0.5), BLACK, uniform(0, 0.6))
    thick = uniform(0.014, 0.032)
    kind = random.choice(["line", "cat", "open", "round"], p=[0.45, 0.1, 0.33, 0.12])
    if kind == "line":
        shape = bent((-wide, y), (wide, y), uniform(-0.22, 0.12))
        parts = [Layer(on_face(shape, above=0.02), line=ink, line_width=thick, closed=False)]
        if random.random() < 0.3:
            lip = bent((-wide * 0.4, y + 0.07), (wide * 0.4, y + 0.07), -0.1)
            shade = traits.dark(traits.skin)
            parts.append(Layer(on_face(lip), line=shade, line_width=0.014, closed=False))
    elif kind == "cat":
        left, right = bent((-wide, y), (0, y), -0.25), bent((0, y), (wide, y), -0.25)
        shape = np.concatenate([left, right])
        parts = [Layer(on_face(shape, above=0.02), line=ink, line_width=thick, closed=False)]
    else:
        inside = colour(uniform(-0.03, 0.04), uniform(0.4, 0.8), uniform(0.35, 0.9))
        if kind == "round":
            shape = superellipse(0, y, wide * 0.55, wide * uniform(0.4, 0.9))
        else:
            upper = bent((-wide, y), (wide, y), uniform(-0.12, 0.08))
            x = np.linspace(wide, -wide, 15)
            deep = wide * uniform(0.3, 1.7)
            lower = y + deep * np.clip(1 - (x / wide) ** 2, 0, 1) ** uniform(0.4, 1.0)
            shape = np.concatenate([upper, np.column_stack([x, lower])])
        parts = [
            Layer(
                on_face(shape, above=0.02),
                fill=inside,
                line=ink if random.random() < 0.8 else None,
                line_width=thick * 0.8,
                name="mouth",
            )
        ]
        low, high = shape[:, 1].max(), shape[:, 1].min()
        if random.random() < 0.5:
            tongue = superellipse(0, low, wide * 0.6, (low - high) * 0.45)
            pink = colour(0.98, 0.5, 0.95)
            parts.append(Layer(on_face(tongue, above=0.02), fill=pink, within="mouth"))
        if random.random() < 0.4:
            teeth = superellipse(0, high, wide * 0.85, (low - high) * 0.3)
            parts.append(Layer(on_face(teeth, above=0.02), fill=WHITE, within="mouth"))
    half = np.array([0.0, thick / 2])
    around = np.concatenate([shape - half, shape + half])
    height, middle = np.ptp(around[:, 1]), around[:, 1].mean()
    least = (traits.chin + 1.0) / 20
    if height < least:
        around = np.concatenate([shape * [1, 0] + [0, middle + s * least / 2] for s in (-1, 1)])
    labelled = [_of(part, Part.MOUTH) for part in parts]
    return labelled, {Part.MOUTH: on_face(around, above=0.02)}


def _of(layer: Layer, part: Part) -> Layer:
    return replace(layer, part=part)


def draw_glasses(traits: Traits, random: np.random.Generator) -> list[Layer]:
    """Return glasses, for one character in seven."""
    if random.random() > 0.14:
        return []
    uniform = random.uniform
    frame = mixed(colour(uniform(0, 1), 0.7, 0.6), BLACK, uniform(0, 1))
    power, thick, high = uniform(2, 5), uniform(0.014, 0.035), uniform(0.16, 0.27)
    wide = min(traits.eye_x - 0.06, uniform(0.23, 0.31))
    layers = []
    for side in (-1, 1):
        rim = superellipse(side * traits.eye_x, traits.eye_y + 0.02, wide, high, power=power)
        if random.random() < 0.3:
            layers.append(Layer(on_face(rim, above=0.08), fill=WHITE, opacity=0.15))
        layers.append(Layer(on_face(rim, above=0.08), line=frame, line_width=thick))
    gap = traits.eye_x - wide
    bridge = bent((-gap, traits.eye_y), (gap, traits.eye_y), 0.15)
    layers.append(Layer(on_face(bridge, above=0.1), line=frame, line_width=thick, closed=False))
    return layers
