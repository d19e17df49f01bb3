"""Eyes in many manners, open and closed, with their brows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.training.synthetic.contours import on_face, superellipse
from vtbridge.training.synthetic.expression import Brow, Lids, brow_of, lids_of
from vtbridge.training.synthetic.layers import F64Array, Layer, Part
from vtbridge.training.synthetic.traits import BLACK, WHITE, Traits, mixed

_T = np.linspace(-1, 1, 21)
_CALM = Brow()


@dataclass(frozen=True, slots=True)
class _Style:
    """The eyes of one character; both are drawn by it."""

    width: float
    upper: float
    lower: float
    power: float
    tilt: float
    lash: float
    wing: float
    iris_width: float
    iris_height: float
    pupil: float
    gaze_x: float
    gaze_y: float
    sparkle: int
    simple: bool
    brow_y: float
    brow_bend: float
    brow_tilt: float
    brow_width: float


def _random_style(traits: Traits, random: np.random.Generator) -> _Style:
    uniform = random.uniform
    width = min(uniform(0.13, 0.31), traits.eye_x - 0.06, traits.face_width - traits.eye_x + 0.02)
    height = width * uniform(0.6, 1.4)
    return _Style(
        width=width,
        upper=height * uniform(0.9, 1.15),
        lower=height * uniform(0.7, 1.0),
        power=uniform(1.8, 4.0),
        tilt=uniform(-0.22, 0.22),
        lash=uniform(0.018, 0.06),
        wing=uniform(0.0, 0.07),
        iris_width=uniform(0.5, 0.78),
        iris_height=uniform(0.8, 1.08),
        pupil=uniform(0.25, 0.6),
        gaze_x=uniform(-0.12, 0.12),
        gaze_y=uniform(-0.08, 0.12),
        sparkle=int(random.integers(0, 3)),
        simple=random.random() < 0.08,
        brow_y=uniform(0.07, 0.18),
        brow_bend=uniform(0.0, 0.07),
        brow_tilt=uniform(-0.28, 0.28),
        brow_width=uniform(0.014, 0.045),
    )


@dataclass(frozen=True, slots=True)
class Eyes:
    """Both eyes of a character, with the brows above them.

    Attributes:
        openness: of the right and the left eye in the drawing that was found, 0..1.
        happy: how closed eyes look there.
    """

    traits: Traits
    style: _Style
    openness: tuple[float, float]
    happy: bool

    def found(self) -> tuple[list[Layer], list[Layer]]:
        """Return the layers of eyes and brows as some artist might have drawn them."""
        eyes: list[Layer] = []
        for eye, opened in zip(self._both(), self.openness, strict=True):
            eyes += eye.closed(happy=self.happy) if opened == 0 else eye.open(opened)
        return eyes, [eye.brow(_CALM) for eye in self._both()]

    def posed(self, pose: F32Array) -> tuple[list[Layer], list[Layer]]:
        """Return the layers of eyes and brows in a pose of 45; their number never changes."""
        eyes: list[Layer] = []
        brows: list[Layer] = []
        for eye, side in zip(self._both(), ("RIGHT", "LEFT"), strict=True):
            eyes += eye.posed(lids_of(pose, side))
            brows.append(eye.brow(brow_of(pose, side)))
        return eyes, brows

    def outlines(self) -> dict[Part, F64Array]:
        """Return the points that span each open eye."""
        return {eye.part: eye.outline() for eye in self._both()}

    def landmarks(self, pose: F32Array) -> dict[str, F64Array]:
        """Return named points of lids, irises and brows in a pose, each [3]."""
        named: dict[str, F64Array] = {}
        for eye, side in zip(self._both(), ("right", "left"), strict=True):
            points = eye.landmarks(lids_of(pose, side.upper()), brow_of(pose, side.upper()))
            named |= {f"{side}_{name}": point for name, point in points.items()}
        return named

    def _both(self) -> tuple[_Eye, _Eye]:
        return (
            _Eye(self.traits, self.style, -1, Part.RIGHT_EYE),
            _Eye(self.traits, self.style, 1, Part.LEFT_EYE),
        )


def random_eyes(traits: Traits, random: np.random.Generator) -> Eyes:
    """Return the eyes of one character."""
    style = _random_style(traits, random)
    state = random.random()
    openness = [1.0, 1.0]
    if state < 0.07:
        openness = [0.0, 0.0]
    elif state < 0.13:
        openness[int(random.integers(2))] = 0.0
    elif state < 0.25:
        openness = [random.uniform(0.35, 0.8)] * 2
    return Eyes(traits, style, (openness[0], openness[1]), bool(random.random() < 0.5))


@dataclass(frozen=True, slots=True)
class _Eye:
    traits: Traits
    style: _Style
    side: int
    part: Part

    def _lid(self, height: float) -> F64Array:
        """Return a lid's line from left to right, ``height`` below the corners' line."""
        style = self.style
        x = self.side * self.traits.eye_x + style.width * _T
        rise = 1 - np.abs(_T) ** style.power
        y = self.traits.eye_y + height * rise - self.side * style.tilt * style.width * _T
        return np.column_stack([x, y])

    def outline(self) -> F64Array:
        """Return the points that span the open eye with its lashes."""
        upper = self._lid(-self.style.upper) - np.array([0, self.style.lash / 2])
        grown = np.array([self.side * (self.style.lash / 2 + self.style.wing * 0.7), 0.0])
        outer = upper[-1 if self.side > 0 else 0] + grown
        return on_face(np.concatenate([upper, self._lid(self.style.lower), outer[None]]))

    def _ink(self) -> tuple[float, float, float]:
        return mixed(mixed(self.traits.hair, BLACK, 0.75), BLACK, 0.3)

    def _lash(self, line: F64Array) -> list[Layer]:
        """Return the upper lashes: a line that is thick above, with a wing outside."""
        style = self.style
        thick = style.lash * (0.35 + 0.65 * np.sqrt(np.clip(1 - _T**2, 0, 1)))
        above, below = line.copy(), line.copy()
        above[:, 1] -= thick / 2
        below[:, 1] += thick / 2
        tip = line[-1 if self.side > 0 else 0] + [self.side * style.wing, -style.wing * 0.6]
        if self.side > 0:
            loop = np.concatenate([above, tip[None], below[::-1]])
        else:
            loop = np.concatenate([tip[None], above, below[::-1]])
        return [Layer(on_face(loop, above=0.01), fill=self._ink(), part=self.part)]

    def open(self, opened: float) -> list[Layer]:
        """Return an eye that is open by ``opened`` of 0..1."""
        style = self.style
        upper = self._lid(style.lower * 0.6 * (1 - opened) - style.upper * opened)
        return self._between(upper, self._lid(style.lower * (0.75 + 0.25 * opened)))

    def posed(self, lids: Lids) -> list[Layer]:
        """Return the eye with its lids and iris where ``lids`` has them."""
        return self._between(
            *self._lids(lids), iris=1 - 0.5 * lids.small, gaze=(lids.gaze_x, lids.gaze_y)
        )

    def _lids(self, lids: Lids) -> tuple[F64Array, F64Array]:
        """Return the lines of the upper and the lower lid."""
        style = self.style
        wide = -style.upper * (1 + 0.22 * lids.surprised)
        # An unimpressed lid is straight, and hides the upper part of the iris.
        above = self._lid(wide)
        above += (self._lid(-style.upper * 0.25) - above) * (0.8 * lids.unimpressed)
        below = self._lid(style.lower * (1 + 0.12 * lids.surprised) * (1 - 0.4 * lids.lower_lid))
        shut = lids.wink + lids.happy + lids.relaxed
        if shut > 0:
            hanging, standing = style.lower * 0.5, -style.upper * 0.45
            height = lids.wink * hanging + lids.happy * standing + lids.relaxed * hanging * 0.6
            line = self._lid(height / shut)
            above += (line - above) * min(shut, 1.0)
            below += (line - below) * min(shut, 1.0) ** 1.5
        return above, below

    def landmarks(self, lids: Lids, brow: Brow) -> dict[str, F64Array]:
        """Return points of the lids, the iris and the brow, each [3]."""
        above, below = self._lids(lids)
        x, y, _, _ = self._iris((lids.gaze_x, lids.gaze_y))
        line = self.brow(brow).points
        first, last = (-1, 0) if self.side < 0 else (0, -1)
        middle = len(_T) // 2
        lines = {
            "eye_inner": above[first],
            "eye_outer": above[last],
            "eye_upper": above[middle],
            "eye_lower": below[middle],
            "iris": np.array([x, y]),
        }
        points = {name: on_face(point[None])[0] for name, point in lines.items()}
        return points | {"brow_inner": line[first], "brow_outer": line[last]}

    def _iris(self, gaze: tuple[float, float]) -> tuple[float, float, float, float]:
        """Return middle and half sides of the iris."""
        style, traits = self.style, self.traits
        tall = (style.upper + style.lower) / 2
        x = self.side * traits.eye_x + (style.gaze_x + 0.3 * gaze[0]) * style.width
        y = traits.eye_y + (style.lower - style.upper) / 2 + (style.gaze_y - 0.3 * gaze[1]) * tall
        return x, y, style.width * style.iris_width, tall * style.iris_height

    def _between(
        self,
        upper: F64Array,
        lower: F64Array,
        *,
        iris: float = 1.0,
        gaze: tuple[float, float] = (0.0, 0.0),
    ) -> list[Layer]:
        """Return what is seen between two lids, and the lashes on them."""
        style, traits, part = self.style, self.traits, self.part
        name = f"white-{part}"
        white = np.concatenate([upper, lower[::-1]])
        tall = (style.upper + style.lower) / 2
        x, y, wide, high = self._iris(gaze)
        wide, high = wide * iris, high * iris
        dark, light = mixed(traits.iris, BLACK, 0.55), mixed(traits.iris, WHITE, 0.25)
        layers = [
            Layer(
                on_face(white),
                fill=mixed(WHITE, traits.skin, 0.12) if not style.simple else dark,
                name=name,
                part=part,
            )
        ]

        def inside(points: F64Array, fill: tuple[float, float, float], **more: object) -> None:
            layers.append(
                Layer(on_face(points), fill=fill, within=name, part=part, **more)  # type: ignore[arg-type]
            )

        if not style.simple:
            rim = None if traits.outline is None else mixed(traits.iris, BLACK, 0.75)
            inside(
                superellipse(x, y, wide, high, power=2.2),
                dark,
                fill_below=light,
                line=rim,
                line_width=0.018,
            )
            pupil = superellipse(x, y, wide * style.pupil, high * style.pupil)
            inside(pupil, mixed(traits.iris, BLACK, 0.8))
            shade = np.concatenate([upper, upper[::-1] + np.array([0, tall * 0.3])])
            inside(shade, (70.0, 60.0, 100.0), opacity=0.35)
        if style.sparkle > 0:
            spot = superellipse(x - wide * 0.35, y - high * 0.42, wide * 0.32, high * 0.24)
            inside(spot, WHITE)
        if style.sparkle > 1:
            spot = superellipse(x + wide * 0.35, y + high * 0.45, wide * 0.2, high * 0.14)
            inside(spot, WHITE, opacity=0.8)
        layers += self._lash(upper)
        layers.append(
            Layer(
                on_face(lower[3:-3]),
                line=mixed(self._ink(), traits.skin, 0.35),
                line_width=0.014,
                closed=False,
                part=part,
            )
        )
        return layers

    def closed(self, *, happy: bool) -> list[Layer]:
        """Return a closed eye: an arc that hangs, or stands where the character is happy."""
        height = -self.style.upper * 0.45 if happy else self.style.lower * 0.5
        return self._lash(self._lid(height))

    def brow(self, brow: Brow) -> Layer:
        """Return the brow above the eye."""
        style = self.style
        across = np.linspace(-1.05, 1.05, 9)
        x = self.side * self.traits.eye_x + style.width * across
        y = self.traits.eye_y - style.upper - style.brow_y - style.brow_bend * (1 - across**2)
        y = y + self.side * style.brow_tilt * style.width * across
        outward = self.side * across
        y = y + style.width * (brow.tilt * outward + brow.drop - brow.bend * (1 - outward**2))
        return Layer(
            on_face(np.column_stack([x, y]), above=0.02),
            line=mixed(self.traits.hair, BLACK, 0.5),
            line_width=style.brow_width,
            closed=False,
        )
