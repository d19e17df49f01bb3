"""Hair: what hangs behind, what lies over the forehead and the temples, tails and tips."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vtbridge.training.synthetic.contours import (
    at_depth,
    mirrored,
    on_face,
    on_skull,
    smooth,
    superellipse,
)
from vtbridge.training.synthetic.face import SKIN
from vtbridge.training.synthetic.layers import F64Array, Layer, Part
from vtbridge.training.synthetic.traits import WHITE, Traits, mixed

_BACK = "back"
_CAP = "cap"
_CROWN_Y = -0.98


def _side(traits: Traits) -> float:
    """Return half of the head with its hair."""
    return traits.face_width + 0.1 + traits.volume


def crown_y(traits: Traits) -> float:
    """Return where the hair ends above."""
    return _CROWN_Y - traits.volume


def head_outline(traits: Traits) -> dict[Part, F64Array]:
    """Return the points that span the head's box."""
    side, crown = _side(traits), crown_y(traits)
    dome = superellipse(0, -0.1, side, -0.1 - crown, start=180, end=360)
    return {Part.HEAD: np.concatenate([at_depth(dome, 0.1), [[0, traits.chin, 0.35]]])}


def draw_back_hair(traits: Traits, random: np.random.Generator) -> list[Layer]:
    """Return what hangs behind head and body."""
    layers: list[Layer] = []
    style = random.choice(["short", "long", "tails", "buns", "none"], p=[0.3, 0.33, 0.2, 0.07, 0.1])
    side, crown, dark = _side(traits), crown_y(traits), traits.dark(traits.hair)
    below = traits.dark(traits.hair_below)
    if style == "tails":
        root_y, out = random.uniform(-0.6, 0.3), random.uniform(0.15, 0.6)
        tip_y = random.uniform(0.7, 3.0)
        tail = np.array(
            [
                [side * 0.85, root_y],
                [side + out, root_y - 0.1],
                [side + out * 1.3, (root_y + tip_y) / 2],
                [side + out * 0.6, tip_y],
                [side + out * 0.2, tip_y - 0.3],
                [side * 0.95, (root_y + tip_y) / 2],
            ]
        )
        layers += _both(traits, smooth(tail), -0.4, traits.hair, traits.hair_below)
    elif style == "buns":
        size = random.uniform(0.25, 0.42)
        bun = superellipse(side * 0.75, crown + random.uniform(0.05, 0.3), size, size)
        layers += _both(traits, bun, -0.3, traits.hair, traits.hair)
    if style == "none":
        return layers
    length = {"short": random.uniform(0.5, 1.2), "long": random.uniform(1.2, 3.6)}.get(style, 0.6)
    flare = random.uniform(0.85, 1.35)
    teeth = int(random.integers(3, 9))
    x = np.linspace(side * flare, -side * flare, 2 * teeth + 1)
    jag = random.uniform(0.02, 0.3)
    ends = np.column_stack([x, length + np.where(np.arange(len(x)) % 2, jag, 0.0)])
    dome = superellipse(0, -0.1, side, -0.1 - crown, start=180, end=360, count=24)
    contour = np.concatenate([dome, smooth(ends, rounds=1, closed=False)])
    layers.append(
        Layer(
            at_depth(contour, -0.45),
            fill=dark,
            fill_below=below,
            line=traits.line(dark),
            line_width=traits.line_width,
            name=_BACK,
        )
    )
    if random.random() < 0.5:
        layers += _strands(traits, random, side, length)
    return layers


def _strands(
    traits: Traits, random: np.random.Generator, side: float, length: float
) -> list[Layer]:
    """Return lines that fall from the crown, behind the head."""
    ink = mixed(traits.dark(traits.hair), (0.0, 0.0, 0.0), 0.3)
    lines = []
    for x in random.uniform(-side, side, int(random.integers(4, 20))):
        fall = np.array([[x * 0.8, -0.5], [x, 0.3], [x * 1.05, length]])
        lines.append(
            Layer(
                at_depth(smooth(fall, closed=False), -0.45),
                line=ink,
                line_width=traits.line_width * 0.6,
                closed=False,
                within=_BACK,
            )
        )
    return lines


