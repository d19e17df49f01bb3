"""A mouth that speaks: one pair of lips for every shape, from a line to a shout."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.pose_params import PoseParam
from vtbridge.training.synthetic.contours import on_face
from vtbridge.training.synthetic.layers import Colour, F64Array, Layer, Part
from vtbridge.training.synthetic.traits import BLACK, WHITE, Traits, colour, mixed

_T = np.linspace(-1, 1, 25)
_INSIDE = "inside-mouth"


@dataclass(frozen=True, slots=True)
class _Shape:
    """Lips in widths of the closed mouth.

    Attributes:
        width: of half the mouth.
        depth: of the opening.
        round: 0 is flat above and deep below, 1 an ellipse.
        point: 1 is a triangle that stands on its base.
    """

    width: float = 1.0
    depth: float = 0.0
    round: float = 0.0
    point: float = 0.0


_SHAPES: dict[PoseParam, _Shape] = {
    PoseParam.MOUTH_AAA: _Shape(1.0, 1.25, 0.15),
    PoseParam.MOUTH_III: _Shape(1.2, 0.45, 0.1),
    PoseParam.MOUTH_UUU: _Shape(0.5, 0.45, 1.0),
    PoseParam.MOUTH_EEE: _Shape(1.15, 0.8, 0.1),
    PoseParam.MOUTH_OOO: _Shape(0.6, 1.15, 1.0),
    PoseParam.MOUTH_DELTA: _Shape(0.9, 0.75, 0.0, 1.0),
}
_CLOSED = _Shape()


@dataclass(frozen=True, slots=True)
class Mouth:
    """The mouth of one character.

    Attributes:
        width: of half of it, closed.
        bend: of the closed line; below zero it smiles.
        cat: how far the closed line is a cat's.
        deep: how deep it opens, as a share of the usual.
        lip: of the upper lip's rise when open.
        teeth: of the opening's height that teeth take, 0 for none.
        tongue: likewise.
        lower_lip: whether a line tells where the lower lip is.
    """

    traits: Traits
    width: float
    bend: float
    cat: float
    deep: float
    lip: float
    power: float
    ink: Colour
    inside: Colour
    thick: float
    teeth: float
    tongue: float
    lower_lip: bool

    def layers(self, pose: F32Array) -> list[Layer]:
        """Return the mouth in a pose of 45; the number of layers never changes."""
        upper, lower = self._lips(pose)
        loop = np.concatenate([upper, lower[::-1]])
        high, low = upper[:, 1].min(), lower[:, 1].max()
        tall = low - high
        layers = [Layer(on_face(loop, above=0.02), fill=self.inside, name=_INSIDE)]
        if self.tongue:
            wide = 0.7 * np.ptp(loop[:, 0]) / 2
            back = low - self.tongue * tall * np.sqrt(np.clip(1 - (_T * 0.98) ** 2, 0, 1))
            x = loop[:, 0].mean() + wide * _T
            tongue = np.concatenate(
                [np.column_stack([x, back]), [[x[-1], low + 0.05], [x[0], low + 0.05]]]
            )
            pink = colour(0.98, 0.5, 0.95)
            layers.append(Layer(on_face(tongue, above=0.02), fill=pink, within=_INSIDE))
        if self.teeth:
            row = np.concatenate([upper, upper[::-1] + np.array([0.0, self.teeth * tall])])
            layers.append(Layer(on_face(row, above=0.02), fill=WHITE, within=_INSIDE))
        layers.append(
            Layer(on_face(loop, above=0.02), line=self.ink, line_width=self.thick, closed=True)
        )
        if self.lower_lip:
            middle, wide = loop[:, 0].mean(), 0.4 * np.ptp(loop[:, 0]) / 2
            line = np.column_stack([middle + wide * _T, low + 0.07 - 0.01 * _T**2])
            shade = self.traits.dark(self.traits.skin)
            layers.append(Layer(on_face(line), line=shade, line_width=0.014, closed=False))
        return [_of_mouth(layer) for layer in layers]

    def landmarks(self, pose: F32Array) -> dict[str, F64Array]:
        """Return corners, top and bottom of the mouth, each [3]."""
        upper, lower = self._lips(pose)
        middle = len(_T) // 2
        points = {
            "mouth_right": upper[0],
            "mouth_left": upper[-1],
            "mouth_upper": upper[middle],
            "mouth_lower": lower[middle],
        }
        return {name: on_face(point[None], above=0.02)[0] for name, point in points.items()}

    def _lips(self, pose: F32Array) -> tuple[F64Array, F64Array]:
        """Return the upper and the lower lip from the picture's left to its right, 25 x 2 each."""
        weights = {shape: pose.item(param) for param, shape in _SHAPES.items()}
        total = max(1.0, sum(weights.values()))
        asked = {shape: weight / total for shape, weight in weights.items()}

        def mixed_of(name: str) -> float:
            base = float(getattr(_CLOSED, name))
            parts = [w * (float(getattr(shape, name)) - base) for shape, w in asked.items()]
            return base + sum(parts)

        opened = sum(asked.values())
        half = self.width * mixed_of("width")
        deep = self.width * mixed_of("depth") * self.deep
        rounded, pointed = mixed_of("round"), mixed_of("point")
        dome = 1 - np.abs(_T) ** 2
        bulge = np.clip(dome, 0, 1) ** self.power
        closed = self.width * (self.bend * -dome + self.cat * (np.abs(np.sin(np.pi * _T)) * 0.35))
        rise = deep * (self.lip * 0.3 * dome + rounded * 0.5 * np.sqrt(np.clip(dome, 0, 1)))
        # A triangle stands: its upper lip is the point, its lower one the base.
        rise = rise + pointed * deep * (1 - np.abs(_T)) * 0.9
        fall = deep * bulge * (1 - 0.5 * rounded) * (1 - 0.85 * pointed)
        line = closed * (1 - 0.6 * opened) + self._corners(pose) * _T**2
        y = self.traits.mouth_y - 0.25 * deep * rounded
        x = half * _T + self._shift(pose)
        return np.column_stack([x, y + line - rise]), np.column_stack([x, y + line + fall])

    def _corners(self, pose: F32Array) -> F64Array:
        """Return how far the corners sink, for each place along the lips."""
        sink = np.zeros(len(_T))
        for side, here in (("RIGHT", _T < 0), ("LEFT", _T >= 0)):
            lowered = pose.item(PoseParam[f"MOUTH_LOWERED_CORNER_{side}"])
            raised = pose.item(PoseParam[f"MOUTH_RAISED_CORNER_{side}"])
            sink[here] = 0.4 * self.width * (lowered - raised)
        # One corner of a smirk rises.
        sink[_T >= 0] -= 0.3 * self.width * pose.item(PoseParam.MOUTH_SMIRK)
        return sink

    def _shift(self, pose: F32Array) -> float:
        return 0.25 * self.width * pose.item(PoseParam.MOUTH_SMIRK)


def _of_mouth(layer: Layer) -> Layer:
    return replace(layer, part=Part.MOUTH)


def random_mouth(traits: Traits, random: np.random.Generator) -> Mouth:
    """Return the mouth of one character."""
    uniform = random.uniform
    ink = mixed(colour(uniform(-0.03, 0.05), 0.6, 0.5), BLACK, uniform(0, 0.6))
    return Mouth(
        traits=traits,
        width=uniform(0.09, 0.2),
        bend=uniform(-0.14, 0.2),
        cat=float(random.random() < 0.12),
        deep=uniform(0.6, 1.15),
        lip=uniform(-0.2, 0.35),
        power=uniform(0.4, 1.0),
        ink=ink,
        inside=colour(uniform(-0.03, 0.04), uniform(0.4, 0.8), uniform(0.35, 0.9)),
        thick=uniform(0.014, 0.03),
        teeth=uniform(0.15, 0.35) if random.random() < 0.45 else 0.0,
        tongue=uniform(0.3, 0.6) if random.random() < 0.55 else 0.0,
        lower_lip=bool(random.random() < 0.2),
    )
