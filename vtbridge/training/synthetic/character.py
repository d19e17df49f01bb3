"""One character from one seed, put together from its drawers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.training.synthetic.clothes import draw_body
from vtbridge.training.synthetic.contours import at_depth
from vtbridge.training.synthetic.eyes import Eyes, random_eyes
from vtbridge.training.synthetic.face import draw_glasses, draw_mouth, draw_nose, draw_skin
from vtbridge.training.synthetic.hair import (
    crown_y,
    draw_back_hair,
    draw_front_hair,
    head_outline,
)
from vtbridge.training.synthetic.layers import Character, F64Array, Layer, LayerGroup, Part
from vtbridge.training.synthetic.mouth import Mouth, random_mouth
from vtbridge.training.synthetic.ornaments import draw_ears, draw_headwear
from vtbridge.training.synthetic.traits import Traits, random_traits

BROWS_ABOVE_HAIR = 0.3
"""How many characters have their brows drawn over the bangs."""
_BEHIND = (LayerGroup.BACK_HAIR, LayerGroup.BODY, LayerGroup.EARS, LayerGroup.FACE)


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """All that stays the same of a character while its face moves.

    Attributes:
        traits: what its drawers share.
        eyes: with their brows.
        mouth: the one that moves.
        drawn_mouth: one that does not, as an artist might have drawn it, and its outline.
        still: the layers of each group that no expression moves.
        brows_above: whether the brows are seen through the hair.
    """

    traits: Traits
    eyes: Eyes
    mouth: Mouth
    drawn_mouth: tuple[tuple[Layer, ...], dict[Part, F64Array]]
    still: dict[LayerGroup, tuple[Layer, ...]]
    brows_above: bool

    def found(self) -> Character:
        """Return the character with the face that some artist might have given it."""
        eyes, brows = self.eyes.found()
        mouth, outline = self.drawn_mouth
        return self._put_together(list(mouth), eyes, brows, outline)

    def posed(self, pose: F32Array) -> Character:
        """Return the character with the face of a pose of 45; its head is still.

        Layers keep their number and their points' number, so that two poses can be compared.
        """
        eyes, brows = self.eyes.posed(pose)
        return self._put_together(self.mouth.layers(pose), eyes, brows, {})

    def landmarks(self, pose: F32Array) -> dict[str, F64Array]:
        """Return named points of the face before the head turns, each [3]."""
        ends = at_depth(np.array([[0.0, self.traits.chin], [0.0, self.crown_y]]), 0.35)
        points = self.eyes.landmarks(pose) | self.mouth.landmarks(pose)
        return points | {"chin": ends[0], "crown": ends[1]}

    @property
    def crown_y(self) -> float:
        """Where the hair ends above."""
        return crown_y(self.traits)

    def _put_together(
        self,
        mouth: list[Layer],
        eyes: list[Layer],
        brows: list[Layer],
        outline: dict[Part, F64Array],
    ) -> Character:
        layers = [layer for group in _BEHIND for layer in self.still[group]]
        layers += [*_grouped(mouth, LayerGroup.MOUTH), *_grouped(eyes, LayerGroup.EYES)]
        marked = _grouped(brows, LayerGroup.BROWS)
        layers += [] if self.brows_above else marked
        layers += self.still[LayerGroup.FRONT_HAIR]
        layers += marked if self.brows_above else []
        layers += self.still[LayerGroup.WORN]
        return Character(
            tuple(layers), {**head_outline(self.traits), **self.eyes.outlines(), **outline}
        )


def random_design(seed: int) -> Design:
    """Return the design of a seed; the same seed is the same character."""
    random = np.random.default_rng(seed)
    traits = random_traits(random)
    eyes = random_eyes(traits, random)
    drawn, outline = draw_mouth(traits, random)
    still = {
        LayerGroup.BACK_HAIR: draw_back_hair(traits, random),
        LayerGroup.BODY: draw_body(traits, random),
        LayerGroup.EARS: draw_ears(traits, random),
        LayerGroup.FACE: [*draw_skin(traits, random), *draw_nose(traits, random)],
        LayerGroup.FRONT_HAIR: draw_front_hair(traits, random),
    }
    glasses = draw_glasses(traits, random)
    still[LayerGroup.WORN] = [*glasses, *draw_headwear(traits, random)]
    return Design(
        traits=traits,
        eyes=eyes,
        # The mouth that moves came later: a stream of its own keeps every other choice.
        mouth=random_mouth(traits, np.random.default_rng([seed, 4])),
        drawn_mouth=(tuple(drawn), outline),
        still={group: tuple(_grouped(layers, group)) for group, layers in still.items()},
        brows_above=bool(random.random() < BROWS_ABOVE_HAIR),
    )


def random_character(seed: int) -> Character:
    """Return the character of a seed as an artist might have drawn it."""
    return random_design(seed).found()


def _grouped(layers: list[Layer], group: LayerGroup) -> list[Layer]:
    return [replace(layer, group=group) for layer in layers]