def _both(
    traits: Traits,
    shape: F64Array,
    depth: float,
    fill: tuple[float, float, float],
    below: tuple[float, float, float],
) -> list[Layer]:
    """Return ``shape`` on both sides of the head."""
    return [
        Layer(
            at_depth(points, depth),
            fill=fill,
            fill_below=below,
            line=traits.line(fill),
            line_width=traits.line_width,
        )
        for points in (shape, mirrored(shape))
    ]


def draw_front_hair(traits: Traits, random: np.random.Generator) -> list[Layer]:
    """Return side locks, bangs and the cap of the skull, with gloss and strands."""
    layers: list[Layer] = []
    if random.random() < 0.65:
        layers += _side_locks(traits, random)
    layers += _bangs(traits, random)
    layers += _cap(traits, random)
    if random.random() < 0.06:
        layers.append(_curtain(traits, random))
    if random.random() < 0.3:
        layers.append(_ahoge(traits, random))
    return layers


def _side_locks(traits: Traits, random: np.random.Generator) -> list[Layer]:
    side, tip = _side(traits), random.uniform(0.3, 1.7)
    inner = random.uniform(0.62, 0.9) * traits.face_width
    lock = np.array(
        [
            [inner * 0.8, -0.75],
            [side * 0.95, -0.6],
            [side * random.uniform(0.96, 1.06), tip * 0.5],
            [side * random.uniform(0.75, 1.0), tip],
            [inner, tip * random.uniform(0.3, 0.8)],
            [inner, 0.0],
        ]
    )
    return _both(traits, smooth(lock), 0.3, traits.hair, traits.hair_below)


def _bangs(traits: Traits, random: np.random.Generator) -> list[Layer]:
    """Return strands over the forehead, each with its shadow on the skin."""
    style = random.choice(
        ["spiky", "blunt", "swept", "parted", "none"], p=[0.4, 0.2, 0.2, 0.12, 0.08]
    )
    if style == "none":
        return []
    edge = traits.face_width * 1.06
    count = int(random.integers(4, 11))
    edges = np.linspace(-edge, edge, count + 1)
    edges[1:-1] += random.uniform(-0.06, 0.06, count - 1)
    part_x = random.uniform(-0.3, 0.3)
    lowest = traits.eye_y - random.uniform(0.0, 0.45)
    lean = random.uniform(-0.25, 0.25)
    strands: list[F64Array] = []
    for left, right in pairwise(edges):
        middle = (left + right) / 2
        outer = abs(middle) / edge
        tip = lowest + random.uniform(-0.1, 0.1) + 0.35 * outer**3
        x = middle + lean * 0.4
        if style == "blunt":
            y = lowest + random.uniform(-0.03, 0.03) + 0.1 * outer**3
            shape = [[left, y - 0.3], [left + 0.01, y], [right - 0.01, y], [right, y - 0.3]]
            loop = np.array([[middle * 0.6, _CROWN_Y + 0.1], [right * 1.02, -0.6], *shape[::-1]])
            strands.append(np.concatenate([loop, [[left * 1.02, -0.6]]]))
            continue
        if style == "swept":
            x = middle + np.sign(lean) * 0.22
            tip = lowest + 0.3 * (middle * np.sign(lean)) + random.uniform(-0.05, 0.05)
        elif style == "parted":
            gap = abs(middle - part_x)
            x = middle + np.sign(middle - part_x) * 0.12
            tip = -0.45 + (lowest + 0.75) * min(gap / 0.7, 1.0)
        shape = [
            [middle * 0.5, _CROWN_Y + 0.1],
            [right, -0.62],
            [right * 1.0, (tip - 0.6) * 0.5],
            [x + 0.02, tip],
            [left, (tip - 0.6) * 0.5],
            [left, -0.62],
        ]
        strands.append(np.array(shape))
    if random.random() < 0.5:
        strands = [smooth(strand, rounds=1) for strand in strands]
    shade = traits.dark(traits.skin)
    drop = np.array([0.02, random.uniform(0.03, 0.09)])
    layers = [
        Layer(on_face(strand + drop), fill=shade, opacity=0.7, within=SKIN) for strand in strands
    ]
    order = random.permutation(len(strands)) if style != "blunt" else range(len(strands))
    return layers + [
        Layer(
            on_skull(strands[index]),
            fill=traits.hair,
            fill_below=mixed(traits.hair, traits.hair_below, 0.3),
            line=traits.line(traits.hair),
            line_width=traits.line_width * 0.8,
        )
        for index in order
    ]


