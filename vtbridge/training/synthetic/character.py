"""One character from one seed, put together from its drawers."""

from __future__ import annotations

import numpy as np

from vtbridge.training.synthetic.clothes import draw_body
from vtbridge.training.synthetic.eyes import draw_eyes
from vtbridge.training.synthetic.face import draw_glasses, draw_mouth, draw_nose, draw_skin
from vtbridge.training.synthetic.hair import draw_back_hair, draw_front_hair, head_outline
from vtbridge.training.synthetic.layers import Character
from vtbridge.training.synthetic.ornaments import draw_ears, draw_headwear
from vtbridge.training.synthetic.traits import random_traits

BROWS_ABOVE_HAIR = 0.3
"""How many characters have their brows drawn over the bangs."""


def random_character(seed: int) -> Character:
    """Return the character of a seed; the same seed is the same character."""
    random = np.random.default_rng(seed)
    traits = random_traits(random)
    eyes, brows, eye_outlines = draw_eyes(traits, random)
    mouth, mouth_outline = draw_mouth(traits, random)
    back, body = draw_back_hair(traits, random), draw_body(traits, random)
    ears, skin, nose = (
        draw_ears(traits, random),
        draw_skin(traits, random),
        draw_nose(traits, random),
    )
    hair, glasses = draw_front_hair(traits, random), draw_glasses(traits, random)
    worn = draw_headwear(traits, random)
    brows_above = random.random() < BROWS_ABOVE_HAIR
    face = [*skin, *nose, *mouth, *eyes]
    layers = [*back, *body, *ears, *face, *([] if brows_above else brows), *hair]
    layers += [*(brows if brows_above else []), *glasses, *worn]
    return Character(tuple(layers), {**head_outline(traits), **eye_outlines, **mouth_outline})