def _curtain(traits: Traits, random: np.random.Generator) -> Layer:
    """Return hair that hides one eye."""
    side = random.choice([-1, 1])
    edge, tip = traits.face_width * 1.05, random.uniform(0.4, 0.75)
    inner = random.uniform(0.02, 0.15)
    shape = np.array([[inner, -0.8], [edge, -0.6], [edge, tip - 0.1], [0.6, tip], [inner, 0.0]])
    return Layer(
        on_skull(smooth(shape * [side, 1])),
        fill=traits.hair,
        fill_below=traits.hair_below,
        line=traits.line(traits.hair),
        line_width=traits.line_width,
    )


def _cap(traits: Traits, random: np.random.Generator) -> list[Layer]:
    side, crown = _side(traits), crown_y(traits)
    dome = superellipse(0, -0.1, side, -0.1 - crown, start=180, end=360, count=30)
    if random.random() < 0.25:
        spikes = 1 + random.uniform(0.03, 0.25) * (np.arange(len(dome)) % 3 == 1)
        dome = np.array([0, -0.1]) + (dome - [0, -0.1]) * spikes[:, None]
    hairline = random.uniform(-0.72, -0.5)
    reach = random.uniform(-0.2, 0.25)
    under = np.array([[side, reach], [side * 0.85, -0.3], [0.5, hairline], [0, hairline - 0.04]])
    loop = np.concatenate(
        [dome, smooth(np.concatenate([under, mirrored(under)[::-1]]), closed=False)]
    )
    layers = [
        Layer(
            on_skull(loop),
            fill=mixed(traits.hair, WHITE, random.uniform(0, 0.2)),
            fill_below=traits.hair,
            name=_CAP,
        )
    ]
    line = traits.line(traits.hair)
    if line is not None:
        layers.append(Layer(on_skull(dome), line=line, line_width=traits.line_width, closed=False))
        for x in random.uniform(-side, side, int(random.integers(0, 9))):
            strand = np.array([[x * 0.2, crown + 0.03], [x * 0.8, -0.75], [x, -0.35]])
            layers.append(
                Layer(
                    on_skull(smooth(strand, closed=False)),
                    line=line,
                    line_width=traits.line_width * 0.6,
                    closed=False,
                    within=_CAP,
                )
            )
    if random.random() < 0.5:
        y, wide = random.uniform(-0.75, -0.6), side * random.uniform(0.4, 0.75)
        x = np.linspace(-wide, wide, 17)
        jag = np.where(np.arange(17) % 2, 0.06, 0.0)
        arch = y + 0.12 * (x / wide) ** 2
        band = np.concatenate(
            [np.column_stack([x, arch - jag]), np.column_stack([x, arch + 0.06 + jag])[::-1]]
        )
        bright = mixed(traits.hair, WHITE, 0.6)
        layers.append(Layer(on_skull(band), fill=bright, opacity=0.75))
    return layers


def _ahoge(traits: Traits, random: np.random.Generator) -> Layer:
    crown, lean = crown_y(traits), random.choice([-1, 1]) * random.uniform(0.1, 0.5)
    high = random.uniform(0.15, 0.45)
    shape = np.array(
        [
            [-0.04, crown + 0.05],
            [lean * 0.1, crown - high],
            [lean, crown - high * 0.8],
            [lean * 0.3, crown - high * 0.75],
            [0.05, crown + 0.05],
        ]
    )
    return Layer(
        at_depth(smooth(shape), 0.1),
        fill=traits.hair,
        line=traits.line(traits.hair),
        line_width=traits.line_width,
    )
